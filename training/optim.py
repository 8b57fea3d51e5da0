"""Adam, its learning rate, and the micro-batches whose gradients add up to one step."""

import contextlib
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel

WEIGHT_DECAY = 1e-4
WARM_UP = 30  # steps


def build_optimizer(parameters: Iterable[nn.Parameter], learning_rate: float) -> torch.optim.Adam:
    """Adam as published, its step a single kernel."""
    return torch.optim.Adam(parameters, lr=learning_rate, weight_decay=WEIGHT_DECAY, fused=True)


def scheduled_rate(highest: float, schedule: str, step: int, steps: int) -> float:
    """Learning rate of a step, counted from 0 over all epochs, of the `steps` of the whole training.

    ``constant`` stays. ``cosine`` rises in proportion to `highest` over `WARM_UP` steps, and falls to 0 after the last.
    """
    if schedule == "constant":
        return highest
    return highest * min(1.0, (step + 1) / WARM_UP) * 0.5 * (1 + math.cos(math.pi * step / steps))


class MicroBatch(NamedTuple):
    """A part of a batch."""

    batch: Mapping[str, Any]  # its samples
    step: int  # of the epoch, from 0
    weight: float  # its share of the samples of the step, by which its loss counts
    first: bool  # whether it is the first of its step
    last: bool  # whether it is the last of its step


def split_into_steps(
    model: nn.Module, batches: Iterable[Mapping[str, Any]], sizes: Sequence[int], accumulate: int
) -> Iterator[MicroBatch]:
    """Group the micro-batches of an epoch, which have `sizes` samples, into steps of `accumulate` micro-batches.

    The last step may have fewer. Several processes average their gradients at the last micro-batch of each step only.
    """
    for number, batch in enumerate(batches):
        step, place = divmod(number, accumulate)
        of_step = sizes[step * accumulate : (step + 1) * accumulate]
        last = place + 1 == len(of_step)
        with contextlib.nullcontext() if last or not isinstance(model, DistributedDataParallel) else model.no_sync():
            yield MicroBatch(batch, step, of_step[place] / sum(of_step), place == 0, last)
