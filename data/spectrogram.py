"""Log-mel spectrograms of one-second sounds: librosa's in each figure (tested), many seconds in one batch.

With the published window of 160 samples there are 81 frequency bins, and some of the 64 mel filters cover none of them:
their columns are constant. The published front end is like that, and so is this one, unless a longer window is chosen.
"""

import functools

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from data.mel_filters import mel_filter_bank

SAMPLE_RATE = 16_000  # Hz
N_FFT = 160  # samples, 10 ms, as published; the window is as long
HOP_LENGTH = 80  # samples, 5 ms
N_MELS = 64
TOP_DB = 80.0
LEAST_POWER = 1e-10  # of a mel band: the logarithm of silence is finite
SECONDS_A_BATCH = 8  # of the published window: few enough to stay in a processor's cache


def settings(n_fft: int = N_FFT) -> dict[str, object]:
    """What spectrograms of this window depend on, to be recorded beside them."""
    return {
        "sample_rate": SAMPLE_RATE,
        "n_fft": n_fft,
        "hop_length": HOP_LENGTH,
        "n_mels": N_MELS,
        "top_db": TOP_DB,
    }


@functools.cache
def mel_filters(n_fft: int = N_FFT) -> np.ndarray:
    """Mel filter bank, float32 (64, n_fft // 2 + 1), up to 8 kHz."""
    return mel_filter_bank(SAMPLE_RATE, n_fft, N_MELS)


@functools.cache
def hann(n_fft: int) -> np.ndarray:
    """Hann window as for spectra, one period of it: (n_fft,); in double precision, as what is soft needs it."""
    return np.hanning(n_fft + 1)[:-1]


def log_mel(seconds: np.ndarray, n_fft: int = N_FFT) -> np.ndarray:
    """Log-mel spectrograms on magnitudes, each second by itself.

    Args:
        seconds: float32 (n, 16000), sound at 16 kHz.
        n_fft: samples of the window, even.

    Returns:
        float32 (n, 201, 64), decibels, none more than 80 below the loudest of the same second.
    """
    size = max(1, SECONDS_A_BATCH * N_FFT // n_fft)
    batches = [seconds[i : i + size] for i in range(0, len(seconds), size)]
    return np.concatenate([_log_mel_batch(batch, n_fft) for batch in batches])


def _log_mel_batch(seconds: np.ndarray, n_fft: int) -> np.ndarray:
    around = np.pad(seconds, ((0, 0), (n_fft // 2, n_fft // 2)))  # so that the first window is centred on 0 s
    windows = sliding_window_view(around, n_fft, axis=1)[:, ::HOP_LENGTH] * hann(n_fft)  # [n, 201, n_fft]
    magnitude = np.abs(np.fft.rfft(windows)).astype(np.float32, copy=False)  # [n, 201, n_fft // 2 + 1]
    mel = magnitude @ mel_filters(n_fft).T  # [n, 201, 64]
    decibels = 10 * np.log10(np.maximum(mel, np.float32(LEAST_POWER)))
    # TOP_DB is below the loudest value of each second, not of the batch.
    return np.maximum(decibels, decibels.max(axis=(1, 2), keepdims=True) - np.float32(TOP_DB))
