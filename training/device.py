"""Device, precision and random states of a training, set up once."""

import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch.utils.data import DataLoader

from common.errors import UserError
from data.sampler import RankSampler
from training.distributed import world_size

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


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
    return _device_of_process(name) if world_size() > 1 else torch.device(name)


def _device_of_process(name: str) -> torch.device:
    """The device of one of several processes: each has a GPU of its own."""
    if name == "mps":
        raise UserError("--device mps: several processes compute on CPUs or on CUDA GPUs, this one on one process only")
    if name == "cpu":
        return torch.device(name)
    number, count = int(os.environ.get("LOCAL_RANK", 0)), torch.cuda.device_count()
    if number >= count:
        raise UserError(f"this machine has {count} GPUs: give torchrun --nproc_per_node={count}, or --device cpu")
    torch.cuda.set_device(number)
    return torch.device(name, number)


def choose_precision(name: str, device: torch.device, recipe_name: str) -> torch.dtype:
    """The type that ``--precision`` names.

    ``auto`` is float32, as published, for the original recipe. For others it is bfloat16 where the hardware computes in
    it, else float32.

    Only the backbones compute in it. Clustering, distances and losses always have float32.
    """
    if name == "auto":
        return torch.bfloat16 if recipe_name != "original" and _computes_bfloat16(device) else torch.float32
    return DTYPES[name]


def _computes_bfloat16(device: torch.device) -> bool:
    """Whether a device has instructions for bfloat16: without them it is slower than float32."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type == "cpu":  # of x86; whether ARM's instructions make training faster has not been seen
        if get_capabilities := getattr(torch.cpu, "get_capabilities", None):
            return bool(get_capabilities().get("avx512_bf16"))
        return getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)()  # older PyTorch has no public one
    return False


def random_states() -> dict[str, Any]:
    """PyTorch's random states as tensors, for a checkpoint; of several GPUs that of the one in use.

    Nothing else draws from states of its own: samples are drawn from (seed, epoch, index).
    """
    return {
        "torch": torch.get_rng_state(),
        "cuda": [torch.cuda.get_rng_state()] if torch.cuda.is_initialized() else [],
        "mps": torch.mps.get_rng_state() if torch.backends.mps.is_available() else None,
    }


def restore_random_states(states: dict[str, Any]) -> None:
    """Set the random states to those of `random_states`."""
    torch.set_rng_state(states["torch"])
    if states["cuda"] and torch.cuda.is_available():
        torch.cuda.set_rng_state(states["cuda"][0])  # older checkpoints have one of each GPU
    if states["mps"] is not None and torch.backends.mps.is_available():
        torch.mps.set_rng_state(states["mps"])


class DeviceLoader:
    """A loader whose batches' tensors are on a device, where `finish` transforms each whole batch.

    Batches of a `RankSampler` say under ``whole`` how many samples all processes have together.
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

    def __len__(self) -> int:
        return len(self.loader)

    def __iter__(self) -> Iterator[Mapping[str, Any]]:
        non_blocking = self.device.type == "cuda"  # its batches lie in pinned memory
        sampler = self.loader.sampler
        for number, batch in enumerate(self.loader):
            whole = {"whole": sampler.size(number)} if isinstance(sampler, RankSampler) else {}
            yield self.finish(
                whole
                | {
                    key: value.to(self.device, non_blocking=non_blocking) if isinstance(value, torch.Tensor) else value
                    for key, value in batch.items()
                }
            )
