"""What a user may want to know about a media file that could be used anyway, collected for each thread by itself.

Python's own way to catch warnings is one for all threads, but a Dask worker cuts a video in each of its threads.
"""

import contextlib
import warnings
from collections.abc import Iterator
from contextvars import ContextVar

from common.errors import MediaWarning

_collecting: ContextVar[list[str] | None] = ContextVar("collecting", default=None)


def note(text: str) -> None:
    """Tell something about the media file at hand: within `collected_notes` to that, else by a MediaWarning."""
    collecting = _collecting.get()
    if collecting is None:
        warnings.warn(text, MediaWarning, stacklevel=3)
    elif text not in collecting:
        collecting.append(text)


@contextlib.contextmanager
def collected_notes() -> Iterator[list[str]]:
    """Yield a list which fills with this thread's notes, each text once."""
    notes: list[str] = []
    token = _collecting.set(notes)
    try:
        yield notes
    finally:
        _collecting.reset(token)
