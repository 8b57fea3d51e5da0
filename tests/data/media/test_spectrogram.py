"""Spectrograms of many seconds against librosa, one second at a time, and those of five seconds against VGGish's."""

import warnings

import numpy as np
import pytest

from data.media.spectrogram import log_mel, mel_filters, vggish_log_mel
from tests.fixtures.media import click, librosa_log_mel, noise

pytestmark = pytest.mark.filterwarnings("ignore:Empty filters detected")  # the published front end has them


def awkward_seconds() -> np.ndarray:
    """Silence, a click, full-scale noise, a whisper, a tone, a loud and a soft half: float32 [6, 16000]."""
    time = np.arange(16_000) / 16_000
    loud = np.random.default_rng(0).uniform(-1, 1, 16_000)
    tone, step = 0.5 * np.sin(2 * np.pi * 440 * time), np.where(time < 0.5, 1, 1e-5) * loud
    return np.stack([np.zeros(16_000), click(0.5, 1), loud, noise(1, level=1e-4), tone, step]).astype(np.float32)


@pytest.mark.parametrize("n_fft", [160, 512, 4096])
def test_each_second_equals_librosa_on_that_second_alone(n_fft):
    seconds = awkward_seconds()
    batch = log_mel(seconds, n_fft)
    assert batch.dtype == np.float32 and batch.shape == (6, 201, 64)
    for spectrogram, second in zip(batch, seconds, strict=True):
        np.testing.assert_allclose(spectrogram, librosa_log_mel(second, n_fft), rtol=0, atol=1e-4)


def test_the_published_window_leaves_mel_filters_empty_and_a_longer_one_does_not():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert not mel_filters(160).any(1).all()
        assert mel_filters(512).any(1).all()


def vggish_in_float64(samples: np.ndarray) -> np.ndarray:
    """Oracle: VGGish's log-mel, one window and one band at a time, [496, 64]."""
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 400)
    mel = 1127 * np.log1p(np.arange(257) * 16_000 / 512 / 700)
    edges = np.linspace(1127 * np.log1p(125 / 700), 1127 * np.log1p(7500 / 700), 66)
    rows = []
    for number in range(496):
        magnitude = np.abs(np.fft.fft(samples[160 * number : 160 * number + 400].astype(np.float64) * hann, 512))[:257]
        row = []
        for lower, middle, upper in zip(edges, edges[1:], edges[2:], strict=False):
            triangle = np.minimum((mel - lower) / (middle - lower), (upper - mel) / (upper - middle)).clip(min=0)
            row.append(np.log(triangle @ magnitude + 0.01))
        rows.append(row)
    return np.array(rows)


def test_five_seconds_have_the_log_mel_of_vggish():
    time = np.arange(80_000) / 16_000
    sweep = 0.3 * np.sin(2 * np.pi * (60 + 700 * time) * time)
    audio = np.stack([np.zeros(80_000), noise(5), sweep, click(4.96, 5)]).astype(np.float32)
    found = vggish_log_mel(audio)
    assert found.dtype == np.float32 and found.shape == (4, 496, 64)
    for spectrogram, samples in zip(found, audio, strict=True):
        np.testing.assert_allclose(spectrogram, vggish_in_float64(samples), rtol=0, atol=1e-4)
