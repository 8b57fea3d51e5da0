"""Where the network runs and what chance it has: device and random states, set up once, here."""

import os
import random
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader

from common.errors import UserError
from data.sampler import ShareSampler
from training.processes import world_size


def choose_device(name: str) -> torch.device:
    """The device that ``--device`` names; ``auto`` is a GPU where there is one.

    Raises:
        UserError: this machine does not have it.
    """
    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        name = next(device for device, there in available.items() if there)
    if not available[name]:
        raise UserError(f"--device {name}: PyTorch finds no such device here; --device auto takes what there is")
    if name == "cuda":
        torch.backends.cudnn.benchmark = True  # batches have few sizes: the fastest kernels for each are tried out once
    if name == "cpu":
        # Gradients through hard clusters are full of numbers below 1e-38, each of which takes a CPU a hundred times as
        # long. The threads that PyTorch has not started yet will take them for 0 as well.
        torch.set_flush_denormal(True)
    return _of_process(name) if world_size() > 1 else torch.device(name)


def _of_process(name: str) -> torch.device:
    """The device of one of several processes: of this machine's GPUs each has one."""
    if name == "mps":
        raise UserError("--device mps: several processes compute on CPUs or on CUDA GPUs, this one on one process only")
    if name == "cpu":
        return torch.device(name)
    number, count = int(os.environ.get("LOCAL_RANK", 0)), torch.cuda.device_count()
    if number >= count:
        raise UserError(f"this machine has {count} GPUs: give torchrun --nproc_per_node={count}, or --device cpu")
    torch.cuda.set_device(number)
    return torch.device(name, number)


def pinned(device: torch.device) -> bool:
    """Whether batches are to lie in pinned memory, whose copying to a GPU the program does not wait for."""
    return device.type == "cuda"


def seed_everything(seed: int) -> None:
    """Seed Python, numpy and PyTorch."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


def random_states() -> dict[str, Any]:
    """All random states, as plain values and tensors, for a checkpoint; of the GPUs that of the one in use."""
    kind, keys, *rest = np.random.get_state()
    return {
        "python": random.getstate(),
        "numpy": (kind, keys.tolist(), *rest),
        "torch": torch.get_rng_state(),
        "cuda": [torch.cuda.get_rng_state()] if torch.cuda.is_initialized() else [],
        "mps": torch.mps.get_rng_state() if torch.backends.mps.is_available() else None,
    }


def restore_random_states(states: dict[str, Any]) -> None:
    """Set all random states to what `random_states` gave, in each of several processes to the first one's."""
    version, internal, gauss = states["python"]
    random.setstate((version, tuple(internal), gauss))
    kind, keys, *rest = states["numpy"]
    np.random.set_state((kind, np.array(keys, np.uint32), *rest))
    torch.set_rng_state(states["torch"])
    if states["cuda"] and torch.cuda.is_available():
        torch.cuda.set_rng_state(states["cuda"][0])  # older checkpoints have one of each GPU
    if states["mps"] is not None and torch.backends.mps.is_available():
        torch.mps.set_rng_state(states["mps"])


class OnDevice:
    """A loader whose batches' tensors are on a device.

    Batches that several processes share say under ``whole`` how many samples all parts have together.

    Args:
        loader: yields dicts of tensors and other values.
        device: where the tensors go.
        finish: what is left to do to a batch there.
    """

    def __init__(
        self,
        loader: DataLoader,
        device: torch.device,
        finish: Callable[[Mapping[str, Any]], Mapping[str, Any]] = lambda batch: batch,
    ) -> None:
        self.loader = loader
        self.device = device
        self.finish = finish

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch of the loader's sampler."""
        self.loader.sampler.set_epoch(epoch)

    def sizes(self) -> list[int]:
        """Samples of each batch of an epoch, in all processes together; of a `PairDataset`'s."""
        return self.loader.sampler.sizes()

    def __len__(self) -> int:
        return len(self.loader)

    def __iter__(self) -> Iterator[Mapping[str, Any]]:
        sampler = self.loader.sampler
        for number, batch in enumerate(self.loader):
            whole = {"whole": sampler.size(number)} if isinstance(sampler, ShareSampler) else {}
            moved = whole | {
                key: value.to(self.device, non_blocking=pinned(self.device))
                if isinstance(value, torch.Tensor)
                else value
                for key, value in batch.items()
            }
            yield self.finish(moved)
