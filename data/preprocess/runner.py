"""Runs one function over many videos in worker processes: progress bar, failures by name, an exit status."""

import contextlib
import os
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tqdm import tqdm

from common.cli import INTERRUPTED
from common.errors import MediaError
from data.media.notes import collected_notes

CRASHED = "the process died over it: it is damaged (re-encode it), or memory ran out (use fewer --num_threads)"
AHEAD = 1  # jobs that a pool is given beyond its processes, so that none of these waits; each is a suspect more


@dataclass(frozen=True)
class VideoResult:
    """What became of one video: `failure` is the reason, None if it went well; `note` something to tell anyway."""

    name: str
    failure: str | None = None
    note: str | None = None


Job = tuple[str, tuple]  # NAME, arguments
# Calls a function for every job, NAME -> arguments, and yields the outcomes as they come.
Source = Callable[[Callable[..., None], dict[str, tuple]], Generator[VideoResult, None, None]]


def attempt(work: Callable[..., None], name: str, *args: object) -> VideoResult:
    """Call `work(*args)` and turn what is wrong with one video into its outcome, so that the others go on."""
    try:
        with collected_notes() as notes:
            work(*args)
        return VideoResult(name, note="; ".join(notes) or None)
    except MediaError as error:
        return VideoResult(name, failure=str(error))
    except OSError as error:
        where = f" {error.filename}" if error.filename else ""
        return VideoResult(name, failure=f"{error.strerror or error}{where}")
    except Exception as error:  # a trap nobody foresaw must not cost the other videos; it is listed and counted
        return VideoResult(name, failure=f"{type(error).__name__}: {error}")


@contextlib.contextmanager
def ended_like_ctrl_c() -> Iterator[None]:
    """As long as this lasts, a plain kill (SIGTERM) raises KeyboardInterrupt."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def map_videos(
    work: Callable[..., None], jobs: dict[str, tuple], source: Source, description: str
) -> list[VideoResult]:
    """Call `work(*arguments)` for every job, with a progress bar.

    Args:
        work: a function of a module; raises MediaError or OSError, and tells of what is not as bad by `data.media.notes`.
        jobs: NAME -> arguments.
        source: where that happens, `processes` or `data.preprocess.dask_executor`.
        description: what the progress bar says.

    Returns:
        One outcome a job, in the order of `jobs`.
    """
    outcomes: dict[str, VideoResult] = {}
    with (
        tqdm(total=len(jobs), desc=description, unit="video", disable=not jobs) as bar,
        contextlib.closing(source(work, jobs)) as found,
    ):
        for outcome in found:
            outcomes[outcome.name] = outcome
            bar.update()
    return [outcomes[name] for name in jobs]


def processes(num_threads: int) -> Source:
    """Has videos cut by so many processes on this machine."""
    return partial(_outcomes, num_threads)


def _outcomes(
    num_threads: int, work: Callable[..., None], jobs: dict[str, tuple]
) -> Generator[VideoResult, None, None]:
    """Outcomes as they come.

    A job that kills its process breaks the pool, and takes those with it that run beside it. So these are tried one by
    one, and then the rest goes on in a new pool.
    """
    call, left = partial(attempt, work), deque(jobs.items())
    while left:
        suspects = yield from _in_pool(call, left, num_threads)
        for job in suspects:
            died = yield from _in_pool(call, deque([job]), 1)
            if died:
                yield VideoResult(job[0], failure=CRASHED)


def _in_pool(
    call: Callable[..., VideoResult], left: deque[Job], num_threads: int
) -> Generator[VideoResult, None, list[Job]]:
    """Take jobs from `left` and yield their outcomes as they come, until none is left or one has killed its process.

    Returns:
        Jobs that were taken but have no outcome: one of them killed its process. Empty if all went well.
    """
    count = min(num_threads, len(left))
    pool = ProcessPoolExecutor(count, initializer=_leave_with_parent)
    begun: dict[Future, Job] = {}
    try:
        while left or begun:
            while left and len(begun) < count + AHEAD:
                future = pool.submit(call, left[0][0], *left[0][1])
                begun[future] = left.popleft()  # only now: a broken pool refuses jobs
            for future in wait(begun, return_when=FIRST_COMPLETED).done:
                outcome = future.result()
                del begun[future]
                yield outcome
    except BrokenProcessPool:
        pass
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
    for future in [future for future in begun if future.done() and future.exception() is None]:
        del begun[future]
        yield future.result()  # it had ended before the pool broke
    return list(begun.values())


def _leave_with_parent() -> None:
    """In a worker: end without a traceback on Ctrl-C, and do not outlive a killed parent."""
    signal.signal(signal.SIGINT, lambda *_: sys.exit(INTERRUPTED))
    signal.signal(signal.SIGTERM, signal.SIG_DFL)

    def watch() -> None:
        while os.getppid() == direct_parent:
            time.sleep(1)
        os._exit(1)

    direct_parent = os.getppid()
    threading.Thread(target=watch, daemon=True).start()


def report(outcomes: Iterable[VideoResult], done_before: int, verb: str, where: Path, next_step: str) -> int:
    """Print what was done, every failure with its reason, and what to run next.

    Returns:
        The exit status: 1 if any video failed.
    """
    outcomes = list(outcomes)
    failures = [outcome for outcome in outcomes if outcome.failure]
    for outcome in outcomes:
        if outcome.note:
            print(f"note: {outcome.name}: {outcome.note}")
    print(f"{len(outcomes) - len(failures)} {verb}, {done_before} there already, {len(failures)} failed.")
    if failures:
        print(f"{len(failures)} failed:", file=sys.stderr)
        for outcome in failures:
            print(f"  {outcome.name}: {outcome.failure}", file=sys.stderr)
    print(f"They are in {where}. Next: {next_step}")
    return 1 if failures else 0
