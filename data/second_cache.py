"""Keeps the seconds of a list in memory, read once: their spectrograms, and their frames after resizing."""

import os
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import psutil
import torch
from tqdm import tqdm

from common.errors import SampleError
from data.index import SecondIndex
from data.negative_audio import own_audio
from data.read import UNREADABLE, read_spectrogram
from data.transforms import load_frame, resize

CONTAINER_LIMIT = Path("/sys/fs/cgroup/memory.max")


class CachedSecond(NamedTuple):
    """A second as it is before all random changes."""

    spectrogram: torch.Tensor  # float32 [1, T, 64]
    frames: list[torch.Tensor]  # uint8 [3, side, side], in the order of the video


def read_seconds(seconds: SecondIndex, side: int, num_threads: int) -> list[CachedSecond]:
    """Read all seconds, with frames resized to squares; threads decode at the same time."""
    read = partial(_read_second, seconds, side)
    with ThreadPoolExecutor(max(1, num_threads)) as pool:
        found = pool.map(read, range(len(seconds)))
        return list(tqdm(found, total=len(seconds), desc="reading frames", unit="second", leave=False))


def _read_second(seconds: SecondIndex, side: int, index: int) -> CachedSecond:
    frames = [resize(load_frame(path), side) for path in seconds.frame_paths(index)]
    return CachedSecond(own_audio(seconds, index), frames)


def bytes_in_memory(seconds: SecondIndex, side: int) -> int:
    """Estimate the memory of `read_seconds`: every second is taken to be as large as the first one of its video."""
    total = 0
    for first, after in pairwise(map(int, seconds.first)):
        try:
            frames = 3 * side * side * len(seconds.frame_paths(first))
            spectrogram = read_spectrogram(seconds.spectrogram_path(first)).nbytes
        except (SampleError, *UNREADABLE):  # reading reports it
            continue
        total += (after - first) * (frames + spectrogram)
    return total


def memory_to_spend() -> int:
    """Return the bytes that this process may spend on caches: half of the free memory, divided among local processes.

    psutil knows the machine's memory only. Of a container, its own limit is read, if it is one of control groups of
    version 2; limits of a batch job on a shared machine are not seen (give ``--cache 0`` there).
    """
    free = [psutil.virtual_memory().available]
    if CONTAINER_LIMIT.exists() and (limit := CONTAINER_LIMIT.read_text().strip()) != "max":
        free.append(int(limit))
    return int(min(free) / 2 / int(os.environ.get("LOCAL_WORLD_SIZE", "1")))
