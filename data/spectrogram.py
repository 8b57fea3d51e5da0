"""Log-mel spectrograms of one-second sounds: librosa's, many seconds in one batch.

With 81 frequency bins some of the 64 mel filters cover no bin at all: their columns are constant. The published front
end is like that, and so is this one.
"""

import functools
import warnings

import librosa
import numpy as np

SAMPLE_RATE = 16_000  # Hz
N_FFT = 160  # samples, 10 ms
HOP_LENGTH = 80  # samples, 5 ms
N_MELS = 64
TOP_DB = 80.0

SETTINGS = {
    "sample_rate": SAMPLE_RATE,
    "n_fft": N_FFT,
    "hop_length": HOP_LENGTH,
    "n_mels": N_MELS,
    "top_db": TOP_DB,
}
SECONDS_A_BATCH = 300  # bounds the memory of a long file to some 100 MB


@functools.cache
def mel_filters() -> np.ndarray:
    """Mel filter bank, float32 (64, 81), up to 8 kHz."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Empty filters")  # known, see the module's docstring
        return librosa.filters.mel(sr=SAMPLE_RATE, n_fft=N_FFT, n_mels=N_MELS)


def log_mel(seconds: np.ndarray) -> np.ndarray:
    """Log-mel spectrograms on magnitudes, each second by itself.

    Args:
        seconds: float32 (n, 16000), sound at 16 kHz.

    Returns:
        float32 (n, 201, 64), decibels, none more than 80 below the loudest of the same second.
    """
    batches = [seconds[i : i + SECONDS_A_BATCH] for i in range(0, len(seconds), SECONDS_A_BATCH)]
    return np.concatenate([_log_mel_batch(batch) for batch in batches])


def _log_mel_batch(seconds: np.ndarray) -> np.ndarray:
    magnitude = np.abs(
        librosa.stft(seconds, n_fft=N_FFT, hop_length=HOP_LENGTH, window="hann", center=True, pad_mode="constant")
    )  # [n, 81, 201]
    mel = mel_filters() @ magnitude  # [n, 64, 201]
    decibels = librosa.power_to_db(mel, top_db=None)
    # librosa's own top_db would look at the loudest value of the whole batch.
    loudest = decibels.max(axis=(1, 2), keepdims=True)
    return np.maximum(decibels, loudest - TOP_DB).transpose(0, 2, 1).astype(np.float32)
