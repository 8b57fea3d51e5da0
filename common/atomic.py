"""Files and folders that appear whole or not at all: written beside, then renamed."""

import contextlib
import glob
import os
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

PARTIAL_SUFFIX = ".partial"
MKDIR_CHANCES = 10
PARTIAL_FOLDER = ".partial"  # where unfinished folders lie, so that they never look like finished ones


@contextlib.contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on success it takes `path`'s place, on an exception it is removed.

    The data is on the disk before the rename, so that a power cut cannot leave an empty file under the final name.
    """
    path = Path(path)
    start = path.name.encode(errors="ignore")[:150].decode(errors="ignore")  # file systems count 255 bytes, not letters
    partial = path.with_name(f".{start}.{_process()}{PARTIAL_SUFFIX}")
    try:
        yield partial
        with partial.open("rb") as file:
            os.fsync(file.fileno())
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


@contextlib.contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Yield an empty temporary folder; on success it takes `path`'s place, on an exception it is removed.

    An existing `path` is replaced. Each process has its own temporary folders, so that one that outlives a killed run
    does not write into those of the next.
    """
    path = Path(path)
    partial = path.parent / PARTIAL_FOLDER / _process() / path.name
    _make_empty(partial)
    try:
        yield partial
        if path.exists():
            shutil.rmtree(path)
        os.replace(partial, path)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
        with contextlib.suppress(OSError):  # others are still at work in there
            partial.parent.rmdir()
            partial.parent.parent.rmdir()


def _make_empty(folder: Path) -> None:
    for chance in range(MKDIR_CHANCES):
        shutil.rmtree(folder, ignore_errors=True)
        try:
            folder.mkdir(parents=True)
            return
        except FileNotFoundError:  # another process, or machine, has just tidied away the folder around it
            if chance == MKDIR_CHANCES - 1:
                raise


def clear_partial(folder: Path) -> None:
    """Remove the temporary files and folders in `folder` that killed processes of this machine left behind."""
    host = glob.escape(socket.gethostname())
    folders = (Path(folder) / PARTIAL_FOLDER).glob(f"{host}-*")
    for leftover in (*folders, *Path(folder).glob(f".*.{host}-*{PARTIAL_SUFFIX}")):
        pid = leftover.name.removesuffix(PARTIAL_SUFFIX).rpartition("-")[2]
        if pid.isdigit() and not _is_running(int(pid)):
            if leftover.is_dir():
                shutil.rmtree(leftover, ignore_errors=True)
            else:
                leftover.unlink(missing_ok=True)


def _process() -> str:
    """What tells this process from all others that may write into the same folder, also from other machines."""
    return f"{socket.gethostname()}-{os.getpid()}"


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
