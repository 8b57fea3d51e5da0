"""Runs one function over many videos on a Dask cluster; its workers see the same files as this machine."""

import asyncio
import contextlib
import os
import socket
import sys
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import CancelledError
from functools import partial
from pathlib import Path

import cloudpickle
from distributed import Client, Future, KilledWorker, as_completed

from data import on_worker
from data.errors import UserError
from data.on_worker import Place
from data.run_over_videos import Outcome, Source
from data.whole_files import PARTIAL_SUFFIX

CONNECT_SECONDS = 5
KILLED = (
    "KilledWorker: the worker processes died over it: it is damaged (re-encode it), or memory ran out (dask worker "
    "--memory-limit)"
)


class SentAsCode:
    """A function that is pickled with its code and that of its module, not as a name to be imported from there."""

    def __init__(self, function: Callable) -> None:
        self.function = function

    def __call__(self, *arguments: object) -> object:
        """Call the function."""
        return self.function(*arguments)

    def __reduce__(self) -> tuple[Callable, tuple[bytes]]:
        cloudpickle.register_pickle_by_value(on_worker)
        try:
            return cloudpickle.loads, (cloudpickle.dumps(self.function),)
        finally:
            cloudpickle.unregister_pickle_by_value(on_worker)


@contextlib.contextmanager
def dask_cluster(address: str, out: Path) -> Iterator[Source]:
    """Connect to a cluster, and yield what has it cut videos.

    Args:
        address: of the scheduler, ``tcp://HOST:PORT``.
        out: folder of the results, absolute.

    Raises:
        UserError: the scheduler cannot be reached.
    """
    try:
        client = Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError, asyncio.TimeoutError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(
            f"--dask {address}: no scheduler answers there ({reason}); start one with dask scheduler, which prints "
            "its address"
        ) from error
    try:
        yield partial(_outcomes, client, address, out)
    finally:
        client.close()


def _outcomes(
    client: Client, address: str, out: Path, work: Callable[..., None], jobs: dict
) -> Generator[Outcome, None, None]:
    """Outcomes as they come.

    A video that kills its worker is tried on others, and takes those with it that wait beside it. So what remains is
    then tried one by one.
    """
    with _probe(out) as probe:
        place = Place(*_importable(work), probe)
        _check_workers(client, address, place)
        cut = SentAsCode(partial(on_worker.cut_here, place))
        suspects = []
        for outcome in _in_cluster(client, address, cut, out, jobs):
            if outcome.failure == KILLED:
                suspects.append(outcome.name)
            else:
                yield outcome
        for name in suspects:
            yield from _in_cluster(client, address, cut, out, {name: jobs[name]})


def _in_cluster(
    client: Client, address: str, cut: SentAsCode, out: Path, jobs: dict[str, tuple]
) -> Generator[Outcome, None, None]:
    folders = [out / name for name in jobs]
    futures = dict(zip(client.map(cut, folders, list(jobs), list(jobs.values()), pure=False), jobs, strict=True))
    try:
        for future in as_completed(list(futures), loop=client.loop):
            yield _outcome(futures.pop(future), future, address)
            future.release()  # else what the worker holds would be done again when it dies
    finally:
        if futures:
            client.cancel(list(futures), force=True)


def _outcome(name: str, future: Future, address: str) -> Outcome:
    try:
        failure, note = future.result()
        return Outcome(name, failure, note)
    except KilledWorker:
        return Outcome(name, failure=KILLED)
    except (CancelledError, asyncio.CancelledError) as error:
        raise UserError(
            f"the scheduler at {address} is gone, or cancelled the work; finished videos are kept, run it again"
        ) from error
    except Exception as error:  # what went wrong on the worker's side must not cost the other videos
        return Outcome(name, failure=f"{type(error).__name__}: {error}")


def _importable(work: Callable[..., None]) -> tuple[Path, str, str]:
    """Repository, module and name of a function, also if its module is the program that runs."""
    root = Path(__file__).resolve().parents[1]
    file = Path(sys.modules[work.__module__].__file__ or "").resolve()
    return root, ".".join(file.relative_to(root).with_suffix("").parts), work.__name__


@contextlib.contextmanager
def _probe(folder: Path) -> Iterator[Path]:
    """A file in the folder for as long as this lasts."""
    probe = folder / f".dask.{socket.gethostname()}-{os.getpid()}{PARTIAL_SUFFIX}"  # cleared if we are killed
    try:
        probe.touch()
    except OSError as error:
        raise UserError(f"cannot write into {folder} ({error.strerror}): make it writable") from error
    try:
        yield probe
    finally:
        probe.unlink(missing_ok=True)


def _check_workers(client: Client, address: str, place: Place) -> None:
    """Raise UserError if one of the workers cannot do the work; those that come later say so for each video."""
    threads = client.nthreads()
    if not threads:
        print(f"no worker is at {address} yet, waiting; start one with dask worker {address}", file=sys.stderr)
        return
    print(f"{len(threads)} workers at {address}, together {sum(threads.values())} videos at a time")
    answers = client.run(SentAsCode(partial(on_worker.problem_here, place)), on_error="return")
    for worker, problem in answers.items():
        if isinstance(problem, str):
            raise UserError(f"the worker {worker} cannot help: {problem}")
