"""Keeps the seconds of a list in memory, read once: their spectrograms, and their frames after resizing."""

import os
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import psutil
import torch
from PIL import Image
from tqdm import tqdm

from common.errors import SampleError
from data.index import SecondIndex
from data.negative_audio import own_audio
from data.read import UNREADABLE, read_spectrogram
from data.transforms import load_frame, resize, resized_side

CONTAINER_LIMIT = Path("/sys/fs/cgroup/memory.max")


class CachedSecond(NamedTuple):
    """A second as it is before all random changes."""

    spectrogram: torch.Tensor  # float32 [1, T, 64]
    frames: list[torch.Tensor]  # uint8 [3, h, w], in the order of the video


def read_seconds(
    seconds: SecondIndex, image_size: int, augmentation: str | None, num_threads: int
) -> list[CachedSecond]:
    """Read all seconds, with frames after `data.transforms.resize`; threads decode at the same time."""
    read = partial(_read_second, seconds, image_size, augmentation)
    with ThreadPoolExecutor(max(1, num_threads)) as pool:
        found = pool.map(read, range(len(seconds)))
        return list(tqdm(found, total=len(seconds), desc="reading frames", unit="second", leave=False))


def _read_second(seconds: SecondIndex, image_size: int, augmentation: str | None, index: int) -> CachedSecond:
    frames = [resize(load_frame(path), image_size, augmentation) for path in seconds.frame_paths(index)]
    return CachedSecond(own_audio(seconds, index), frames)


def bytes_in_memory(seconds: SecondIndex, image_size: int, augmentation: str | None) -> int:
    """Estimate the memory of `read_seconds`: every second is taken to be as large as the first one of its video."""
    side = resized_side(image_size, augmentation)
    total = 0
    for first, after in pairwise(map(int, seconds.first)):
        try:
            paths = seconds.frame_paths(first)
            frame = 3 * side * side if side else _frame_bytes(paths[0])
            spectrogram = read_spectrogram(seconds.spectrogram_path(first)).nbytes
        except (SampleError, *UNREADABLE):  # reading reports it
            continue
        total += (after - first) * (len(paths) * frame + spectrogram)
    return total


def _frame_bytes(path: Path) -> int:
    """Return the size of a frame without decoding it."""
    with Image.open(path) as image:
        return 3 * image.width * image.height


def memory_to_spend() -> int:
    """Return the bytes that this process may spend on caches: half of the free memory, divided among local processes.

    psutil knows the machine's memory only. Of a container, its own limit is read, if it is one of control groups of
    version 2; limits of a batch job on a shared machine are not seen (give ``--cache 0`` there).
    """
    free = [psutil.virtual_memory().available]
    if CONTAINER_LIMIT.exists() and (limit := CONTAINER_LIMIT.read_text().strip()) != "max":
        free.append(int(limit))
    return int(min(free) / 2 / int(os.environ.get("LOCAL_WORLD_SIZE", "1")))
