"""Log-mel spectrograms of seconds of audio, as librosa computes them, many seconds in one batch.

The published window of 160 samples has 81 frequency bins, and some of the 64 mel filters cover none of them: their
columns are constant. This front end does the same, unless a longer window is chosen.
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
SECONDS_A_BATCH = 300  # with the published window; a long file needs some 100 MB of memory


def settings(n_fft: int = N_FFT) -> dict[str, object]:
    """Return the settings that spectrograms depend on, to be recorded beside them."""
    return {"sample_rate": SAMPLE_RATE, "n_fft": n_fft, "hop_length": HOP_LENGTH, "n_mels": N_MELS, "top_db": TOP_DB}


@functools.cache
def mel_filters(n_fft: int = N_FFT) -> np.ndarray:
    """Return the mel filter bank up to 8 kHz, float32 [64, n_fft // 2 + 1]."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Empty filters")  # known, see the module's docstring
        return librosa.filters.mel(sr=SAMPLE_RATE, n_fft=n_fft, n_mels=N_MELS)


def log_mel(seconds: np.ndarray, n_fft: int = N_FFT) -> np.ndarray:
    """Compute the log-mel spectrograms of seconds [n, 16000] from magnitudes, with a window of an even length.

    Returns float32 [n, 201, 64], decibels, at most 80 below the maximum of the same second.
    """
    size = max(1, SECONDS_A_BATCH * N_FFT // n_fft)
    batches = [seconds[i : i + size] for i in range(0, len(seconds), size)]
    return np.concatenate([_log_mel_batch(batch, n_fft) for batch in batches])


def _log_mel_batch(seconds: np.ndarray, n_fft: int) -> np.ndarray:
    magnitude = np.abs(librosa.stft(seconds, n_fft=n_fft, hop_length=HOP_LENGTH))  # [n, n_fft // 2 + 1, 201]
    mel = mel_filters(n_fft) @ magnitude  # [n, 64, 201]
    decibels = librosa.power_to_db(mel, top_db=None)
    # librosa's own top_db would use the maximum of the whole batch.
    maximum = decibels.max(axis=(1, 2), keepdims=True)
    return np.maximum(decibels, maximum - TOP_DB).transpose(0, 2, 1).astype(np.float32)
