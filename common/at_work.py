"""Says who is at work in a folder, so that two programs never mix their results there."""

import contextlib
import fcntl
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from common.errors import UserError

NOTE = ".at_work"


@contextlib.contextmanager
def at_work(folder: Path) -> Iterator[None]:
    """Keep other processes from writing their results into a folder, which is made if need be.

    A lock of POSIX ends with its process, however that ends, and network file systems know it. Where one does not, or
    the folder cannot be written, nobody is kept out.

    Raises:
        UserError: another process is at work there.
    """
    note = None
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        note = _locked(folder / NOTE)
    try:
        yield
    finally:
        if note:
            with note, contextlib.suppress(OSError):
                os.unlink(note.name)


def _locked(path: Path) -> TextIO:
    """Return the file, locked and saying who we are."""
    while True:
        note = path.open("a+")
        try:
            fcntl.lockf(note, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError) as error:
            with note:
                note.seek(0)
                who = note.read().strip() or "another process"
            raise UserError(f"{path.parent} is in use by {who}: wait for its end, or stop it") from error
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(note.fileno()), path.stat()):
                break
        note.close()  # its last holder removed it in this moment
    who = f"process {os.getpid()} on {socket.gethostname()} since {time.strftime('%d %B, %H:%M')}"
    with contextlib.suppress(OSError):  # the disk is full
        note.truncate(0)
        os.write(note.fileno(), who.encode())
    return note
