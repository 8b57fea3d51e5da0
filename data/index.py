"""Indexes the seconds of a list of videos that have both frames and a spectrogram, by their folders' names only."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from common.cli import command
from common.errors import SampleError, UserError
from data.layout import (
    audio_frames_dir,
    parse_spectrogram_file,
    second_folder,
    spectrogram_file,
    video_frames_dir,
    videos_by_name,
)
from data.lists import identity_of
from data.preprocess.settings import audio_command


@dataclass(frozen=True)
class SecondIndex:
    """All seconds of some videos, in the order of the list, ascending within a video; excerpts of one video together.

    A second's frames are listed on access: a large set starts in seconds, and workers share the listing.
    """

    data_dir: Path
    names: list[str]  # videos that have at least one second
    video: np.ndarray  # int32 [n], each second's video as an index into `names`
    second: np.ndarray  # int32 [n], number of the second within its video
    first: np.ndarray  # int64 [len(names) + 1], video v has the seconds first[v] to first[v + 1]
    origin: np.ndarray  # int32 [len(names)], ascending: the excerpts ID_0_1000 and ID_1000_2000 have the same number
    without: list[str]  # videos of the list without a second that has both frames and a spectrogram

    def __len__(self) -> int:
        return len(self.second)

    def name(self, index: int) -> str:
        """Return the NAME of a second's video."""
        return self.names[self.video[index]]

    def spectrogram_path(self, index: int) -> Path:
        """Return the file of a second's spectrogram."""
        return audio_frames_dir(self.data_dir) / self.name(index) / spectrogram_file(int(self.second[index]))

    def frame_paths(self, index: int) -> list[Path]:
        """Return the files of a second's frames in the order of the video; SampleError if there are none."""
        folder = video_frames_dir(self.data_dir) / self.name(index) / second_folder(int(self.second[index]))
        paths = [path for path in folder.glob("*.jpg") if path.stem.isdigit()]
        if not paths:
            raise SampleError(f"{folder} holds no frames: delete {folder.parent}, run data/cut_video.py on this set")
        return sorted(paths, key=lambda path: int(path.stem))

    def origin_of(self, index: int) -> int:
        """Return the number of the video that a second comes from, the same for all its excerpts."""
        return int(self.origin[self.video[index]])

    @property
    def num_origins(self) -> int:
        """Number of videos; excerpts of one video count once."""
        return int(self.origin[-1]) + 1 if len(self.names) else 0

    def of_other_video(self, index: int, rng: np.random.Generator) -> int:
        """Draw a second of another video; all are equally likely. Excerpts of one video are no other videos."""
        first, after = self.first[np.searchsorted(self.origin, [self.origin_of(index), self.origin_of(index) + 1])]
        drawn = int(rng.integers(len(self) - (after - first)))
        return drawn if drawn < first else drawn + int(after - first)


def index_seconds(data_dir: Path, names: Sequence[str]) -> SecondIndex:
    """Index the seconds of the videos `names`; lists two folders for each video."""
    found = {name: _seconds_of(data_dir, name) for name in names}
    by_origin: dict[str, list[str]] = {}
    for name in names:
        if found[name]:
            by_origin.setdefault(identity_of(name), []).append(name)
    usable = [name for excerpts in by_origin.values() for name in excerpts]
    counts = [len(found[name]) for name in usable]
    return SecondIndex(
        data_dir=Path(data_dir),
        names=usable,
        video=np.repeat(np.arange(len(usable), dtype=np.int32), counts),
        second=np.array([second for name in usable for second in found[name]], dtype=np.int32),
        first=np.concatenate([[0], np.cumsum(counts, dtype=np.int64)]).astype(np.int64),
        origin=np.repeat(np.arange(len(by_origin), dtype=np.int32), [len(names) for names in by_origin.values()]),
        without=[name for name in found if not found[name]],
    )


def index_data_dir(data_dir: Path) -> SecondIndex:
    """Index the seconds of all videos of a data set, whatever its lists; UserError if there are none."""
    seconds = index_seconds(data_dir, sorted(_entries(video_frames_dir(data_dir))))
    if not len(seconds):
        cutting = f"{command('data/cut_video.py', data_dir)} and {audio_command(data_dir)}"
        raise UserError(f"{data_dir} has no video with frames and spectrograms: run {cutting}")
    return seconds


def unknown_videos(data_dir: Path, names: Sequence[str]) -> set[str]:
    """Return the names that no video of the data set has, also none that was cut before it was removed."""
    if not names:  # the common case: no folder is listed
        return set()
    known = {*videos_by_name(data_dir), *_entries(video_frames_dir(data_dir)), *_entries(audio_frames_dir(data_dir))}
    return {*names} - known


def _seconds_of(data_dir: Path, name: str) -> list[int]:
    if "/" in name or name in ("", ".", ".."):  # a path such as ./NAME, which would be another video than NAME
        return []
    folders = set(_entries(video_frames_dir(data_dir) / name))
    with_audio = map(parse_spectrogram_file, _entries(audio_frames_dir(data_dir) / name))
    return sorted(second for second in with_audio if second is not None and second_folder(second) in folders)


def _entries(folder: Path) -> list[str]:
    return os.listdir(folder) if os.path.isdir(folder) else []
