"""Notes on media files belong to the thread that made them."""

import threading
import warnings

import pytest

from common.errors import MediaWarning
from data.media.notes import collected_notes, note


def test_notes_of_threads_do_not_mix_and_repeat():
    both = threading.Barrier(2, timeout=10)
    found = {}

    def work(name: str) -> None:
        with collected_notes() as notes:
            both.wait()
            note(f"of {name}")
            note(f"of {name}")
            both.wait()
        found[name] = notes

    threads = [threading.Thread(target=work, args=(name,)) for name in ("one", "other")]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert found == {"one": ["of one"], "other": ["of other"]}


def test_a_note_that_nobody_collects_is_a_warning():
    with pytest.warns(MediaWarning, match="outside"):
        note("outside")
