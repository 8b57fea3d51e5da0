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

from common.atomic import PARTIAL_SUFFIX
from common.errors import UserError
from data.preprocess import on_worker
from data.preprocess.on_worker import Place
from data.preprocess.runner import Source, VideoResult

CONNECT_SECONDS = 5
LOST = (OSError, asyncio.TimeoutError)  # what is said of a worker that leaves while it is asked
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
def dask_cluster(address: str, out: Path, work: Callable[..., None], await_worker: bool) -> Iterator[Source]:
    """Connect to a cluster, and yield what has it cut videos, once the workers that are there have shown that they can.

    Args:
        address: of the scheduler, ``tcp://HOST:PORT``.
        out: folder of the results, absolute; made if it is not there.
        work: cuts one video; what the workers must be able to import.
        await_worker: whether one must be there first, as before results are removed; else work awaits it.

    Raises:
        UserError: the scheduler cannot be reached, a worker cannot do the work, or `out` cannot be written.
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
        with _probe(out) as probe:
            _check_workers(client, address, Place(*_importable(work), probe), await_worker)
            yield partial(_outcomes, client, address, probe)
    finally:
        client.close()


def _outcomes(
    client: Client, address: str, probe: Path, work: Callable[..., None], jobs: dict[str, tuple]
) -> Generator[VideoResult, None, None]:
    """Outcomes as they come.

    A video that kills its worker is tried on others, and takes those with it that wait beside it. So what remains is
    then tried one by one.
    """
    cut = SentAsCode(partial(on_worker.cut_here, Place(*_importable(work), probe)))
    suspects = []
    for outcome in _in_cluster(client, address, cut, probe.parent, jobs):
        if outcome.failure == KILLED:
            suspects.append(outcome.name)
        else:
            yield outcome
    for name in suspects:
        yield from _in_cluster(client, address, cut, probe.parent, {name: jobs[name]})


def _in_cluster(
    client: Client, address: str, cut: SentAsCode, out: Path, jobs: dict[str, tuple]
) -> Generator[VideoResult, None, None]:
    folders = [out / name for name in jobs]
    futures = dict(zip(client.map(cut, folders, list(jobs), list(jobs.values()), pure=False), jobs, strict=True))
    try:
        for future in as_completed(list(futures), loop=client.loop):
            yield _outcome(futures.pop(future), future, address)
            future.release()  # else what the worker holds would be done again when it dies
    finally:
        if futures:
            client.cancel(list(futures), force=True)


def _outcome(name: str, future: Future, address: str) -> VideoResult:
    try:
        failure, note = future.result()
        return VideoResult(name, failure, note)
    except KilledWorker:
        return VideoResult(name, failure=KILLED)
    except (CancelledError, asyncio.CancelledError) as error:
        raise _gone(address) from error
    except Exception as error:  # what went wrong on the worker's side must not cost the other videos
        return VideoResult(name, failure=f"{type(error).__name__}: {error}")


def _gone(address: str) -> UserError:
    return UserError(
        f"the scheduler at {address} is gone, or cancelled the work; finished videos are kept, run it again"
    )


def _importable(work: Callable[..., None]) -> tuple[Path, str, str]:
    """Repository, module and name of a function, also if its module is the program that runs."""
    root = Path(__file__).resolve().parents[2]
    file = Path(sys.modules[work.__module__].__file__ or "").resolve()
    return root, ".".join(file.relative_to(root).with_suffix("").parts), work.__name__


@contextlib.contextmanager
def _probe(folder: Path) -> Iterator[Path]:
    """A file in the folder, which is made if it is not there, for as long as this lasts."""
    probe = folder / f".dask.{socket.gethostname()}-{os.getpid()}{PARTIAL_SUFFIX}"  # cleared if we are killed
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.touch()
    except OSError as error:
        raise UserError(f"cannot write into {folder} ({error.strerror}): make it writable") from error
    try:
        yield probe
    finally:
        probe.unlink(missing_ok=True)


def _check_workers(client: Client, address: str, place: Place, await_worker: bool) -> None:
    """Raise UserError if one of the workers cannot do the work; those that come later say so for each video."""
    check = SentAsCode(partial(on_worker.problem_here, place))
    if not client.nthreads():
        print(f"no worker is at {address} yet, waiting; start one with dask worker {address}", file=sys.stderr)
        if not await_worker:
            return
        _await_worker(client, address, check)
    threads = client.nthreads()
    print(f"{len(threads)} workers at {address}, together {sum(threads.values())} videos at a time")
    for worker, answer in client.run(check, on_error="return").items():
        if isinstance(answer, Exception) and not isinstance(answer, LOST):
            answer = f"it cannot take the work ({answer}): workers need the Python and the packages of this machine"
        if isinstance(answer, str):
            raise UserError(f"the worker {worker} cannot help: {answer}")


def _await_worker(client: Client, address: str, check: SentAsCode) -> None:
    """Return once a worker has done the check: given as work, it also makes a cluster grow that grows with its work."""
    answer = client.submit(check, pure=False)
    answer.exception()  # once it is there
    if answer.cancelled():
        raise _gone(address)
