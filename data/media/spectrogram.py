"""Log-mel spectrograms of audio: of one second as librosa computes them, of five seconds as VGGish does.

The published window of 160 samples has 81 frequency bins, and some of the 64 mel filters cover none of them: their
columns are constant. This front end does the same, unless a longer window is chosen.

Those of five seconds have the parameters of VGGish (Hershey et al., "CNN architectures for large-scale audio
classification", ICASSP 2017), as in the CVPR paper.
"""

import functools
import warnings

import librosa
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from data.preprocess.settings import LONG, N_FFT, SHORT

SAMPLE_RATE = 16_000  # Hz
HOP_LENGTH = 80  # samples, 5 ms
N_MELS = 64
TOP_DB = 80.0
VGGISH = {"n_fft": 512, "win_length": 400, "hop_length": 160, "fmin": 125, "fmax": 7500, "offset": 0.01}
VGGISH_COLUMNS = 496  # of the 498 windows of 25 ms in five seconds, one each 10 ms


def settings(n_fft: int = N_FFT, seconds: int = SHORT) -> dict[str, object]:
    """Return the settings that spectrograms depend on, to be recorded beside them."""
    if seconds == LONG:
        return {"seconds": LONG, "sample_rate": SAMPLE_RATE, "n_mels": N_MELS, **VGGISH}
    return {"sample_rate": SAMPLE_RATE, "n_fft": n_fft, "hop_length": HOP_LENGTH, "n_mels": N_MELS, "top_db": TOP_DB}


@functools.cache
def mel_filters(n_fft: int = N_FFT) -> np.ndarray:
    """Return the mel filter bank up to 8 kHz, float32 [64, n_fft // 2 + 1]."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Empty filters")  # known, see the module's docstring
        return librosa.filters.mel(sr=SAMPLE_RATE, n_fft=n_fft, n_mels=N_MELS)


def spectrograms(audio: np.ndarray, n_fft: int, seconds: int) -> np.ndarray:
    """Compute the spectrograms of audio [n, 16000 `seconds`], float32 [n, T, 64]; `n_fft` is for those of a second."""
    return vggish_log_mel(audio) if seconds == LONG else log_mel(audio, n_fft)


@functools.cache
def vggish_filters() -> np.ndarray:
    """Return the mel filter bank of VGGish: triangles of height 1 on HTK's mel scale, float32 [64, 257]."""
    bands = librosa.mel_frequencies(N_MELS + 2, fmin=VGGISH["fmin"], fmax=VGGISH["fmax"], htk=True)  # edges and peaks
    bands = librosa.hz_to_mel(bands, htk=True)
    bins = librosa.hz_to_mel(librosa.fft_frequencies(sr=SAMPLE_RATE, n_fft=VGGISH["n_fft"]), htk=True)
    slopes = (bins - bands[:, None]) / np.diff(bands)[0]
    filters = np.maximum(0, np.minimum(slopes[:-2], -slopes[2:]))  # straight on the mel scale, unlike librosa's
    filters[:, 0] = 0  # as there: no constant component
    return filters.astype(np.float32)


def vggish_log_mel(audio: np.ndarray) -> np.ndarray:
    """Compute log(mel + 0.01) of magnitudes of five seconds each, [n, 80000] -> float32 [n, 496, 64]."""
    window = librosa.filters.get_window("hann", VGGISH["win_length"]).astype(np.float32)
    windows = sliding_window_view(audio, len(window), axis=1)[:, :: VGGISH["hop_length"]][:, :VGGISH_COLUMNS]
    magnitude = np.abs(np.fft.rfft(windows * window, VGGISH["n_fft"]))  # [n, 496, 257]
    return np.log(magnitude @ vggish_filters().T + VGGISH["offset"]).astype(np.float32)


def log_mel(seconds: np.ndarray, n_fft: int = N_FFT) -> np.ndarray:
    """Compute the log-mel spectrograms of seconds [n, 16000] from magnitudes, with a window of an even length.

    Returns float32 [n, 201, 64], decibels, at most 80 below the maximum of the same second.
    """
    magnitudes = (np.abs(librosa.stft(second, n_fft=n_fft, hop_length=HOP_LENGTH)) for second in seconds)
    decibels = [librosa.power_to_db(mel_filters(n_fft) @ magnitude, top_db=TOP_DB).T for magnitude in magnitudes]
    return np.stack(decibels, dtype=np.float32)
