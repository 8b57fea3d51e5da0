"""The samples that networks are trained and tested on.

A sample is one second: its spectrogram with frames of the same second. Every random choice comes from (seed, epoch,
index), so that the samples do not depend on the number of workers, and an epoch can be repeated.
"""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypedDict

import numpy as np
import torch
from torch.utils.data import Dataset

from data.index import SecondIndex
from data.negative_audio import AudioSource, own_audio
from data.second_cache import CachedSecond
from data.transforms import (
    JITTER_SUFFIX,
    load_frame,
    random_crop,
    random_flip,
    resize,
    sample_color_jitter,
    side_before_crop,
)


class Pair(TypedDict, total=False):
    """A spectrogram with a frame of the same second; a batch has one more dimension in front."""

    spectrogram: torch.Tensor  # float32 [1, T, 64]
    frame: torch.Tensor  # uint8 [3, size, size]
    video: int  # number of the video that they come from
    negative_frame: torch.Tensor  # uint8 [3, size, size], of another video; only with `with_negative`, or
    negative_spectrogram: torch.Tensor  # float32 [1, T, 64], of another video; only with `negative_audio`
    frame_jitter: torch.Tensor  # color factors, which `apply_color_jitter_to_batch` applies; only with augmentation
    negative_frame_jitter: torch.Tensor


@dataclass(eq=False)
class PairDataset(Dataset):
    """Pairs each second's spectrogram with a random one of its frames."""

    seconds: SecondIndex  # of at least two videos
    image_size: int  # side of the square frames in pixels
    seed: int  # of all random choices
    augment: bool = False  # random crops, flips and color jitter; not for validation
    crop_only: bool = False  # as published without augmentation: no flips, no color jitter
    with_negative: bool = True  # adds a random frame of another video
    negative_audio: bool = False  # the negative is the audio of another video, not a frame
    cache: list[CachedSecond] | None = None  # all seconds; else files are read

    @property
    def cached_side(self) -> int:
        """Side of the square frames as they are read, also into `cache`, in pixels."""
        return side_before_crop(self.image_size) if self.augment else self.image_size

    def __len__(self) -> int:
        return len(self.seconds)

    def __getitem__(self, key: tuple[int, int]) -> Pair:
        epoch, index = key
        rng = np.random.default_rng((self.seed, epoch, index))
        pair: Pair = {
            "spectrogram": self.cache[index].spectrogram if self.cache else own_audio(self.seconds, index),
            **self._random_frame("frame", index, rng),
            "video": self.seconds.origin_of(index),
        }
        if self.with_negative:
            other = self.seconds.of_other_video(index, rng)
            if self.negative_audio:
                pair["negative_spectrogram"] = own_audio(self.seconds, other)
            else:
                pair |= self._random_frame("negative_frame", other, rng)
        return pair

    def _random_frame(self, key: str, index: int, rng: np.random.Generator) -> dict[str, torch.Tensor]:
        """Return a random frame of a second under `key`, perhaps with its color factors."""
        if self.cache:
            frames = self.cache[index].frames
            frame = frames[int(rng.integers(len(frames)))]
        else:
            paths = self.seconds.frame_paths(index)
            frame = resize(load_frame(paths[int(rng.integers(len(paths)))]), self.cached_side)
        if not self.augment:
            return {key: frame}
        frame = random_crop(frame, self.image_size, rng)
        if self.crop_only:
            return {key: frame.contiguous()}
        frame = random_flip(frame, rng).contiguous()
        return {key: frame, key + JITTER_SUFFIX: sample_color_jitter(rng)}


class SecondSample(TypedDict):
    """A second's spectrogram with its frames, or a batch of seconds."""

    keys: list[str]  # of each frame: NAME/frame_013/00411
    spectrogram: torch.Tensor  # float32 [seconds, 1, T, 64]
    frames: torch.Tensor  # uint8 [frames, 3, size, size]
    second: torch.Tensor  # int64 [frames], row of `spectrogram` that a frame belongs to


@dataclass(eq=False)
class SecondDataset(Dataset):
    """Each second's frames with its own audio or another one."""

    seconds: SecondIndex
    image_size: int  # side of the square frames in pixels
    first_only: bool  # take only the first frame of each second
    audio: AudioSource | None = None  # gives each second's spectrogram; None is its own

    def __post_init__(self) -> None:
        self.audio = self.audio or partial(own_audio, self.seconds)

    def __len__(self) -> int:
        return len(self.seconds)

    def __getitem__(self, index: int) -> SecondSample:
        paths = self.seconds.frame_paths(index)[: 1 if self.first_only else None]
        return {
            "keys": [frame_key(self.seconds.name(index), path) for path in paths],
            "spectrogram": self.audio(index).unsqueeze(0),
            "frames": torch.stack([resize(load_frame(path), self.image_size) for path in paths]),
            "second": torch.zeros(len(paths), dtype=torch.int64),
        }


def frame_key(name: str, path: Path) -> str:
    """Return a frame's key in ``dmc.pkl``: its path below ``video_frames``, without ``.jpg``."""
    return f"{name}/{path.parent.name}/{path.stem}"
