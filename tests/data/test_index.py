"""The index holds the seconds that have frames and a spectrogram, without reading any file."""

import os
from pathlib import Path

import numpy as np
import pytest

from common.errors import SampleError
from data.index import SecondIndex, index_seconds
from data.layout import audio_frames_dir, video_frames_dir
from tests.fixtures.sample_set import add_negatives, add_video, index_odd_names


@pytest.fixture
def seconds(tmp_path: Path) -> SecondIndex:
    return index_odd_names(tmp_path, frames=1)


def test_a_second_needs_both_frames_and_a_spectrogram(seconds):
    data_dir, names = seconds.data_dir, seconds.names
    (audio_frames_dir(data_dir) / "b c/001.npy").unlink()
    (video_frames_dir(data_dir) / "ü/frame_000").rename(video_frames_dir(data_dir) / "ü/notes")
    (video_frames_dir(data_dir) / "-dash/frame_9").mkdir()  # not how second 9 is written
    (audio_frames_dir(data_dir) / "-dash/009.npy").touch()
    add_negatives(data_dir)
    seconds = index_seconds(data_dir, [*names, "gone", "noise", "silence.npy"])
    found = [(seconds.name(index), int(seconds.second[index])) for index in range(len(seconds))]
    assert found == [("-dash", 0), ("-dash", 1), ("b c", 0), ("b c", 2), ("ü", 1), ("ü", 2), ("ü", 3)]
    assert seconds.without == ["gone", "noise", "silence.npy"]


def test_a_name_is_no_other_folder(seconds):
    video_frames, spectrograms = video_frames_dir(seconds.data_dir), audio_frames_dir(seconds.data_dir)
    for folder in (video_frames / "frame_000", seconds.data_dir / "frame_000"):
        folder.mkdir()
    for folder in (spectrograms, seconds.data_dir):
        (folder / "000.npy").touch()
    names = [".", "..", "./b c", "../video_frames/ü", str(video_frames / "ü"), "", "a\0b", "x" * 300]
    assert index_seconds(seconds.data_dir, names).names == []


def test_a_second_whose_frames_are_gone_is_named_with_the_remedy(seconds):
    folder = video_frames_dir(seconds.data_dir) / "b c/frame_001"
    for path in folder.iterdir():
        path.unlink()
    with pytest.raises(SampleError, match=f"{folder} holds no frames: delete {folder.parent}, run data/cut_video.py"):
        seconds.frame_paths(3)


def test_indexing_lists_two_folders_for_each_video(seconds, monkeypatch):
    data_dir, names = seconds.data_dir, seconds.names
    listed, listdir = [], os.listdir
    monkeypatch.setattr(os, "listdir", lambda path: listed.append(Path(path)) or listdir(path))
    monkeypatch.setattr(os, "scandir", lambda path: pytest.fail(f"{path} was scanned"))
    index_seconds(data_dir, names)
    assert sorted(listed) == sorted(
        folder / name for name in names for folder in (video_frames_dir(data_dir), audio_frames_dir(data_dir))
    )


def test_each_second_of_other_videos_is_a_negative_equally_often_but_none_of_another_excerpt_of_the_same(tmp_path):
    names = ["aaaaaaaaaaa_0_1000", "bbbbbbbbbbb_000030", "aaaaaaaaaaa_1000_2000", "other"]
    for name in names:
        add_video(tmp_path, name, seconds=2, frames=1)
    seconds = index_seconds(tmp_path, names)
    assert seconds.names == [names[0], names[2], names[1], names[3]] and seconds.num_origins == 3
    rng = np.random.default_rng(0)
    for index in range(len(seconds)):
        drawn = [seconds.of_other_video(index, rng) for _ in range(400)]
        others = [other for other in range(len(seconds)) if seconds.origin_of(other) != seconds.origin_of(index)]
        assert sorted(set(drawn)) == others
        assert np.bincount(drawn, minlength=len(seconds))[others].min() > 0.5 * 400 / len(others)
    assert [seconds.origin_of(index) for index in range(len(seconds))] == [0, 0, 0, 0, 1, 1, 2, 2]
