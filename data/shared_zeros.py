"""Memory that processes share, taken from the machine only where it is written to."""

import mmap
import os
import tempfile
from multiprocessing.reduction import DupFd
from typing import IO

import torch

from data.memory import SHARED_MEMORY


class SharedZeros:
    """Zeros that a process shares with those that it starts, forked or not.

    What PyTorch makes to be shared is written to or reserved at once: a large cache would take long to make, and all
    its memory before anything is in it. Here a file without a name is mapped, which the system drops with its last
    process.

    Args:
        size: in bytes.

    Attributes:
        bytes: uint8 [size].
    """

    def __init__(self, size: int) -> None:
        file = tempfile.TemporaryFile(dir=SHARED_MEMORY if SHARED_MEMORY.is_dir() else None)  # noqa: SIM115 - kept open
        file.truncate(max(1, size))  # no empty file can be mapped
        self._map(file, size)

    def _map(self, file: IO[bytes], size: int) -> None:
        self._file = file
        self.bytes = torch.frombuffer(mmap.mmap(file.fileno(), max(1, size)), dtype=torch.uint8)[:size]

    def __getstate__(self) -> tuple[object, int]:
        return DupFd(self._file.fileno()), len(self.bytes)  # as a process that is being started can have it

    def __setstate__(self, state: tuple[object, int]) -> None:
        descriptor, size = state
        self._map(os.fdopen(descriptor.detach(), "r+b"), size)
