"""Triangular filters on the mel scale, as librosa has them: Slaney's scale, each filter of the same area.

Equal to ``librosa.filters.mel`` (tested). Importing librosa takes seconds, longer than cutting many a data set's sound,
and every worker process has to do it.

Source: M. Slaney, Auditory Toolbox, Interval Research technical report 1998-010.
"""

import numpy as np

LINEAR_HZ = 200 / 3  # Hz a mel, up to 1000 Hz
BREAK_MEL = 15.0  # 1000 Hz; above, the scale is logarithmic
LOG_STEP = np.log(6.4) / 27  # a mel more is a factor of exp(LOG_STEP)


def hz_to_mel(hz: float) -> float:
    """Frequency in Hz on Slaney's mel scale."""
    break_hz = BREAK_MEL * LINEAR_HZ
    return hz / LINEAR_HZ if hz < break_hz else BREAK_MEL + float(np.log(hz / break_hz)) / LOG_STEP


def mel_to_hz(mel: np.ndarray) -> np.ndarray:
    """Frequencies in Hz of places on Slaney's mel scale."""
    above = np.maximum(mel - BREAK_MEL, 0)  # 0 below the break
    return np.minimum(mel, BREAK_MEL) * LINEAR_HZ * np.exp(LOG_STEP * above)


def mel_filter_bank(sample_rate: int, n_fft: int, n_mels: int) -> np.ndarray:
    """Filters from 0 Hz to half the sample rate; one that covers no bin of a short window is empty.

    Returns:
        float32 (n_mels, n_fft // 2 + 1), the weight of each frequency bin.
    """
    bins = np.arange(n_fft // 2 + 1) * sample_rate / n_fft  # Hz
    edges = mel_to_hz(np.linspace(0, hz_to_mel(sample_rate / 2), n_mels + 2))  # Hz, of overlapping triangles
    lower, middle, upper = (edges[start : start + n_mels, None] for start in range(3))
    rising, falling = (bins - lower) / (middle - lower), (upper - bins) / (upper - middle)
    return (np.maximum(0, np.minimum(rising, falling)) * 2 / (upper - lower)).astype(np.float32)
