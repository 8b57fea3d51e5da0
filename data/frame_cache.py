"""Keeps resized frames in memory that all worker processes share, so that each frame is decoded once."""

import mmap
import os
import shutil
import tempfile
from multiprocessing.reduction import DupFd
from pathlib import Path
from typing import IO

import numpy as np
import psutil
import torch
from PIL import Image

from common.errors import SampleError
from data.index import SecondIndex
from data.read import UNREADABLE
from data.transforms import resized_side

MOST_FRAMES = 4  # cached of a second: `cut_video.py` writes four by default
SHARED_MEMORY = Path("/dev/shm")  # often small in a container
CONTAINER_LIMIT = Path("/sys/fs/cgroup/memory.max")


class FrameCache:
    """A slot of memory for each of the first `MOST_FRAMES` frames of each second.

    The memory is an unnamed file that is mapped: the system gives it page by page as frames are put there, and takes it
    back when the last process ends. PyTorch's own shared memory would be reserved at once.

    Args:
        num_seconds: of the data set.
        slot: bytes of the largest frame that is kept.
    """

    def __init__(self, num_seconds: int, slot: int) -> None:
        self.slot = slot
        self.num_bytes = num_seconds * MOST_FRAMES * slot  # once all frames have been read
        self._shapes = torch.zeros(num_seconds, MOST_FRAMES, 2, dtype=torch.int32).share_memory_()  # 0: not yet there
        folder = SHARED_MEMORY if SHARED_MEMORY.is_dir() else None
        file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - stays open
        file.truncate(max(1, self.num_bytes))  # an empty file cannot be mapped
        self._map(file)

    def _map(self, file: IO[bytes]) -> None:
        self._file = file
        self._bytes = torch.frombuffer(mmap.mmap(file.fileno(), 0), dtype=torch.uint8)

    def __getstate__(self) -> dict[str, object]:
        shared = {key: value for key, value in vars(self).items() if key not in ("_bytes", "_file")}
        return shared | {"descriptor": DupFd(self._file.fileno())}

    def __setstate__(self, state: dict) -> None:
        descriptor = state.pop("descriptor")
        vars(self).update(state)
        self._map(os.fdopen(descriptor.detach(), "r+b"))

    def get(self, second: int, position: int) -> torch.Tensor | None:
        """Return a frame, uint8 [3, h, w], by its second's index and its position in the second; None if not cached."""
        if position >= MOST_FRAMES:
            return None
        height, width = self._shapes[second, position].tolist()
        return self._view(second, position, (3, height, width)) if height and width else None

    def put(self, second: int, position: int, frame: torch.Tensor) -> None:
        """Keep a frame if it fits into a slot. Two processes may put the same frame: both write the same."""
        if position < MOST_FRAMES and frame.numel() <= self.slot:
            self._view(second, position, tuple(frame.shape)).copy_(frame)
            self._shapes[second, position] = torch.tensor(frame.shape[1:], dtype=torch.int32)

    def _view(self, second: int, position: int, shape: tuple[int, ...]) -> torch.Tensor:
        start = (second * MOST_FRAMES + position) * self.slot
        return self._bytes[start : start + int(np.prod(shape))].view(shape)


def frame_cache(seconds: SecondIndex, image_size: int, augmentation: str | None, most_bytes: int) -> FrameCache | None:
    """Make a cache for the frames of `seconds` after `data.transforms.resize`; None if they exceed `most_bytes`."""
    if side := resized_side(image_size, augmentation):
        slot = 3 * side * side
    else:
        slot = max((_first_frame_bytes(seconds, int(first)) for first in seconds.first[:-1]), default=0)
    return FrameCache(len(seconds), slot) if len(seconds) * MOST_FRAMES * slot <= most_bytes else None


def _first_frame_bytes(seconds: SecondIndex, index: int) -> int:
    """Return the size of a second's first frame without decoding it; 0 if it cannot be read, as training reports."""
    try:
        with Image.open(seconds.frame_paths(index)[0]) as image:
            return 3 * image.width * image.height
    except (SampleError, *UNREADABLE):
        return 0


def memory_to_spend() -> int:
    """Return the bytes that this process may spend on caches: half of the free memory, divided among local processes.

    psutil knows the machine's memory only. Of a container, its own limit is read, if it is one of control groups of
    version 2; limits of a batch job on a shared machine are not seen (give ``--cache 0`` there).
    """
    free = [psutil.virtual_memory().available]
    if SHARED_MEMORY.is_dir():
        free.append(shutil.disk_usage(SHARED_MEMORY).free)
    if CONTAINER_LIMIT.exists() and (limit := CONTAINER_LIMIT.read_text().strip()) != "max":
        free.append(int(limit))
    return int(min(free) / 2 / int(os.environ.get("LOCAL_WORLD_SIZE", "1")))
