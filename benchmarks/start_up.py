"""Runs `location_dmc.py` until a few steps of its first epoch are done, and prints what they cost as JSON.

    python3 benchmarks/start_up.py BEGAN STEPS OPTION...

BEGAN is the Unix time at which this was started, STEPS how many steps to time, the rest goes to `location_dmc.py`,
whose own code runs, unchanged; only the loader of its first epoch ends early.
"""

import functools
import inspect
import json
import multiprocessing
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

if not __package__:  # run by path: imports start at the repository root
    sys.path[0] = str(Path(__file__).resolve().parents[1])

import itertools

import location_dmc
from benchmarks.peak_memory import peak_of_process

WARM_UP = 2  # steps that are not timed: memory is allocated, kernels are chosen


class EnoughError(Exception):
    """All steps are done."""


class FirstBatches:
    """A loader that ends the run after some batches.

    Attributes:
        times: Unix time at which each batch was there.
        memory_at_first: most bytes in memory until the first one was there.
    """

    def __init__(self, loader: Any, count: int) -> None:  # noqa: ANN401
        self.loader, self.count = loader, count
        self.times: list[float] = []
        self.memory_at_first = 0

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        return getattr(self.loader, name)

    def __len__(self) -> int:
        return len(self.loader)

    def __iter__(self) -> Iterator[Any]:
        for batch in self.loader:
            self.times.append(time.time())
            self.memory_at_first = self.memory_at_first or peak_of_process()
            if len(self.times) > self.count:
                raise EnoughError
            yield batch
        self.times.append(time.time())  # the epoch has no more
        raise EnoughError


def first_batches_of(train_epoch: Callable, count: int, found: list[FirstBatches]) -> Callable:
    """`train_epoch` with a loader that ends early, which is appended to `found`."""
    signature = inspect.signature(train_epoch)

    @functools.wraps(train_epoch)
    def shortened(*args: object, **kwargs: object) -> object:
        """Train on the first batches."""
        bound = signature.bind(*args, **kwargs)
        bound.arguments["loader"] = FirstBatches(bound.arguments["loader"], count)
        found.append(bound.arguments["loader"])
        return train_epoch(*bound.args, **bound.kwargs)

    return shortened


def memory_of_all() -> int | None:
    """Bytes that this process and those that load data have in memory now, what they share once; None but on Linux."""
    rollups = [
        Path(f"/proc/{pid}/smaps_rollup") for pid in ("self", *(p.pid for p in multiprocessing.active_children()))
    ]
    if not rollups[0].exists():
        return None
    lines = [line.split() for rollup in rollups for line in rollup.read_text().splitlines()]
    return sum(int(words[1]) * 1024 for words in lines if words[0] == "Pss:")


def main(argv: Sequence[str]) -> int:
    """Run; returns the exit status."""
    began, steps, *options = argv
    found: list[FirstBatches] = []
    location_dmc.train_epoch = first_batches_of(location_dmc.train_epoch, int(steps) + WARM_UP, found)
    try:
        return location_dmc.main(options) or 1  # it has ended without an epoch
    except EnoughError:
        times = found[0].times
    figures = {
        "start_up": times[0] - float(began),
        "steps": [later - earlier for earlier, later in itertools.pairwise(times)][WARM_UP:],
        "steps_an_epoch": len(found[0]),
        "start_up_memory": found[0].memory_at_first,
        "peak_memory": peak_of_process(),
        "memory_of_all": memory_of_all(),
    }
    print(json.dumps(figures))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
