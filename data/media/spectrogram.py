"""Log-mel spectrograms of one-second sounds: librosa's, many seconds in one batch.

With the published window of 160 samples there are 81 frequency bins, and some of the 64 mel filters cover none of them:
their columns are constant. The published front end is like that, and so is this one, unless a longer window is chosen.
"""

import functools
import warnings

import librosa
import numpy as np

from data.preprocess.settings import N_FFT

SAMPLE_RATE = 16_000  # Hz
HOP_LENGTH = 80  # samples, 5 ms
N_MELS = 64
TOP_DB = 80.0
SECONDS_A_BATCH = 300  # of the published window: bounds the memory of a long file to some 100 MB


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
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Empty filters")  # known, see the module's docstring
        return librosa.filters.mel(sr=SAMPLE_RATE, n_fft=n_fft, n_mels=N_MELS)


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
    magnitude = np.abs(
        librosa.stft(seconds, n_fft=n_fft, hop_length=HOP_LENGTH, window="hann", center=True, pad_mode="constant")
    )  # [n, n_fft // 2 + 1, 201]
    mel = mel_filters(n_fft) @ magnitude  # [n, 64, 201]
    decibels = librosa.power_to_db(mel, top_db=None)
    # librosa's own top_db would look at the loudest value of the whole batch.
    loudest = decibels.max(axis=(1, 2), keepdims=True)
    return np.maximum(decibels, loudest - TOP_DB).transpose(0, 2, 1).astype(np.float32)
