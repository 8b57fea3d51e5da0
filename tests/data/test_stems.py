"""The sources of a video one by one: each frame gets the audio of each, and videos without stems are named."""

from pathlib import Path

import numpy as np
import pytest
import torch

from common.errors import SampleError, UserError
from data.index import index_seconds
from data.layout import audio_frames_dir, stem_spectrogram_file
from data.stems import stem_sources
from tests.fixtures.sample_set import add_video


def add_stems(data_dir: Path, name: str, stems: list[str], seconds: int = 2) -> None:
    for second in range(seconds):
        for stem in stems:
            path = audio_frames_dir(data_dir) / name / stem_spectrogram_file(second, stem)
            np.save(path, np.full((201, 64), -int(stem) - second / 10, np.float32))


def test_the_sources_of_each_video_come_in_the_order_of_their_categories(tmp_path):
    for name, stems in {"a": ["10", "9"], "b": ["2", "1"]}.items():
        add_video(tmp_path, name, seconds=2)
        add_stems(tmp_path, name, stems)
    seconds = index_seconds(tmp_path, ["a", "b"])
    assert len(seconds) == 4  # stems are no seconds
    first, second = stem_sources(seconds)
    levels = [[source(index).mean().item() for index in range(4)] for source in (first, second)]
    torch.testing.assert_close(levels, [[-9.0, -9.1, -1.0, -1.1], [-10.0, -10.1, -2.0, -2.1]], rtol=0, atol=1e-4)


@pytest.mark.parametrize("stems", [[], ["3"], ["1", "2", "3"]])
def test_a_video_with_another_number_of_sources_is_named_with_the_remedy(tmp_path, stems):
    for name, own in {"a": ["1", "2"], "b": stems}.items():
        add_video(tmp_path, name, seconds=2)
        add_stems(tmp_path, name, own)
    with pytest.raises(UserError, match=rf"b has {len(stems)} and a 2.*stems/b, run python3 data/cut_audio\.py .*"):
        stem_sources(index_seconds(tmp_path, ["a", "b"]))


def test_a_stem_that_ends_early_is_named(tmp_path):
    add_video(tmp_path, "a", seconds=2)
    add_stems(tmp_path, "a", ["1", "2"], seconds=1)
    source, _ = stem_sources(index_seconds(tmp_path, ["a"]))
    with pytest.raises(SampleError, match=r"001_1\.npy cannot be used.*delete .*a and run python3 data/cut_audio\.py"):
        source(1)
