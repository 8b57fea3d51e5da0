"""How long things take beside one another: in turns, so that what slows the machine for a while slows all of them."""

import time
from collections.abc import Callable, Mapping
from statistics import median

from tqdm import tqdm


def interleaved(
    works: Mapping[str, Callable[[], object]],
    repeats: int,
    warm_ups: int = 0,
    before: Callable[[str], object] | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, list[float]]:
    """Time several works in turns, with a progress bar.

    The turns are a b c, then b c a, then c a b, ..., so that none always follows the same one.

    Args:
        works: name -> what to time; on a GPU it has to wait for its own result.
        repeats: timed rounds.
        warm_ups: rounds before them that are not timed, for files to be cached and kernels to be chosen.
        before: called with the name before each run, not timed: clears what the last one left.
        clock: tells the time in seconds.

    Returns:
        Seconds of each run by name, in the order of `works`.
    """
    seconds: dict[str, list[float]] = {name: [] for name in works}
    names = list(works)
    with tqdm(total=(warm_ups + repeats) * len(names), unit="run", disable=not names) as bar:
        for round_number in range(warm_ups + repeats):
            turn = round_number % len(names) if names else 0
            for name in names[turn:] + names[:turn]:
                bar.set_description(name)  # not timed
                if before:
                    before(name)
                start = clock()
                works[name]()
                if round_number >= warm_ups:
                    seconds[name].append(clock() - start)
                bar.update()
    return seconds


def medians(seconds: Mapping[str, list[float]]) -> dict[str, float]:
    """Median of the runs by name."""
    return {name: median(runs) for name, runs in seconds.items()}
