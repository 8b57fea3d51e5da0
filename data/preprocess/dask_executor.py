"""Runs jobs on a Dask cluster. Its workers need the same files as this machine, on a shared file system."""

import asyncio
import contextlib
import os
import pickle
import socket
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Executor, Future
from pathlib import Path

from distributed import Client, KilledWorker

from common.errors import UserError, first_line
from data.preprocess.runner import Workers

ROOT = Path(__file__).resolve().parents[2]
CONNECT_SECONDS = 5
KILLED = (
    "KilledWorker: the worker processes died over it: it is damaged (re-encode it), or memory ran out (dask worker "
    "--memory-limit)"
)


@contextlib.contextmanager
def dask_workers(address: str, out: Path) -> Iterator[Workers]:
    """Connect to a scheduler and yield its workers, which must see the folder of the results, `out`."""
    try:
        client = Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError, asyncio.TimeoutError) as error:
        raise UserError(
            f"--dask {address}: no scheduler answers there ({first_line(error)}); start one with dask scheduler, which "
            "prints its address"
        ) from error
    with client:
        if threads := client.nthreads():
            print(f"{len(threads)} workers at {address}, together {sum(threads.values())} videos at a time")
        else:
            print(f"no worker is at {address} yet, waiting; start one with dask worker {address}", file=sys.stderr)
        try:
            yield Workers(lambda _: DaskExecutor(client, out), sys.maxsize, KilledWorker, KILLED)
        except CancelledError as error:
            raise UserError(
                f"the scheduler at {address} is gone, or cancelled the work; finished videos are kept, run it again"
            ) from error


class DaskExecutor(Executor):
    """The executor of a Dask client, for functions of this repository."""

    def __init__(self, client: Client, out: Path) -> None:
        self._executor = client.get_executor(pure=False)
        self._call = _call_on_worker(str(ROOT), str(out))

    def submit(self, function: Callable, /, *args: object) -> Future:
        """Have a worker call `function(*args)`."""
        return self._executor.submit(self._call, pickle.dumps((function, args)))

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Cancel the jobs that have not begun."""
        self._executor.shutdown(wait=False)


def _call_on_worker(root: str, out: str) -> Callable[[bytes], object]:
    """Return the function that workers get: it makes this repository importable, then calls another one.

    Neither workers nor the scheduler can import this repository, and both unpickle jobs. So this function is local,
    which has it pickled by value, and the job is bytes.
    """

    def call(job: bytes) -> object:
        host = socket.gethostname()
        if not os.path.isdir(out):
            raise FileNotFoundError(f"{host} does not see {out}: workers need the same --data_dir, on a shared disk")
        if root not in sys.path:
            sys.path.insert(0, root)
        try:
            function, args = pickle.loads(job)
        except (ImportError, AttributeError) as error:
            reason = f"{host} cannot import the work ({error}): workers need {root} and its requirements.txt"
            raise ImportError(reason) from error
        return function(*args)

    return call
