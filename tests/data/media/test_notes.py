"""Notes on media files belong to the thread that made them."""

import threading
import warnings
from concurrent.futures import ThreadPoolExecutor

from data.media.notes import collected_notes, note


def test_notes_of_threads_do_not_mix_and_repeat():
    both = threading.Barrier(2, timeout=10)

    def work(name: str) -> list[str]:
        with collected_notes() as notes:
            both.wait()
            note(f"of {name}")
            note(f"of {name}")
            both.wait()
        return notes

    with ThreadPoolExecutor(2) as pool, warnings.catch_warnings():
        warnings.simplefilter("error")
        assert [*pool.map(work, ("one", "other"))] == [["of one"], ["of other"]]
