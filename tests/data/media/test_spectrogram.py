"""Spectrograms of many seconds against librosa, one second at a time."""

import warnings

import librosa
import numpy as np
import pytest

from data.media.spectrogram import log_mel, mel_filters
from tests.fixtures.media import click, librosa_log_mel, noise

pytestmark = pytest.mark.filterwarnings("ignore:Empty filters detected")  # the published front end has them


def awkward_seconds() -> np.ndarray:
    """Silence, a click, full-scale noise, a whisper, a tone, a loud and a soft half: float32 [6, 16000]."""
    time = np.arange(16_000) / 16_000
    return np.stack(
        [
            np.zeros(16_000),
            click(0.5, 1),
            np.random.default_rng(0).uniform(-1, 1, 16_000),
            noise(1, level=1e-4),
            0.5 * np.sin(2 * np.pi * 440 * time),
            np.where(time < 0.5, 1, 1e-5) * np.random.default_rng(1).uniform(-1, 1, 16_000),
        ]
    ).astype(np.float32)


@pytest.mark.parametrize("n_fft", [160, 512, 4096])
def test_each_second_of_a_batch_equals_librosa_on_that_second_alone(n_fft):
    seconds = awkward_seconds()
    batch = log_mel(seconds, n_fft)
    assert batch.dtype == np.float32 and batch.shape == (6, 201, 64)
    for spectrogram, second in zip(batch, seconds, strict=True):
        np.testing.assert_allclose(spectrogram, librosa_log_mel(second, n_fft), rtol=0, atol=1e-4)


def test_a_loud_second_does_not_raise_the_floor_of_the_others():
    quiet, loud = noise(1, level=1e-7), np.random.default_rng(0).uniform(-1, 1, 16_000).astype(np.float32)
    together = log_mel(np.stack([quiet, loud]))
    np.testing.assert_allclose(together[0], log_mel(quiet[None])[0], rtol=0, atol=1e-4)
    # librosa raises it if it gets the whole batch
    mel = librosa.feature.melspectrogram(
        y=np.stack([quiet, loud]), sr=16_000, n_fft=160, hop_length=80, n_mels=64, power=1.0
    )
    assert librosa.power_to_db(mel)[0].min() > together[0].min() + 10


def test_more_seconds_than_one_batch_give_the_same_spectrograms(monkeypatch):
    expected = log_mel(awkward_seconds())
    monkeypatch.setattr("data.media.spectrogram.SECONDS_A_BATCH", 4)
    np.testing.assert_array_equal(log_mel(awkward_seconds()), expected)


def test_the_published_window_leaves_mel_filters_empty_and_a_longer_one_does_not():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert not mel_filters(160).any(1).all()
        assert mel_filters(512).any(1).all()
