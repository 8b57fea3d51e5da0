"""Batches the samples of `data.dataset`."""

import torch
from torch.utils.data import DataLoader, get_worker_info

from data.dataset import PairDataset, SecondDataset, SecondSample
from data.sampler import SINGLE_PROCESS, Rank, RankSampler, shard

FRAMES_A_SECOND = 4  # of `cut_video.py` by default


def pair_loader(
    dataset: PairDataset,
    batch_size: int,
    num_workers: int,
    shuffle: bool,
    pin_memory: bool = False,
    accumulate: int = 1,
    rank: Rank = SINGLE_PROCESS,
) -> DataLoader:
    """Load batches of pairs; the `sampler` of the loader is a `RankSampler`.

    A shuffled epoch has its own order. It leaves an incomplete last batch out if the other frames of a batch are its
    negatives, unless it is the only one.

    `batch_size` is of all processes together, a multiple of `accumulate` times their number: a batch is loaded in
    `accumulate` parts, one after the other, and each process loads its share of each part.
    """
    length = len(dataset)
    if shuffle and not dataset.with_negative and length >= batch_size:
        length -= length % batch_size
    part_size = batch_size // accumulate
    return DataLoader(
        dataset,
        part_size // rank.world_size,
        sampler=RankSampler(len(dataset), part_size, length, dataset.seed, shuffle, rank),
        num_workers=num_workers,
        persistent_workers=num_workers > 0,
        pin_memory=pin_memory,
        generator=torch.Generator(),  # the loader must not draw from the random state that training resumes
    )


def second_loader(
    dataset: SecondDataset,
    batch_size: int,
    num_workers: int,
    pin_memory: bool = False,
    rank: Rank = SINGLE_PROCESS,
) -> DataLoader:
    """Load batches of whole test seconds in order, about `batch_size` frames in all processes together.

    Each process has a contiguous part of the seconds.
    """
    frames_a_second = 1 if dataset.first_only else FRAMES_A_SECOND
    return DataLoader(
        dataset,
        max(1, batch_size // rank.world_size // frames_a_second),
        sampler=shard(len(dataset), rank),
        num_workers=num_workers,
        collate_fn=collate_seconds,
        pin_memory=pin_memory,
        generator=torch.Generator(),
    )


def collate_seconds(seconds: list[SecondSample]) -> SecondSample:
    """Batch seconds that may differ in their number of frames."""
    batch = {
        "keys": [key for second in seconds for key in second["keys"]],
        "spectrogram": torch.cat([second["spectrogram"] for second in seconds]),
        "frames": torch.cat([second["frames"] for second in seconds]),
        "second": torch.cat([second["second"] + row for row, second in enumerate(seconds)]),
    }
    if get_worker_info():  # else PyTorch does it in a thread, and waits forever if there is no memory for it
        for name in ("spectrogram", "frames", "second"):
            batch[name].share_memory_()
    return batch
