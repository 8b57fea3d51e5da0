"""The yardstick: a plain training loop of the original recipe, as one would write it from the paper's description.

float32, a random wrong picture for each sound, every sound through its network once for each of its two pictures, right
and wrong pairs one after the other, the clustering in Python loops, each picture prepared by itself with Pillow. It
takes nothing from this project but where the samples are, so that what makes this project's own loop faster does not
make its yardstick faster too.
"""

import random
from collections.abc import Iterator

import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms
from torchvision.models import resnet18

from data.index import SecondIndex

BETA, ROUNDS, MARGIN = 30.0, 4, 5.0


class PlainDataset(Dataset):
    """A sound, its picture and one of another video."""

    def __init__(self, seconds: SecondIndex, image_size: int) -> None:
        self.seconds = seconds
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

    def _picture(self, index: int) -> torch.Tensor:
        return self.transform(Image.open(random.choice(self.seconds.frame_paths(index))).convert("RGB"))

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        sound = torch.from_numpy(np.load(self.seconds.spectrogram_path(index)))[None]
        other = self.seconds.of_other_video(index, np.random.default_rng())
        return sound, self._picture(index), self._picture(other)


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

    def forward(self, sounds: torch.Tensor, pictures: torch.Tensor) -> torch.Tensor:
        """Squared distance of each sound and its picture, summed over the sound's clusters, [B]."""
        visual = self.fc_v(self.visual_net(pictures).flatten(2).transpose(1, 2))
        audio = self.fc_a(self.audio_net(sounds).flatten(2).transpose(1, 2))
        visual, audio = cluster(visual, self.v_cluster), cluster(audio, self.a_cluster)
        between = ((audio[:, :, None] - visual[:, None]) ** 2).sum(-1)  # [B, A, V]
        return between.min(-1).values.sum(-1)


def endless(loader: DataLoader) -> Iterator[list[torch.Tensor]]:
    """The batches of one epoch after the other; it holds the loader alone, not the training that holds it."""
    while True:
        yield from loader


class PlainTraining:
    """Trains step by step, until it is closed.

    Args:
        seconds: what to train on.
        image_size: pixels of the square pictures.
        batch_size: sounds a step.
        num_threads: processes that load data.
        device: where to compute.
        v_cluster: clusters of a picture.
        a_cluster: clusters of a sound.
    """

    def __init__(
        self,
        seconds: SecondIndex,
        image_size: int,
        batch_size: int,
        num_threads: int,
        device: torch.device,
        v_cluster: int = 2,
        a_cluster: int = 1,
    ) -> None:
        self.device = device
        self.model = PlainDMC(v_cluster, a_cluster).to(device)
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=1e-4, weight_decay=1e-4)
        self.loader = DataLoader(
            PlainDataset(seconds, image_size),
            batch_size,
            shuffle=True,
            num_workers=num_threads,
            drop_last=True,
            persistent_workers=num_threads > 0,
        )
        self.batches = endless(self.loader)

    def close(self) -> None:
        """End the processes that load data, which else would wait for the next epoch."""
        self.batches.close()
        del self.batches, self.loader

    def step(self) -> float:
        """Load a batch and train on it; returns its loss."""
        sounds, pictures, others = (part.to(self.device) for part in next(self.batches))
        right, wrong = self.model(sounds, pictures), self.model(sounds, others)
        loss_of_wrong = (MARGIN - (wrong + 1e-9).sqrt()).clamp(min=0) ** 2
        loss = 0.5 * torch.cat([right, loss_of_wrong]).mean()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss.item()
