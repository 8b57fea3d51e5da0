"""The parts that a batch is cut into where it does not fit into memory: their gradients add up to one step."""

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from torch import nn
from torch.nn.parallel import DistributedDataParallel


class StepPart(NamedTuple):
    """A part of a batch.

    Attributes:
        batch: the part.
        step: of the epoch, from 0.
        weight: of its loss in that of the step, its share of the samples.
        begins: whether it is the first of its step.
        ends: whether it is the last of its step.
    """

    batch: Mapping[str, Any]
    step: int
    weight: float
    begins: bool
    ends: bool


def count_steps(parts: int, accumulate: int) -> int:
    """Steps of an epoch of so many parts."""
    return -(-parts // accumulate)


def step_parts(
    model: nn.Module, batches: Iterable[Mapping[str, Any]], sizes: Sequence[int], accumulate: int
) -> Iterator[StepPart]:
    """The parts of an epoch; what is computed while the caller has one counts for it.

    Args:
        model: whose gradients several processes average, if they do, at each step's last part only.
        batches: all parts. The last step may have less of them than the others.
        sizes: samples of each part.
        accumulate: parts of a step.
    """
    for number, batch in enumerate(batches):
        step, place = divmod(number, accumulate)
        of_step = sizes[step * accumulate : (step + 1) * accumulate]
        ends = place + 1 == len(of_step)
        with contextlib.nullcontext() if ends or not isinstance(model, DistributedDataParallel) else model.no_sync():
            yield StepPart(batch, step, of_step[place] / sum(of_step), place == 0, ends)
