"""The seconds of a list of videos that have both frames and a spectrogram: found by reading folder names only."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from common.errors import SampleError
from data.layout import (
    audio_frames_dir,
    parse_second_folder,
    parse_spectrogram_file,
    second_folder,
    spectrogram_file,
    video_frames_dir,
)


@dataclass(frozen=True)
class SecondIndex:
    """All seconds of some videos, in the order of the list, ascending within a video.

    The frames of a second are looked up when they are wanted: a large set starts in seconds, and workers share it.

    Attributes:
        data_dir: the data set's folder.
        names: videos that have at least one second.
        video: int32 (n,), index into `names` of each second's video.
        second: int32 (n,), the second within its video.
        first: int64 (len(names) + 1,), the seconds of video v are ``first[v]`` to ``first[v + 1]``.
        without: videos of the list that have no second with both frames and sound.
    """

    data_dir: Path
    names: list[str]
    video: np.ndarray
    second: np.ndarray
    first: np.ndarray
    without: list[str]

    def __len__(self) -> int:
        return len(self.second)

    def name(self, index: int) -> str:
        """NAME of the video that a second belongs to."""
        return self.names[self.video[index]]

    def spectrogram_path(self, index: int) -> Path:
        """File of a second's spectrogram."""
        return audio_frames_dir(self.data_dir) / self.name(index) / spectrogram_file(int(self.second[index]))

    def frame_paths(self, index: int) -> list[Path]:
        """Files of a second's frames, in the order of the video.

        Raises:
            SampleError: the folder has none.
        """
        folder = video_frames_dir(self.data_dir) / self.name(index) / second_folder(int(self.second[index]))
        paths = [path for path in folder.glob("*.jpg") if path.stem.isdigit()]
        if not paths:
            raise SampleError(f"{folder} holds no frames: delete {folder.parent}, run data/cut_video.py on this set")
        return sorted(paths, key=lambda path: int(path.stem))

    def of_other_video(self, index: int, rng: np.random.Generator) -> int:
        """Index of a random second of another video, each of them as likely."""
        first, after = self.first[self.video[index]], self.first[self.video[index] + 1]
        drawn = int(rng.integers(len(self) - (after - first)))
        return drawn if drawn < first else drawn + int(after - first)


def index_seconds(data_dir: Path, names: Sequence[str]) -> SecondIndex:
    """Find the seconds of the videos `names` that have frames and a spectrogram: two folder listings a video."""
    found = {name: _seconds_of(data_dir, name) for name in names}
    there = [name for name, seconds in found.items() if seconds]
    counts = [len(found[name]) for name in there]
    return SecondIndex(
        data_dir=Path(data_dir),
        names=there,
        video=np.repeat(np.arange(len(there), dtype=np.int32), counts),
        second=np.array([second for name in there for second in found[name]], dtype=np.int32),
        first=np.concatenate([[0], np.cumsum(counts, dtype=np.int64)]).astype(np.int64),
        without=[name for name in found if not found[name]],
    )


def _seconds_of(data_dir: Path, name: str) -> list[int]:
    with_frames = {parse_second_folder(entry) for entry in _entries(video_frames_dir(data_dir) / name)}
    with_sound = {parse_spectrogram_file(entry) for entry in _entries(audio_frames_dir(data_dir) / name)}
    return sorted((with_frames & with_sound) - {None})


def _entries(folder: Path) -> list[str]:
    return os.listdir(folder) if os.path.isdir(folder) else []
