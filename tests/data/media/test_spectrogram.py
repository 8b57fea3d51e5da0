"""Spectrograms of many seconds against librosa, one second at a time."""

import warnings

import numpy as np
import pytest

from data.media.spectrogram import log_mel, mel_filters
from tests.fixtures.media import click, librosa_log_mel, noise

pytestmark = pytest.mark.filterwarnings("ignore:Empty filters detected")  # the published front end has them


def awkward_seconds() -> np.ndarray:
    """Silence, a click, full-scale noise, a whisper, a tone, a loud and a soft half: float32 [6, 16000]."""
    time = np.arange(16_000) / 16_000
    loud = np.random.default_rng(0).uniform(-1, 1, 16_000)
    tone, step = 0.5 * np.sin(2 * np.pi * 440 * time), np.where(time < 0.5, 1, 1e-5) * loud
    return np.stack([np.zeros(16_000), click(0.5, 1), loud, noise(1, level=1e-4), tone, step]).astype(np.float32)


@pytest.mark.parametrize("n_fft", [160, 512, 4096])
def test_each_second_of_all_batches_equals_librosa_on_that_second_alone(n_fft, monkeypatch):
    monkeypatch.setattr("data.media.spectrogram.SECONDS_A_BATCH", 4 * n_fft // 160)
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
