"""The original recipe computes what the published program does, with the weights that are exported for it."""

import pytest
import torch
import torchvision
from torch import nn

from models.backbone import IMAGENET_MEAN, IMAGENET_STD
from models.dmc import DMC
from models.losses import recipe_loss
from models.recipes import ORIGINAL
from training.checkpoints.published import export_published
from training.optim import build_optimizer
from training.steps import pair_distances


class Published(nn.Module):
    """The published program's network, distance and loss, written out from its description."""

    def __init__(self, v_cluster: int, a_cluster: int) -> None:
        super().__init__()
        self.clusters = (v_cluster, a_cluster)
        self.visual_net, self.audio_net = torchvision.models.resnet18(), torchvision.models.resnet18()
        self.visual_net.conv1_a = nn.Conv2d(1, 64, 7, 2, 3, bias=False)
        self.audio_net.conv1_a = nn.Conv2d(1, 64, 7, 2, 3, bias=False)
        for net in (self.visual_net, self.audio_net):
            net.layer4[0].conv1.stride = net.layer4[0].downsample[0].stride = (1, 1)
        self.fc_v_1, self.fc_a_1 = nn.Linear(512, 512), nn.Linear(512, 512)
        self.fc_v_2, self.fc_a_2, self.fc_av = nn.Linear(128, 128), nn.Linear(128, 128), nn.Linear(2, 1)

    @staticmethod
    def features(net: nn.Module, first: nn.Module, x: torch.Tensor) -> torch.Tensor:
        x = net.maxpool(net.relu(net.bn1(first(x))))
        x = net.layer4(net.layer3(net.layer2(net.layer1(x))))
        return x.flatten(2).transpose(1, 2)  # [B, N, 512]

    @staticmethod
    def cluster(features: torch.Tensor, count: int) -> torch.Tensor:
        centers = features[:, [index * (features.shape[1] // count) for index in range(count)]]
        for _ in range(4):
            distance = (features[:, None] - centers[:, :, None]).square().sum(-1).clamp(min=1e-10).sqrt()  # [B, K, N]
            assignment = torch.exp(-30 * (distance - distance.amin(1, keepdim=True)))
            assignment = assignment / assignment.sum(1, keepdim=True)
            centers = torch.stack([
                (assignment[:, k, :, None] * features).sum(1) / assignment[:, k].sum(1)[:, None].clamp(min=1e-12)
                for k in range(count)
            ], 1)  # fmt: skip
        return centers

    def loss(self, spectrograms: torch.Tensor, frames: torch.Tensor, others: torch.Tensor) -> torch.Tensor:
        mean, std = (torch.tensor(values).double()[:, None, None] for values in (IMAGENET_MEAN, IMAGENET_STD))
        images = (torch.cat([frames, others]).double() / 255 - mean) / std
        visual = self.features(self.visual_net, self.visual_net.conv1, images)
        visual = self.cluster(self.fc_v_1(visual), self.clusters[0])
        sound = self.features(self.audio_net, self.audio_net.conv1_a, spectrograms)
        sound = self.cluster(self.fc_a_1(sound), self.clusters[1]).repeat(2, 1, 1)
        squared = (sound[:, :, None] - visual[:, None]).square().sum(-1).amin(2).sum(1)  # D^2 of each pair, [2 B]
        positive, negative = squared.chunk(2)
        shortfall = (5 - (negative + 1e-9).sqrt()).clamp(min=0).square()
        return 0.5 * torch.cat([positive, shortfall]).mean()


def our_name(name: str) -> str:
    for theirs, ours in {"conv1_a": "conv1", "fc_v_1": "visual_projection", "fc_a_1": "audio_projection"}.items():
        name = name.replace(theirs, ours)
    return name


@pytest.fixture
def batch() -> dict[str, torch.Tensor]:
    torch.manual_seed(1)
    frames, others = torch.randint(0, 256, (2, 2, 3, 48, 48), dtype=torch.uint8)
    return {"spectrogram": torch.randn(2, 1, 65, 64).double() * 10, "frame": frames, "negative_frame": others}


@pytest.mark.parametrize(("v_cluster", "a_cluster"), [(2, 1), (3, 2)])
def test_losses_gradients_and_three_steps_are_those_of_the_published_formulas(batch, tmp_path, v_cluster, a_cluster):
    torch.manual_seed(0)
    ours = DMC(ORIGINAL, v_cluster, a_cluster)
    for projection in (ours.visual_projection, ours.audio_projection):
        projection.weight.data *= 0.05  # small distances, so that margin and soft assignments count
    assert "visual_net.fc" in export_published(ours, tmp_path / "theirs.pth")
    theirs = Published(v_cluster, a_cluster)
    theirs.load_state_dict(torch.load(tmp_path / "theirs.pth"))  # strict: all weights that they want, and no other
    ours, theirs = ours.double().train(), theirs.double().train()
    adam = torch.optim.Adam(theirs.parameters(), 1e-4, weight_decay=1e-4)
    optimizers = [build_optimizer(ours.parameters(), 1e-4), adam]
    for _ in range(3):
        losses = [
            recipe_loss(pair_distances(ours, batch, ORIGINAL), ORIGINAL),
            theirs.loss(batch["spectrogram"], batch["frame"], batch["negative_frame"]),
        ]
        assert losses[0].item() == pytest.approx(losses[1].item(), rel=1e-9)
        for optimizer, loss in zip(optimizers, losses, strict=True):
            optimizer.zero_grad()
            loss.backward()
        found = {name: weight.grad for name, weight in ours.named_parameters()}
        used = {name: weight.grad for name, weight in theirs.named_parameters() if weight.grad is not None}
        expected = {our_name(name): gradient for name, gradient in used.items()}
        torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-9)
        for optimizer in optimizers:
            optimizer.step()
