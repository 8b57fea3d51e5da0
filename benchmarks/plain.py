"""The floor: a plain training loop of the original recipe, as one writes it from the description in the paper.

float32, a random negative frame for each second of audio, all audio through its network once for each of its two
frames, positive and negative pairs one after the other, the clustering in Python loops, each frame prepared alone with
Pillow. It takes only the places of the samples from this project, so what makes our own step faster does not make the
floor faster too.
"""

import itertools
import random
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms
from torchvision.models import resnet18

from data.index import index_seconds
from data.layout import list_path
from data.lists import read_list

BETA, ROUNDS, MARGIN = 30.0, 4, 5.0


class PlainDataset(Dataset):
    """A spectrogram, its frame and a frame of another video."""

    def __init__(self, data_dir: Path, image_size: int) -> None:
        self.seconds = index_seconds(data_dir, read_list(list_path(data_dir, "train")))
        self.transform = transforms.Compose(
            [
                transforms.Resize((round(image_size * 256 / 224),) * 2),
                transforms.RandomCrop(image_size),
                transforms.RandomHorizontalFlip(),
                transforms.ColorJitter(brightness=0.3, saturation=0.3),
                transforms.ToTensor(),
                transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
            ]
        )

    def __len__(self) -> int:
        return len(self.seconds)

    def _frame(self, index: int) -> torch.Tensor:
        return self.transform(Image.open(random.choice(self.seconds.frame_paths(index))).convert("RGB"))

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        spectrogram = torch.from_numpy(np.load(self.seconds.spectrogram_path(index)))[None]
        other = self.seconds.of_other_video(index, np.random.default_rng())
        return spectrogram, self._frame(index), self._frame(other)


def resnet(in_channels: int) -> nn.Module:
    """ResNet-18 with features at 1/16."""
    network = resnet18(weights=None)
    network.conv1 = nn.Conv2d(in_channels, 64, 7, 2, 3, bias=False)
    network.layer4[0].conv1.stride = network.layer4[0].downsample[0].stride = (1, 1)
    return nn.Sequential(*list(network.children())[:-2])


def cluster(features: torch.Tensor, num_clusters: int) -> torch.Tensor:
    """Centers of N feature vectors, [B, N, D] -> [B, K, D]."""
    step = features.shape[1] // num_clusters
    centers = [features[:, step * i] for i in range(num_clusters)]
    for _ in range(ROUNDS):
        distances = [((features - c[:, None]) ** 2).sum(-1).clamp(min=1e-10).sqrt() for c in centers]
        assignment = torch.softmax(-BETA * torch.stack(distances), dim=0)  # [K, B, N]
        centers = [(s[..., None] * features).sum(1) / s.sum(1, keepdim=True).clamp(min=1e-12) for s in assignment]
    return torch.stack(centers, 1)


class PlainDMC(nn.Module):
    """Both streams."""

    def __init__(self, v_cluster: int, a_cluster: int) -> None:
        super().__init__()
        self.visual_net, self.audio_net = resnet(3), resnet(1)
        self.fc_v, self.fc_a = nn.Linear(512, 512), nn.Linear(512, 512)
        self.v_cluster, self.a_cluster = v_cluster, a_cluster

    def forward(self, spectrograms: torch.Tensor, frames: torch.Tensor) -> torch.Tensor:
        """D^2 of each second of audio and its frame, [B]."""
        visual = self.fc_v(self.visual_net(frames).flatten(2).transpose(1, 2))
        audio = self.fc_a(self.audio_net(spectrograms).flatten(2).transpose(1, 2))
        visual, audio = cluster(visual, self.v_cluster), cluster(audio, self.a_cluster)
        distances = ((audio[:, :, None] - visual[:, None]) ** 2).sum(-1)  # [B, A, V]
        return distances.min(-1).values.sum(-1)


class PlainTraining:
    """Trains step by step."""

    def __init__(self, data_dir: Path, image_size: int, batch_size: int, threads: int, device: torch.device) -> None:
        self.device = device
        self.model = PlainDMC(v_cluster=2, a_cluster=1).to(device)
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=1e-4, weight_decay=1e-4)
        dataset = PlainDataset(data_dir, image_size)
        workers = {"num_workers": threads, "persistent_workers": threads > 0}
        loader = DataLoader(dataset, batch_size, shuffle=True, drop_last=True, **workers)
        self.batches = itertools.chain.from_iterable(itertools.repeat(loader))  # one epoch after the other

    def step(self) -> float:
        """Load a batch and train on it. Returns the loss."""
        spectrograms, frames, negative_frames = (part.to(self.device) for part in next(self.batches))
        positive, negative = self.model(spectrograms, frames), self.model(spectrograms, negative_frames)
        shortfall = (MARGIN - (negative + 1e-9).sqrt()).clamp(min=0)
        loss = 0.5 * torch.cat([positive, shortfall**2]).mean()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss.item()
