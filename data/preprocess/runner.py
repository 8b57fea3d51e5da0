"""Runs one function over many videos in worker processes: a progress bar, failures by name, an exit status."""

import contextlib
import os
import signal
import sys
from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import CancelledError, Executor, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

from tqdm import tqdm

from common.errors import MediaError
from common.exit_status import INTERRUPTED, end_with_parent
from data.media.notes import collected_notes

CRASHED = "the process died over it: it is damaged (re-encode it), or memory ran out (use fewer --num_threads)"

Work = Callable[..., None]  # raises MediaError or OSError, and reports lesser problems by `data.media.notes`
Jobs = dict[str, tuple]  # NAME -> arguments
Job = tuple[str, tuple]


@dataclass(frozen=True)
class VideoResult:
    """The result of one video: `failure` is the reason if it failed, `note` is worth telling anyway."""

    name: str
    failure: str | None = None
    note: str | None = None


@dataclass(frozen=True)
class Cut:
    """The results of all videos of one kind."""

    out: Path
    results: list[VideoResult]
    finished_before: int  # videos that needed no work


@dataclass(frozen=True)
class Workers:
    """Worker processes, of this machine or of a cluster."""

    open_executor: Callable[[int], Executor]  # with the given number of processes
    count: int  # processes, at most
    death: type[Exception]  # of a job whose process died
    crashed: str  # failure of a job that killed its process


def local_workers(num_threads: int) -> Workers:
    """Return workers that are processes of this machine."""
    return Workers(open_pool, num_threads, BrokenProcessPool, CRASHED)


def open_pool(processes: int) -> ProcessPoolExecutor:
    """Return worker processes that end silently on Ctrl-C, and if their parent was killed."""
    return ProcessPoolExecutor(processes, initializer=_begin_worker)


def _begin_worker() -> None:
    signal.signal(signal.SIGINT, lambda *_: os._exit(INTERRUPTED))  # of an exception in here, a pool prints a traceback
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    end_with_parent(os.getppid())
    signal.signal(signal.SIGINT, lambda *_: sys.exit(INTERRUPTED))  # which removes unfinished files


def map_videos(work: Work, jobs: Jobs, workers: Workers, description: str) -> list[VideoResult]:
    """Call `work(*arguments)` for every job, with a progress bar; return the results in the same order."""
    with contextlib.closing(iterate_results(work, jobs, workers)) as found:
        bar = tqdm(found, total=len(jobs), desc=description, unit="video", disable=not jobs)
        results = {result.name: result for result in bar}
    return [results[name] for name in jobs]


def iterate_results(work: Work, jobs: Jobs, workers: Workers) -> Generator[VideoResult, None, None]:
    """Yield results as they come.

    A job that kills its process takes those beside it along. All of them are suspects, which are retried one by one.
    """
    left = deque(jobs.items())
    while left:
        suspects = yield from _run_until_death(work, left, workers)
        for job in suspects:
            died = yield from _run_until_death(work, deque([job]), workers)
            if died:
                yield VideoResult(job[0], failure=workers.crashed)


def _run_until_death(work: Work, left: deque[Job], workers: Workers) -> Generator[VideoResult, None, list[Job]]:
    """Take jobs from `left` until it is empty or a process died; return the jobs that got no result by that."""
    count = min(workers.count, len(left))
    running: dict[Future, Job] = {}
    suspects: list[Job] = []
    done: SimpleQueue[Future] = SimpleQueue()
    with workers.open_executor(count) as executor:
        while True:
            with contextlib.suppress(workers.death):  # a broken pool takes no jobs
                while left and not suspects and len(running) < count:
                    future = executor.submit(run_one, work, left[0][0], *left[0][1])
                    running[future] = left.popleft()
                    future.add_done_callback(done.put)
            if not running:
                return suspects
            future = done.get()
            job = running.pop(future)
            try:
                result = future.result()
            except workers.death:
                suspects.append(job)
                continue
            except CancelledError:
                raise
            except Exception as error:  # the job did not reach `run_one`, or its result did not come back
                result = _failed(job[0], error)
            del future  # a cluster would repeat the job if its worker died while we hold the result
            yield result


def run_one(work: Work, name: str, *args: object) -> VideoResult:
    """Call `work(*args)` and turn an exception into a result, so that the other videos go on."""
    try:
        with collected_notes() as notes:
            work(*args)
        return VideoResult(name, note="; ".join(notes) or None)
    except MediaError as error:
        return VideoResult(name, failure=str(error))
    except OSError as error:
        where = f" {error.filename}" if error.filename else ""
        return VideoResult(name, failure=f"{error.strerror or error}{where}")
    except Exception as error:
        return _failed(name, error)


def _failed(name: str, error: Exception) -> VideoResult:
    return VideoResult(name, failure=f"{type(error).__name__}: {error}")


def report(cuts: Sequence[Cut], next_step: str) -> int:
    """Print the counts, the notes, every failure with its reason, and the next command; return the exit status."""
    for cut in cuts:
        failures = [result for result in cut.results if result.failure]
        for result in cut.results:
            if result.note:
                print(f"note: {result.name}: {result.note}")
        counts = f"{len(cut.results) - len(failures)} cut, {cut.finished_before} there already, {len(failures)} failed"
        print(f"{counts}. They are in {cut.out}.", flush=True)
        if failures:
            print(f"{len(failures)} failed:", file=sys.stderr)
            for result in failures:
                print(f"  {result.name}: {result.failure}", file=sys.stderr, flush=True)
    print(f"Next: {next_step}")
    return int(any(result.failure for cut in cuts for result in cut.results))
