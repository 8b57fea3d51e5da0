"""Orders the samples of an epoch, and divides them among the processes that train or test together."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from torch import distributed
from torch.utils.data import Sampler


class Rank(NamedTuple):
    """Number of a process, from 0, and how many processes work together."""

    rank: int = 0
    world_size: int = 1


SINGLE_PROCESS = Rank()


def own_rank() -> Rank:
    """Return the rank of this process."""
    return Rank(distributed.get_rank(), distributed.get_world_size()) if distributed.is_initialized() else Rank()


def batch_problem(batch_size: int, parts: int, processes: int) -> str | None:
    """Say why a batch cannot be divided into equal parts for all processes; None if it can."""
    multiple = parts * processes
    if batch_size % multiple == 0:
        return None
    divisors = [f"--accumulate {parts}"] * (parts > 1) + [f"{processes} processes"] * (processes > 1)
    below, above = batch_size // multiple * multiple, math.ceil(batch_size / multiple) * multiple
    remedy = f"{below} or {above}" if below else f"{above}"
    return f"--batch_size {batch_size} (the whole batch) is no multiple of {' times '.join(divisors)}: give {remedy}"


def shard(length: int, rank: Rank) -> range:
    """Return a process's contiguous part of the indices 0 ... length - 1."""
    return range(length * rank.rank // rank.world_size, length * (rank.rank + 1) // rank.world_size)


@dataclass(eq=False)
class RankSampler(Sampler[tuple[int, int]]):
    """Gives one process's part of each batch: keys (epoch, index) of a `PairDataset` in random order.

    The epoch travels with the index, so that workers outlive an epoch. With `shuffle` each epoch has its own order.
    Otherwise every epoch is epoch 0: its order is random too, so that a batch holds many videos, but it never changes.

    All processes take equally many keys. The first key of an incomplete last batch fills it up where it has no multiple
    of `world_size` keys, so that no process waits for another. The training drops the rows after `size` again.

    PyTorch's `DistributedSampler` divides an epoch instead: its batches would depend on the number of processes.
    """

    num_samples: int
    batch_size: int  # of all processes together, a multiple of their number
    length: int  # how many of the samples an epoch takes
    seed: int
    shuffle: bool
    rank: Rank = SINGLE_PROCESS
    epoch: int = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch of the next iteration."""
        self.epoch = epoch

    def size(self, number: int) -> int:
        """Return the number of keys in batch `number`, of all processes together and without repetitions."""
        return min(self.batch_size, self.length - number * self.batch_size)

    def sizes(self) -> list[int]:
        """Return the `size` of each batch of an epoch."""
        return [self.size(number) for number in range(math.ceil(self.length / self.batch_size))]

    def __len__(self) -> int:
        return sum(math.ceil(size / self.rank.world_size) for size in self.sizes())

    def __iter__(self) -> Iterator[tuple[int, int]]:
        rank, world_size = self.rank
        epoch = self.epoch if self.shuffle else 0
        order = np.random.default_rng((self.seed, epoch)).permutation(self.num_samples)[: self.length]
        for start in range(0, self.length, self.batch_size):
            batch = [(epoch, int(index)) for index in order[start : start + self.batch_size]]
            count = math.ceil(len(batch) / world_size)
            batch += batch[:1] * (count * world_size - len(batch))
            yield from batch[count * rank : count * (rank + 1)]
