"""What one of several processes takes of an epoch or a test list: all of their shares together are the whole."""

import math
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import NamedTuple

from torch import distributed
from torch.utils.data import Sampler


class Share(NamedTuple):
    """Which of several processes this one is.

    Attributes:
        process: from 0.
        of: how many there are.
    """

    process: int = 0
    of: int = 1


WHOLE = Share()


def own_share() -> Share:
    """That of this process."""
    return Share(distributed.get_rank(), distributed.get_world_size()) if distributed.is_initialized() else WHOLE


def batch_problem(batch_size: int, parts: int, processes: int) -> str | None:
    """What is wrong with a batch size for so many parts and processes, which all take as much; None if nothing is."""
    if batch_size % (parts * processes) == 0:
        return None
    named = [f"--accumulate {parts}"] * (parts > 1) + [f"{processes} processes"] * (processes > 1)
    multiple = parts * processes
    below, above = batch_size // multiple * multiple, math.ceil(batch_size / multiple) * multiple
    remedy = f"{below} or {above}" if below else f"{above}"
    return (
        f"--batch_size {batch_size}, which is the whole batch, does not go round {' and '.join(named)}: give {remedy}"
    )


def run_of(length: int, share: Share) -> range:
    """The indices of `length` things that a process takes: a run of them; all runs in turn are 0 ... length - 1."""
    return range(length * share.process // share.of, length * (share.process + 1) // share.of)


class ShareSampler(Sampler):
    """One process's part of each batch that a sampler's keys are cut into.

    All processes take as many keys of a batch, in turn. Where an incomplete last batch does not go round, its first key
    is repeated behind its last one, so that no process waits for another that has nothing left: whoever puts the parts
    together takes the first `size` rows only.

    Args:
        sampler: gives the keys of an epoch, the same ones in the same order in all processes; has `set_epoch`.
        batch_size: of all processes together, a multiple of their number.
        length: how many of the keys to take.
        share: of this process.
    """

    def __init__(self, sampler: Sampler, batch_size: int, length: int, share: Share = WHOLE) -> None:
        self.sampler = sampler
        self.batch_size = batch_size
        self.length = length
        self.share = share

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch that the next iteration runs through."""
        self.sampler.set_epoch(epoch)

    def size(self, number: int) -> int:
        """How many keys batch `number`, from 0, has in all processes together, without repetitions."""
        return min(self.batch_size, self.length - number * self.batch_size)

    def sizes(self) -> list[int]:
        """`size` of each batch of an epoch."""
        return [self.size(number) for number in range(math.ceil(self.length / self.batch_size))]

    def __len__(self) -> int:
        whole, rest = divmod(self.length, self.batch_size)
        return whole * (self.batch_size // self.share.of) + math.ceil(rest / self.share.of)

    def __iter__(self) -> Iterator:
        keys: Iterable = islice(self.sampler, self.length)
        while batch := list(islice(keys, self.batch_size)):
            count = math.ceil(len(batch) / self.share.of)
            batch += batch[:1] * (count * self.share.of - len(batch))
            yield from batch[count * self.share.process : count * (self.share.process + 1)]
