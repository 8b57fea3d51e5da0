"""Trains in float64 with frozen BatchNorm, in one process or under torchrun: what `test_distributed.py` compares."""

import sys
from pathlib import Path

import torch
from torch import nn

import location_dmc
from data.other_sounds import NoiseNegatives
from models.device import OnDevice, seed_everything
from models.distributed import shared
from models.dmc import DMC, build_dmc
from models.optimizer import build_optimizer, build_scaler
from models.options import merge_options
from models.processes import is_first, joined
from tests.sample_set import add_negatives, make_set

SMALL = {"image_size": 32, "test_scale": 1.0, "batch_size": 4, "num_threads": 0, "precision": "fp32", "warmup": 0}
CASES = {  # of 21 seconds to train on, 5 steps an epoch with batches of 4
    "batch": SMALL | {"recipe": "improved", "v_cluster": 3, "epoch": 4},
    "one": SMALL | {"recipe": "original", "v_cluster": 2, "epoch": 4},
    # As many wrong pairs as there are vary from sound to sound, so that a mean of the parts' means is another one.
    "uneven": SMALL
    | {"recipe": "original", "v_cluster": 3, "a_cluster": 2, "epoch": 1, "negatives": "batch", "skip_alike": 0.3}
    | {"background_negatives": 1, "noise_negatives": 2},
    # The only batch has 21 samples: 11 for one process, 10 and a repetition for the other.
    "odd": SMALL | {"recipe": "improved", "v_cluster": 3, "epoch": 1, "batch_size": 32},
    "accumulate": SMALL | {"recipe": "improved", "v_cluster": 3, "epoch": 1, "batch_size": 8, "accumulate": 2},
}


class Doubled(OnDevice):
    """Batches for a network in float64."""

    def __iter__(self):
        for batch in super().__iter__():
            yield batch | {"spectrogram": batch["spectrogram"].double()}


class Recorded(nn.Module):
    """A loss that remembers what it was."""

    def __init__(self, criterion: nn.Module) -> None:
        super().__init__()
        self.criterion = criterion
        self.losses: list[float] = []

    def forward(self, pairs):
        loss = self.criterion(pairs)
        self.losses.append(loss.item())
        return loss


def small_backbone(in_channels: int, features: int) -> nn.Sequential:
    """In the place of a ResNet-18, whose gradients take gloo longer to send than all the rest takes."""
    first = nn.Conv2d(in_channels, 16, 7, stride=4, padding=3, bias=False)
    second = nn.Conv2d(16, features, 3, stride=4, padding=1, bias=False)
    return nn.Sequential(first, nn.BatchNorm2d(16), nn.ReLU(), second, nn.BatchNorm2d(features), nn.ReLU())


def shrink(model: DMC) -> DMC:
    """The same network with small backbones."""
    model.visual_net = small_backbone(3, model.visual_projection.in_features)
    model.audio_net = small_backbone(1, model.audio_projection.in_features)
    return model


def freeze(model: DMC, spectrograms: torch.Tensor, frames: torch.Tensor) -> None:
    """Let BatchNorm have the statistics of these from now on."""
    norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = 1.0
    with torch.no_grad():
        model.train()(spectrograms.double(), frames)
    for norm in norms:
        norm.eval()
        norm.train = lambda mode=True, norm=norm: norm


def train(data_dir: Path, case: dict[str, object]) -> dict[str, object]:
    """Losses of all steps, averages of training and validation, and the weights."""
    options = merge_options({"data_dir": str(data_dir), **case}, {})
    seed_everything(options.seed)
    device = torch.device("cpu")
    model = shrink(build_dmc(options)).double()
    loaders = [location_dmc.build_pair_loader(options, name, device) for name in ("train", "val")]
    train_loader, val_loader = (Doubled(loader.loader, device) for loader in loaders)
    dataset = train_loader.loader.dataset
    samples = [dataset[0, index] for index in range(8)]
    freeze(model, *(torch.stack([sample[name] for sample in samples]) for name in ("spectrogram", "frame")))
    heard: list[int] = []  # sounds that go through the network at a time
    model.audio_net.register_forward_pre_hook(lambda _, inputs: heard.append(len(inputs[0])))
    trainable, _ = shared(model, device)
    optimizer = build_optimizer(model.parameters(), options)
    scaler = build_scaler(optimizer, torch.float32, device)  # does nothing
    criterion = Recorded(location_dmc.build_loss(options))
    noise = NoiseNegatives(data_dir, options.noise_negatives)
    averages = []
    for epoch in range(1, options.epoch + 1):
        trained = location_dmc.train_epoch(trainable, criterion, optimizer, scaler, train_loader, epoch, options, noise)
        validated = location_dmc.validate(model, criterion, val_loader, options)
        averages += [[a.count, a.loss, a.accuracy] for a in (trained, validated)]
    found = {"losses": criterion.losses, "averages": averages, "most_heard": max(heard, default=0)}
    return {**found, "model": model.state_dict()}


def make_data(data_dir: Path) -> None:
    """21 seconds to train on, 9 to validate: with batches of 4 the last one has a single sample."""
    make_set(data_dir, train=7, val=3, test=1)
    add_negatives(data_dir)


def main(data_dir: Path, out: Path) -> None:
    """Write the results of all cases, each process its own."""
    with joined():
        torch.set_num_threads(1)
        results = {name: train(data_dir, case) for name, case in CASES.items()}
        first = is_first()
    torch.save(results, out / f"{0 if first else 1}.pt")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
