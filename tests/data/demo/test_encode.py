"""The mp4 files: frames and audio in step, true colors."""

from fractions import Fraction

import numpy as np
import pytest

from data.demo.encode import write_video
from data.demo.scene import HEIGHT, WIDTH
from tests.fixtures.demo_sets import decode_audio, decode_frames


@pytest.mark.parametrize("sample_rate", [44100, 48000])
@pytest.mark.parametrize("channels", [1, 2])
def test_a_click_is_heard_when_its_frame_is_shown(tmp_path, sample_rate, channels):
    video, instant = tmp_path / "click.mp4", 30
    audio = np.zeros((channels, 2 * sample_rate), np.float32)
    start = sample_rate * instant // 25
    audio[:, start : start + 200] = 0.8 * np.hanning(200) * np.sin(np.arange(200) / 4)
    frames = [np.full((HEIGHT, WIDTH, 3), 255 * (index == instant), np.uint8) for index in range(50)]
    write_video(video, frames, Fraction(25), audio, sample_rate)
    heard = decode_audio(video)[0, start - 3000 : start + 3200]
    lag = np.correlate(heard, audio[0, start : start + 200], "valid").argmax() - 3000
    assert abs(lag) <= 2  # samples; the encoder's priming would shift it by 1024
    assert np.argmax([frame.mean() for frame in decode_frames(video)]) == instant


@pytest.mark.parametrize("color", [(214, 48, 49), (50, 120, 215), (40, 150, 80)])
def test_colors_are_preserved(tmp_path, color):
    frames = [np.full((HEIGHT, WIDTH, 3), color, np.uint8)] * 3
    write_video(tmp_path / "color.mp4", frames, Fraction(25), np.zeros((1, 44100), np.float32), 44100)
    assert np.abs(decode_frames(tmp_path / "color.mp4")[1].mean((0, 1)) - color).max() < 4
