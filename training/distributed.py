"""Training in several processes that torchrun started, each with its part of every batch.

Each process computes the centers of its part. They are gathered, every process computes the loss of the whole batch,
and its gradients flow back into its own part. Together they are the gradients of one process with the whole batch. In a
single process everything here does nothing.
"""

import contextlib
import inspect
import os
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel

from common import PARENT
from common.errors import UserError
from common.exit_status import end_with_parent

T = TypeVar("T")
FAILED = "dmc_failed"  # key of the processes' store
LONGEST_MESSAGE = 30  # seconds that rank 0 may take to say what is wrong with the command line
# Each process keeps its own BatchNorm statistics in a step; PyTorch 2.15 renamed the option.
_SYNC_BUFFERS = next(
    name
    for name in ("forward_sync_buffers", "broadcast_buffers")
    if name in inspect.signature(DistributedDataParallel).parameters
)


class EndedByAnother(Exception):
    """Another process failed and says why; this one ends in silence."""


def world_size() -> int:
    """Processes that torchrun started, on all machines."""
    return int(os.environ.get("WORLD_SIZE") or 1)


def is_main_process() -> bool:
    """Whether this is rank 0, which prints and writes."""
    return not distributed.is_initialized() or distributed.get_rank() == 0


@contextlib.contextmanager
def process_group() -> Iterator[None]:
    """Join the processes. All but rank 0 are silent, except for the error that ends them.

    When one process fails, its connections break, so that the others end too instead of waiting.

    Raises:
        UserError: torchrun's environment variables are incomplete.
        EndedByAnother: another process failed first.
    """
    if world_size() == 1:
        yield
        return
    with _silent_unless_rank0():
        if launch_id():  # torchrun gives its processes sessions of their own: a kill of its group does not reach them
            end_with_parent(PARENT)
        store = _join()
        try:
            yield
        except SystemExit as end:  # --help, or a wrong command line, in all processes
            if end.code and not is_main_process():
                time.sleep(LONGEST_MESSAGE)  # torchrun ends all of them once one has ended: that is to be rank 0
            raise
        except BaseException as error:
            if _is_first_failure(store):
                raise
            raise EndedByAnother from error
        distributed.destroy_process_group()


def _join() -> distributed.Store:
    """Make the process group, for CPUs and for CUDA GPUs where there are any; returns its store.

    torchrun keeps its store over restarts (PyTorch issue 135712), and entries of dead processes must not be read. On
    one machine the count of restarts tells one start from another. Over several machines it may differ; the store is a
    new one if TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1 is set.
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
def _silent_unless_rank0() -> Iterator[None]:
    if os.environ.get("RANK") == "0":
        yield
        return
    with open(os.devnull, "w") as null, contextlib.redirect_stdout(null), contextlib.redirect_stderr(null):
        yield


def _is_first_failure(store: distributed.Store) -> bool:
    """Whether no other process has failed before; also if nobody is left to ask."""
    try:
        return store.add(FAILED, 1) == 1
    except RuntimeError:
        return True


def broadcast_from_rank0(function: Callable[..., T], *arguments: Any) -> T:  # noqa: ANN401
    """The result of a function that rank 0 calls, in all processes.

    All go on with the same, even if a shared disk shows some of them an older file.
    """
    if not distributed.is_initialized():
        return function(*arguments)
    box = [function(*arguments) if is_main_process() else None]
    distributed.broadcast_object_list(box)
    return box[0]


def gather_to_rank0(entries: dict[str, Any]) -> dict[str, Any]:
    """In rank 0 the entries of all processes, in the order of the ranks; in the others their own."""
    if not distributed.is_initialized():
        return entries
    parts = [None] * distributed.get_world_size() if is_main_process() else None
    distributed.gather_object(entries, parts)
    return {key: value for part in parts for key, value in part.items()} if parts else entries


def explain_break(error: RuntimeError) -> str | None:
    """A sentence on an error that broke the connection between the processes; None for other errors."""
    if distributed.is_initialized() and (isinstance(error, distributed.DistError) or "gloo" in str(error).lower()):
        return f"another of the {world_size()} processes died, or does not answer ({str(error).splitlines()[0]})"
    return None


def launch_id() -> str | None:
    """Names the torchrun that started this process, the same after each restart; None without torchrun."""
    if (name := os.environ.get("TORCHELASTIC_RUN_ID")) is None:
        return None
    return f"{name} {socket.gethostname()} {os.getppid()}"


def parallelize(model: nn.Module, device: torch.device) -> nn.Module:
    """The network, same weights, with gradients averaged over all processes; in a single process the network itself.

    On GPUs BatchNorm takes the statistics of the whole batch. Elsewhere it does not, and a line says so.
    """
    if not distributed.is_initialized():
        return model
    if device.type == "cuda":
        model = nn.SyncBatchNorm.convert_sync_batchnorm(model)
    else:
        print(
            f"{distributed.get_world_size()} processes: in training, BatchNorm takes the statistics of each process's "
            "part of a batch; its running statistics are averaged over the processes after each epoch"
        )
    return DistributedDataParallel(model, gradient_as_bucket_view=True, **{_SYNC_BUFFERS: False})


def all_gather_with_grad(part: torch.Tensor, count: int | None = None) -> torch.Tensor:
    """The rows of all processes in the order of the ranks; gradients flow back into the own ones.

    Args:
        part: [n, ...], the same n in each process.
        count: rows to keep; the rows after them are repetitions, see `data.sampler.RankSampler`.

    Returns:
        [count, ...]; in a single process `part`.
    """
    if not distributed.is_initialized() or not len(part):
        return part
    size, rank = distributed.get_world_size(), distributed.get_rank()
    parts = [torch.empty_like(part) for _ in range(size)]
    distributed.all_gather(parts, part.detach().contiguous())
    if part.requires_grad:
        part.register_hook(lambda gradient: size * gradient)  # DistributedDataParallel averages; it is the sum
    parts[rank] = part
    return torch.cat(parts)[:count]


def shard_rows(rows: torch.Tensor) -> torch.Tensor:
    """This process's part of rows that all processes have; `all_gather_with_grad` puts them together again.

    All parts have the same length: the first row is repeated behind the last one where that is needed.
    """
    if not distributed.is_initialized():
        return rows
    size = distributed.get_world_size()
    repeated = rows[:1].expand(-len(rows) % size, *rows.shape[1:])
    return torch.cat([rows, repeated]).chunk(size)[distributed.get_rank()]


@torch.no_grad()
def average_statistics(model: nn.Module) -> None:
    """Average the running statistics of BatchNorm over the processes."""
    if not distributed.is_initialized():
        return
    for name, buffer in model.named_buffers():
        if name.endswith(("running_mean", "running_var")):
            distributed.all_reduce(buffer)
            buffer /= distributed.get_world_size()
