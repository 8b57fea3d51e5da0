"""`location_dmc.py`'s own training step, whole and in its parts."""

import contextlib
import io
import itertools
import time
from collections.abc import Iterator
from typing import Any

import torch

import location_dmc
import models.dmc
from data.negative_audio import NoiseNegatives
from models.clustering import soft_kmeans
from models.dmc import build_dmc
from training.device import OnDevice
from training.micro_batches import StepPart
from training.optim import build_optimizer, build_scaler
from training.options import merge_options
from training.precision import choose_precision

PARTS = ("loading", "forward", "clustering", "loss", "backward", "optimizer")
LOADED_AHEAD = 2  # batches of each process that loads, as PyTorch has it


def synchronize(device: torch.device) -> None:
    """Wait until a device has done all that it was given; a CPU always has."""
    if device.type != "cpu":
        torch.get_device_module(device).synchronize()


def endless(loader: OnDevice) -> Iterator[dict[str, Any]]:
    """The batches of one epoch after the other.

    It holds the loader alone: a method would hold its training, which holds it, and neither would ever be let go of.
    """
    for epoch in itertools.count(1):
        loader.set_epoch(epoch)
        yield from loader


class OwnTraining:
    """Trains step by step as `location_dmc.py` does, until it is closed.

    Args:
        given: options that differ from their defaults.
        device: where to compute.
    """

    def __init__(self, given: dict[str, Any], device: torch.device) -> None:
        self.options = merge_options(given, {})
        self.device = device
        location_dmc.seed_everything(self.options.seed)
        precision = choose_precision(self.options.precision, device)
        self.model = build_dmc(self.options, precision).to(device).train()
        if self.options.compile:
            self.model.compile_training()
        self.criterion = location_dmc.build_loss(self.options)
        self.optimizer = build_optimizer(self.model.parameters(), self.options)
        self.scaler = build_scaler(self.optimizer, precision, device)
        self.noise = NoiseNegatives(self.options.data_dir, self.options.noise_negatives)
        with contextlib.redirect_stdout(io.StringIO()):  # what it says of the data set, once for each recipe
            self.loader = location_dmc.build_pair_loader(self.options, "train", device)
        self.batches = endless(self.loader)

    def close(self) -> None:
        """End the processes that load data, which else would wait for the next epoch."""
        self.batches.close()
        del self.batches, self.loader

    def step(self) -> float:
        """Load a batch and train on it; returns its loss."""
        return self.train_on(next(self.batches))

    def train_on(self, batch: dict[str, Any]) -> float:
        """Train on a batch that is on the device; returns its loss."""
        part = StepPart(batch, step=0, weight=1.0, begins=True, ends=True)
        loss, _ = location_dmc.train_step(
            self.model, self.criterion, self.optimizer, self.scaler, part, self.options, self.noise
        )
        return loss.item()

    def step_in_parts(self) -> dict[str, float]:
        """The same step, cut where features, and where centers leave their stage; returns the seconds of each part.

        The parts of the backward pass belong to what they go back through: those of clustering and loss are theirs.
        """
        clock = _Clock(self.device)
        batch = next(self.batches)
        clock.stop("loading")
        tape = _Tape(clock)
        with tape:
            pairs = location_dmc.compare(self.model, batch, self.options, self.noise)
            loss = self.scaler.scale(self.criterion(pairs))
        clock.stop("loss")
        self.optimizer.zero_grad()
        loss.backward()
        clock.stop("loss")
        torch.autograd.backward(*tape.centers())
        clock.stop("clustering")
        torch.autograd.backward(*tape.features())
        clock.stop("backward")
        self.scaler.step(self.optimizer)
        self.scaler.update()
        clock.stop("optimizer")
        return clock.seconds


class _Clock:
    """Adds up the time between stops, by part."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.seconds = dict.fromkeys(PARTS, 0.0)
        self.last = time.perf_counter()

    def stop(self, part: str) -> None:
        """What has passed since the last stop was for `part`."""
        synchronize(self.device)
        now = time.perf_counter()
        self.seconds[part] += now - self.last
        self.last = now


class _Tape:
    """While it is entered, gradients stop where feature vectors enter the clustering and where centers leave it."""

    def __init__(self, clock: _Clock) -> None:
        self.clock = clock
        self.cut: dict[str, list[tuple[torch.Tensor, torch.Tensor]]] = {"features": [], "centers": []}

    def _cut(self, name: str, tensor: torch.Tensor) -> torch.Tensor:
        leaf = tensor.detach().requires_grad_()
        self.cut[name].append((tensor, leaf))
        return leaf

    def _cluster(self, features: torch.Tensor, *arguments: Any) -> tuple[torch.Tensor, torch.Tensor]:  # noqa: ANN401
        self.clock.stop("forward")
        centers, assignment = soft_kmeans(self._cut("features", features), *arguments)
        centers = self._cut("centers", centers)
        self.clock.stop("clustering")
        return centers, assignment

    def __enter__(self) -> None:
        models.dmc.soft_kmeans = self._cluster

    def __exit__(self, *_: object) -> None:
        models.dmc.soft_kmeans = soft_kmeans

    def _gradients(self, name: str) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
        tensors, leaves = zip(*self.cut[name], strict=True)
        return list(tensors), [leaf.grad for leaf in leaves]

    def centers(self) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
        """Centers, and the gradients that came back to them."""
        return self._gradients("centers")

    def features(self) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
        """Features, and the gradients that came back to them."""
        return self._gradients("features")
