"""The index holds the seconds that have frames and a spectrogram, without reading any file."""

import os
from pathlib import Path

import numpy as np
import pytest

from data.index import index_seconds
from data.layout import audio_frames_dir, video_frames_dir
from tests.fixtures.sample_set import add_negatives, add_video

NAMES = ["-dash", "b c", "ü"]


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    for number, name in enumerate(NAMES):
        add_video(tmp_path, name, seconds=2 + number, kind=number, frames=1)
    return tmp_path


def test_a_second_needs_both_frames_and_a_spectrogram(data_dir):
    (audio_frames_dir(data_dir) / "b c/001.npy").unlink()
    (video_frames_dir(data_dir) / "ü/frame_000").rename(video_frames_dir(data_dir) / "ü/notes")
    (video_frames_dir(data_dir) / "-dash/frame_9").mkdir()  # not how second 9 is written
    (audio_frames_dir(data_dir) / "-dash/009.npy").touch()
    add_negatives(data_dir)
    seconds = index_seconds(data_dir, [*NAMES, "gone", "noise", "silence.npy"])
    found = [(seconds.name(index), int(seconds.second[index])) for index in range(len(seconds))]
    assert found == [("-dash", 0), ("-dash", 1), ("b c", 0), ("b c", 2), ("ü", 1), ("ü", 2), ("ü", 3)]
    assert seconds.without == ["gone", "noise", "silence.npy"]


def test_indexing_lists_two_folders_for_each_video(data_dir, monkeypatch):
    listed, listdir = [], os.listdir
    monkeypatch.setattr(os, "listdir", lambda path: listed.append(Path(path)) or listdir(path))
    monkeypatch.setattr(os, "scandir", lambda path: pytest.fail(f"{path} was scanned"))
    index_seconds(data_dir, NAMES)
    assert sorted(listed) == sorted(
        folder / name for name in NAMES for folder in (video_frames_dir(data_dir), audio_frames_dir(data_dir))
    )


def test_each_second_of_all_other_videos_is_drawn_equally_often_as_a_negative(data_dir):
    seconds, rng = index_seconds(data_dir, NAMES), np.random.default_rng(0)
    for index in range(len(seconds)):
        drawn = [seconds.of_other_video(index, rng) for _ in range(400)]
        others = [other for other in range(len(seconds)) if seconds.name(other) != seconds.name(index)]
        assert sorted(set(drawn)) == others
        assert np.bincount(drawn, minlength=len(seconds))[others].min() > 0.5 * 400 / len(others)
