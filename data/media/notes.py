"""Notes on media files that are usable but not perfect, collected per thread.

`warnings.catch_warnings` is shared by all threads, and a Dask worker processes a video in each of its threads.
"""

import contextlib
import warnings
from collections.abc import Iterator
from contextvars import ContextVar

from common.errors import MediaWarning

_collected: ContextVar[list[str] | None] = ContextVar("collected", default=None)


def note(text: str) -> None:
    """Add a note to those of `collected_notes`; outside of it, issue a MediaWarning."""
    notes = _collected.get()
    if notes is None:
        warnings.warn(text, MediaWarning, stacklevel=3)
    elif text not in notes:
        notes.append(text)


@contextlib.contextmanager
def collected_notes() -> Iterator[list[str]]:
    """Yield a list that receives this thread's notes, each text once."""
    notes: list[str] = []
    token = _collected.set(notes)
    try:
        yield notes
    finally:
        _collected.reset(token)
