"""Training in several processes, each with its part of every batch, as one process with the whole batch would train.

Each process computes the centers of its part. They are gathered with their gradients, and every process computes the
loss of the whole batch: N losses, each with a share of 1 / N, as gradients are averaged over the processes.
"""

import inspect
from typing import Any

import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel

# What BatchNorm keeps is not to be the first process's in each step; PyTorch 2.15 renamed the option.
_OWN_BUFFERS = next(
    name
    for name in ("forward_sync_buffers", "broadcast_buffers")
    if name in inspect.signature(DistributedDataParallel).parameters
)


def shared(model: nn.Module, device: torch.device) -> tuple[nn.Module, str | None]:
    """A network whose gradients are averaged over all processes, on one process the network itself.

    On GPUs its BatchNorm takes the statistics of the whole batch.

    Returns:
        The network, with the same weights, and a line on what is not as in one process; None if all is.
    """
    if not distributed.is_initialized():
        return model, None
    note = None
    if device.type == "cuda":
        model = nn.SyncBatchNorm.convert_sync_batchnorm(model)
    else:
        note = (
            f"{distributed.get_world_size()} processes: BatchNorm takes the statistics of each one's part of a batch; "
            "those that tests use are averaged over the processes after each epoch"
        )
    return DistributedDataParallel(model, gradient_as_bucket_view=True, **{_OWN_BUFFERS: False}), note


def gathered(part: torch.Tensor, count: int | None = None) -> torch.Tensor:
    """The parts of all processes, in their order; gradients flow back into each of them.

    Args:
        part: [n, ...], as many rows in each process.
        count: how many rows to take of all; what follows are repetitions, see `data.sampler.ShareSampler`.

    Returns:
        [count, ...]; with one process the part itself.
    """
    return _Gather.apply(part)[:count] if distributed.is_initialized() and len(part) else part


def own_part(rows: torch.Tensor) -> torch.Tensor:
    """This process's part of rows that all processes have; `gathered`, with their number, puts them together again.

    All parts are of one length: where the rows do not go round, the first one is repeated behind the last.
    """
    if not distributed.is_initialized():
        return rows
    size = distributed.get_world_size()
    repeated = rows[:1].expand(-len(rows) % size, *rows.shape[1:])
    return torch.cat([rows, repeated]).chunk(size)[distributed.get_rank()]


class _Gather(torch.autograd.Function):
    """The rows of all processes; PyTorch's own form of it changes its place from version to version."""

    @staticmethod
    def forward(ctx: Any, part: torch.Tensor) -> torch.Tensor:  # noqa: ANN401
        """[n, ...] -> [N n, ...], in the order of the processes."""
        part = part.contiguous()
        parts = [torch.empty_like(part) for _ in range(distributed.get_world_size())]
        distributed.all_gather(parts, part)
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> torch.Tensor:  # noqa: ANN401
        """What all processes' losses say of this process's rows, summed."""
        gradient = gradient.clone(memory_format=torch.contiguous_format)
        distributed.all_reduce(gradient)
        return gradient.chunk(distributed.get_world_size())[distributed.get_rank()]


@torch.no_grad()
def average_statistics(model: nn.Module) -> None:
    """Average over the processes what BatchNorm keeps for testing; where they share it already, nothing changes."""
    if not distributed.is_initialized():
        return
    for name, buffer in model.named_buffers():
        if name.endswith(("running_mean", "running_var")):
            distributed.all_reduce(buffer)
            buffer /= distributed.get_world_size()
