"""Writes files and folders that appear complete or not at all: under a temporary name, which is then renamed."""

import contextlib
import errno
import os
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import psutil

PARTIAL_SUFFIX = ".partial"


@contextlib.contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`. On success it replaces `path`, on an exception it is removed.

    The data is on the disk before the rename, so that a power cut cannot leave an empty file under the final name.
    """
    path = Path(path)
    partial = _partial_path(path)
    try:
        yield partial
        with partial.open("rb") as file:
            os.fsync(file.fileno())
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


@contextlib.contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Yield an empty temporary folder beside `path`. On success it replaces `path`, on an exception it is removed."""
    path = Path(path)
    partial = _partial_path(path)
    shutil.rmtree(partial, ignore_errors=True)
    try:
        partial.mkdir(parents=True)
        yield partial
        if path.exists():
            shutil.rmtree(path)
        os.replace(partial, path)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def clear_partial(folder: Path) -> None:
    """Remove the temporary files and folders in `folder` that killed processes of this machine left behind."""
    for leftover in Path(folder).glob(f".*{PARTIAL_SUFFIX}"):
        start, _, pid = leftover.name.removesuffix(PARTIAL_SUFFIX).rpartition("-")
        if not start.endswith(f".{socket.gethostname()}") or not pid.isdigit() or psutil.pid_exists(int(pid)):
            continue
        if leftover.is_dir():
            shutil.rmtree(leftover, ignore_errors=True)
        else:
            leftover.unlink(missing_ok=True)


def _partial_path(path: Path) -> Path:
    """Return a hidden name beside `path` that no other process uses, on this machine or another one."""
    start = path.name.encode(errors="ignore")[:150].decode(errors="ignore")  # file systems limit names to 255 bytes
    return path.with_name(f".{start}.{socket.gethostname()}-{os.getpid()}{PARTIAL_SUFFIX}")


def require_writable(path: Path) -> None:
    """Make the folder of a result, and raise OSError now if it cannot be written later."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not os.access(path.parent, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path.parent))
