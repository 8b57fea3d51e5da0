"""The processes that torchrun started: how they find one another, who speaks and writes, and how they end.

One process knows of no others: everything here then does nothing.
"""

import contextlib
import os
import socket
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import distributed

from common.errors import UserError
from training.checkpoint import read_checkpoint

T = TypeVar("T")
FAILED, TOLD = "dmc_failed", "dmc_told"  # keys of the processes' store
LONGEST_WORDS = timedelta(seconds=30)  # that the first process may take to say what is wrong with the command line


class EndedByAnother(Exception):
    """Another process failed and says why, so that this one ends in silence."""


def world_size() -> int:
    """How many processes torchrun started, on all machines."""
    return int(os.environ.get("WORLD_SIZE") or 1)


def is_first() -> bool:
    """Whether this is the process that prints and writes."""
    return not distributed.is_initialized() or distributed.get_rank() == 0


@contextlib.contextmanager
def joined() -> Iterator[None]:
    """Within it the processes know one another, and all but the first are silent; at its end they part.

    Where one of them fails, the connections to it break, so that the others end too instead of waiting for it.

    Raises:
        UserError: what torchrun sets in the environment is there in part only.
        EndedByAnother: another process failed first.
    """
    if world_size() == 1:
        yield
        return
    with _silent_unless_first():
        store = _join()
        try:
            yield
        except SystemExit:  # the command line, wrong in all processes: torchrun ends those that have not said so yet
            if is_first():
                store.set(TOLD, "")
            else:
                with contextlib.suppress(RuntimeError):
                    store.wait([TOLD], LONGEST_WORDS)
            raise
        except BaseException as error:
            if _is_first_failure(store):
                raise
            raise EndedByAnother from error
        distributed.destroy_process_group()


def _join() -> distributed.Store:
    """Make the process group, for tensors on CPUs and on CUDA GPUs where there are any; returns its store.

    torchrun keeps its store over restarts (PyTorch issue 135712), so what processes that died wrote there, such as
    where they can be reached, must not be read. On one machine the count of restarts tells one start from another; over
    several machines it may differ, and the store is a new one if TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1 is set.
    """
    try:
        store, rank, size = next(distributed.rendezvous("env://"))
    except ValueError as error:
        raise UserError(f"WORLD_SIZE is {world_size()}, but {error}: start with torchrun") from error
    if os.environ.get("LOCAL_WORLD_SIZE") == str(size):
        store = distributed.PrefixStore(f"start_{os.environ.get('TORCHELASTIC_RESTART_COUNT', 0)}", store)
    on_gpus = torch.cuda.is_available() and distributed.is_nccl_available()
    backend = "cpu:gloo,cuda:nccl" if on_gpus else "gloo"
    distributed.init_process_group(backend, store=store, rank=rank, world_size=size)
    return store


@contextlib.contextmanager
def _silent_unless_first() -> Iterator[None]:
    """Nothing printed by the other processes is seen, nor their progress bars; what ends them is."""
    if os.environ.get("RANK") == "0":
        yield
        return
    with open(os.devnull, "w") as nothing, contextlib.redirect_stdout(nothing), contextlib.redirect_stderr(nothing):
        yield


def _is_first_failure(store: distributed.Store) -> bool:
    """Whether no other process has failed before; also if nobody is left to ask."""
    try:
        return store.add(FAILED, 1) == 1
    except RuntimeError:
        return True


def from_first(function: Callable[..., T], *arguments: Any) -> T:  # noqa: ANN401
    """What a function returns in the first process, in all of them.

    All go on with the same, even if a shared disk shows some of them a file as it was before.
    """
    if not distributed.is_initialized():
        return function(*arguments)
    box = [function(*arguments) if is_first() else None]
    distributed.broadcast_object_list(box)
    return box[0]


def joined_in_first(of_share: dict[str, Any]) -> dict[str, Any]:
    """In the first process the entries of all processes, in their order; in the others their own."""
    if not distributed.is_initialized():
        return of_share
    shares = [None] * distributed.get_world_size() if is_first() else None
    distributed.gather_object(of_share, shares)
    return {key: value for share in shares for key, value in share.items()} if shares else of_share


def explained_break(error: RuntimeError) -> str | None:
    """What an error that broke the connection between the processes means; None if it is another one."""
    if distributed.is_initialized() and (isinstance(error, distributed.DistError) or "gloo" in str(error).lower()):
        return f"another of the {world_size()} processes died, or is not answering ({str(error).splitlines()[0]})"
    return None


def launch() -> str | None:
    """Names the torchrun that started this process, the same after each restart; None without torchrun."""
    if (name := os.environ.get("TORCHELASTIC_RUN_ID")) is None:
        return None
    return f"{name} {socket.gethostname()} {os.getppid()}"


def after_restart(given: dict[str, Any], last: Path) -> dict[str, Any]:
    """The options given, and `--resume 1` if torchrun restarts what it had begun itself, on the same machine.

    Over several machines, where the first process may come to another one, `--resume 1` is to be given.

    Args:
        given: options of the command line.
        last: the checkpoint to resume from. One of an earlier training, which the command line does not want to resume,
            stays what it was.
    """
    name = launch()
    if name is None or given.get("evaluate") or given.get("resume") or not last.exists():
        return given
    if read_checkpoint(last).state.get("launch") != name:
        return given
    print(f"Restarted by torchrun: going on from {last}, as with --resume 1")
    return {**given, "resume": 1}
