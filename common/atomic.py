"""Writes files and folders that appear complete or not at all: under a temporary name, which is then renamed."""

import contextlib
import errno
import functools
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
    with atomic_files(path) as (partial,):
        yield partial


@contextlib.contextmanager
def atomic_files(*paths: Path) -> Iterator[list[Path]]:
    """`atomic_file` for files that belong together: after a kill some may be missing, but old and new never mix."""
    paths = [Path(path) for path in paths]
    partials = [_partial_path(path) for path in paths]
    try:
        with _naming(paths[0], partials[0]):
            yield partials
            for partial in partials:
                with partial.open("rb") as file:
                    os.fsync(file.fileno())
            for path in paths[1:]:
                path.unlink(missing_ok=True)
            for partial, path in zip(partials, paths, strict=True):
                os.replace(partial, path)
    finally:
        for partial in partials:
            partial.unlink(missing_ok=True)


@contextlib.contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Yield an empty temporary folder beside `path`. On success it replaces `path`, on an exception it is removed."""
    path = Path(path)
    partial = _partial_path(path)
    shutil.rmtree(partial, ignore_errors=True)
    try:
        with _naming(path, partial):
            partial.mkdir(parents=True)
            yield partial
            remove_folder(path)
            os.replace(partial, path)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def remove_folder(path: Path) -> None:
    """Remove a folder, if it is there, so that a kill leaves all of it or nothing under its name."""
    partial = _partial_path(path.with_name(f"removed.{path.name}"))
    with contextlib.suppress(FileNotFoundError):
        os.replace(path, partial)
    shutil.rmtree(partial, ignore_errors=True)


@contextlib.contextmanager
def _naming(path: Path, partial: Path) -> Iterator[None]:
    """Let an error name the file that was to be written: that of a full disk names none, others the temporary one."""
    try:
        yield
    except OSError as error:
        named = path if error.filename is None else str(error.filename).replace(str(partial), str(path))
        error.filename = str(named)
        raise


def _partial_path(path: Path) -> Path:
    """Return a hidden name beside `path` that no other process uses, on this machine or another one."""
    _clear_once(path.parent, os.getpid())
    start = path.name.encode(errors="ignore")[:150].decode(errors="ignore")  # file systems limit names to 255 bytes
    return path.with_name(f".{start}.{socket.gethostname()}-{os.getpid()}{PARTIAL_SUFFIX}")


@functools.cache  # a process lists a folder once, however many files it writes there
def _clear_once(folder: Path, pid: int) -> None:
    """Remove the temporary files and folders in `folder` that killed processes of this machine left behind."""
    for leftover in folder.glob(f".*{PARTIAL_SUFFIX}"):
        start, _, pid_text = leftover.name.removesuffix(PARTIAL_SUFFIX).rpartition("-")
        if not start.endswith(f".{socket.gethostname()}") or not pid_text.isdigit() or _is_alive(int(pid_text)):
            continue
        if leftover.is_dir():
            shutil.rmtree(leftover, ignore_errors=True)
        else:
            leftover.unlink(missing_ok=True)


def _is_alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE  # it has ended, though nobody asked for its status
    except psutil.NoSuchProcess:
        return False


def require_writable(path: Path) -> None:
    """Make the folder of a result, and raise OSError now if it cannot be written later."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not os.access(path.parent, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path.parent))
