"""The samples that networks are trained and tested on, and the loaders that batch them.

A sample is one second: its spectrogram and frames of the same second. Every random choice comes from (seed, epoch,
index), so that the samples do not depend on the number of workers, and an epoch can be repeated.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from data.colors import change_colors
from data.frame_cache import FrameCache
from data.index import SecondIndex
from data.negative_audio import Audio, OwnAudio
from data.sampler import WHOLE, Share, ShareSampler, run_of
from data.transforms import before_chance, color_factors, cropped, load_frame, load_spectrogram, plain, spec_augmented

NEGATIVES = ("one", "batch")
COLORS = "_colors"  # ends the key of what is left to do to the pictures of the key before it


class Pair(TypedDict):
    """A sound with its picture; a batch has one more dimension in front.

    Attributes:
        spectrogram: float32 [1, 201, 64].
        frame: uint8 [3, size, size], of the same second.
        video: number of their video.
    """

    spectrogram: torch.Tensor
    frame: torch.Tensor
    video: int


class PairWithOther(Pair):
    """A sound with a right and a wrong picture.

    Attributes:
        other_frame: uint8 [3, size, size], of another video.
    """

    other_frame: torch.Tensor


class PairDataset(Dataset):
    """Each second's sound with a random one of its frames, and perhaps with a random frame of another video.

    Args:
        seconds: seconds of at least two videos.
        image_size: pixels of the square pictures.
        seed: of all random choices.
        augmentation: how pictures are changed at random, one of `data.transforms.AUGMENTATIONS`; None leaves them.
        negatives: ``one`` adds a frame of another video, ``batch`` does not: the others of the batch serve.
        spec_augment: whether sounds are changed at random too, see `data.transforms.spec_augmented`.
        colors_later: whether a sample has its pictures' colour factors, ``frame_colors``, in place of changed colours,
            for `colored` to apply to the batch.
        cache: keeps frames in memory; None does not.

    Raises:
        ValueError: there are less than two videos.
        SampleError: on access, a file cannot be read.
    """

    def __init__(
        self,
        seconds: SecondIndex,
        image_size: int,
        seed: int,
        augmentation: str | None = None,
        negatives: str = "one",
        spec_augment: bool = False,
        colors_later: bool = False,
        cache: FrameCache | None = None,
    ) -> None:
        if len(seconds.names) < 2:
            raise ValueError("a wrong pair takes a second video")
        self.seconds = seconds
        self.image_size = image_size
        self.seed = seed
        self.augmentation = augmentation
        self.negatives = negatives
        self.spec_augment = spec_augment
        self.colors_later = colors_later
        self.cache = cache

    def __len__(self) -> int:
        return len(self.seconds)

    def __getitem__(self, key: tuple[int, int]) -> Pair | PairWithOther:
        epoch, index = key
        rng = np.random.default_rng((self.seed, epoch, index))
        pair: Pair | PairWithOther = {
            "spectrogram": load_spectrogram(self.seconds.spectrogram_path(index)),
            **self._random_frame("frame", index, rng),
            "video": int(self.seconds.video[index]),
        }
        if self.negatives == "one":
            pair = {**pair, **self._random_frame("other_frame", self.seconds.of_other_video(index, rng), rng)}
        if self.spec_augment:
            pair["spectrogram"] = spec_augmented(pair["spectrogram"], rng)
        return pair

    def _random_frame(self, key: str, index: int, rng: np.random.Generator) -> dict[str, torch.Tensor]:
        """A frame of a second under `key`, and perhaps the change of its colours."""
        paths = self.seconds.frame_paths(index)
        position = int(rng.integers(len(paths)))
        picture = self._frame(index, position, paths[position])
        if self.augmentation is None:
            return {key: picture}
        picture = cropped(picture, self.image_size, rng, self.augmentation)
        colors = color_factors(rng, self.augmentation)
        if self.colors_later:
            return {key: picture.contiguous(), key + COLORS: colors}
        return {key: change_colors(picture[None], colors[None])[0]}

    def _frame(self, index: int, position: int, path: Path) -> torch.Tensor:
        """A frame as it is before any chance, from memory if it is there."""
        if self.cache and (kept := self.cache.get(index, position)) is not None:
            return kept
        picture = before_chance(load_frame(path), self.image_size, self.augmentation)
        if self.cache:
            self.cache.put(index, position, picture)
        return picture


def colored(batch: dict[str, Any]) -> dict[str, Any]:
    """A batch with the changes of colour that it still has to undergo made."""
    changes = {key.removesuffix(COLORS): factors for key, factors in batch.items() if key.endswith(COLORS)}
    rest = {key: value for key, value in batch.items() if not key.endswith(COLORS)}
    return rest | {key: change_colors(batch[key], factors) for key, factors in changes.items()}


class EpochSampler(Sampler[tuple[int, int]]):
    """Keys (epoch, index) of a `PairDataset`: the epoch travels with the index, so that workers outlive an epoch.

    Args:
        length: number of samples.
        seed: of the order.
        shuffle: whether each epoch has an order of its own; else every epoch is the first one, whose order is random
            too, so that a batch holds many videos.
    """

    def __init__(self, length: int, seed: int, shuffle: bool) -> None:
        self.length = length
        self.seed = seed
        self.shuffle = shuffle
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch that the next iteration runs through."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self.length

    def __iter__(self) -> Iterator[tuple[int, int]]:
        epoch = self.epoch if self.shuffle else 0
        order = np.random.default_rng((self.seed, epoch)).permutation(self.length)
        yield from ((epoch, int(index)) for index in order)


class SecondSample(TypedDict):
    """A second's sound with its frames, or a batch of them.

    Attributes:
        keys: ``NAME/frame_013/00411`` of each frame.
        spectrogram: float32 [seconds, 1, 201, 64].
        frames: uint8 [frames, 3, size, size].
        second: int64 [frames], row of `spectrogram` that a frame belongs to.
    """

    keys: list[str]
    spectrogram: torch.Tensor
    frames: torch.Tensor
    second: torch.Tensor


class SecondDataset(Dataset):
    """Each second's frames with its sound, or with another.

    Args:
        seconds: the seconds to test on.
        image_size: pixels of the square pictures.
        first_only: take the first frame of each second only, not all.
        sound: the sound of each second; None is its own.

    Raises:
        SampleError: on access, a file cannot be read.
    """

    def __init__(self, seconds: SecondIndex, image_size: int, first_only: bool, sound: Audio | None = None) -> None:
        self.seconds = seconds
        self.image_size = image_size
        self.first_only = first_only
        self.sound = sound or OwnAudio(seconds)

    def __len__(self) -> int:
        return len(self.seconds)

    def __getitem__(self, index: int) -> SecondSample:
        paths = self.seconds.frame_paths(index)[: 1 if self.first_only else None]
        return {
            "keys": [frame_key(self.seconds.name(index), path) for path in paths],
            "spectrogram": self.sound(index).unsqueeze(0),
            "frames": torch.stack([plain(load_frame(path), self.image_size) for path in paths]),
            "second": torch.zeros(len(paths), dtype=torch.int64),
        }


def frame_key(name: str, path: Path) -> str:
    """Key of a frame in ``dmc.pkl``: its path below ``video_frames``, without ``.jpg``."""
    return f"{name}/{path.parent.name}/{path.stem}"


def collate_seconds(seconds: list[SecondSample]) -> SecondSample:
    """Batch seconds of any number of frames."""
    return {
        "keys": [key for second in seconds for key in second["keys"]],
        "spectrogram": torch.cat([second["spectrogram"] for second in seconds]),
        "frames": torch.cat([second["frames"] for second in seconds]),
        "second": torch.cat([second["second"] + row for row, second in enumerate(seconds)]),
    }


def pair_loader(
    dataset: PairDataset,
    batch_size: int,
    num_workers: int,
    shuffle: bool,
    pin_memory: bool = False,
    accumulate: int = 1,
    share: Share = WHOLE,
) -> DataLoader:
    """Batches of pairs; shuffled ones leave an incomplete last batch out, unless it is the only one.

    Args:
        dataset: gives the pairs.
        batch_size: of all processes together, a multiple of `accumulate` times their number.
        num_workers: processes that load.
        shuffle: whether each epoch has an order of its own.
        pin_memory: whether batches lie in pinned memory.
        accumulate: how many parts a batch is cut into, which come one after the other.
        share: of this process, which gets its part of each of them.

    Returns:
        The loader, whose `sampler` is a `ShareSampler` of an `EpochSampler`.
    """
    length = len(dataset)
    if shuffle and length >= batch_size:
        length -= length % batch_size
    part = batch_size // accumulate
    return DataLoader(
        dataset,
        part // share.of,
        sampler=ShareSampler(EpochSampler(len(dataset), dataset.seed, shuffle), part, length, share),
        num_workers=num_workers,
        persistent_workers=num_workers > 0,
        pin_memory=pin_memory,
        generator=torch.Generator(),  # so that the loader takes nothing from the random state that training resumes
    )


def second_loader(
    dataset: SecondDataset, batch_size: int, num_workers: int, pin_memory: bool = False, share: Share = WHOLE
) -> DataLoader:
    """Batches of whole test seconds, about `batch_size` frames in all processes together, in order.

    Each process has a run of the seconds, those of the processes in turn are all of them.
    """
    frames_a_second = 1 if dataset.first_only else 4
    return DataLoader(
        dataset,
        max(1, batch_size // share.of // frames_a_second),
        sampler=run_of(len(dataset), share),
        num_workers=num_workers,
        collate_fn=collate_seconds,
        pin_memory=pin_memory,
        generator=torch.Generator(),
    )
