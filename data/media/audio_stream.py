"""The sound around one instant after the other, read as it is needed: of a file of any length, a few seconds are kept.

The samples are those of `data.media.audio.whole_seconds`, by the same decoder and the same resampler.
"""

import itertools
from collections.abc import Iterable, Iterator

import numpy as np
import soxr

from data.media.audio import Audio

LEVEL_SECONDS = 0.25  # over which a level is taken: shorter than that, a rest between two notes is no silence
FLOOR_DECIBELS = -120.0  # the level of digital silence


class AudioWindow:
    """The sound around instants of the picture that only move on.

    Where a file has no sound, before it sets in or after it has ended, there is silence.

    Args:
        pieces: see `data.media.audio.stream_audio`.
        rate: samples a second to resample to, by soxr_hq.
    """

    def __init__(self, pieces: Iterable[Audio], rate: int) -> None:
        self._rate = rate
        self._chunks = _resampled(pieces, rate)
        self._first, self._samples = 0, np.zeros(0, np.float32)
        self._ended = False

    def second(self, time: float) -> np.ndarray:
        """The second whose middle is `time`, in seconds of the picture: float32 [rate].

        At both ends of the file it is the whole second there instead: its first one, and the last of its sound.

        Raises:
            MediaError: the sound cannot be decoded.
        """
        start = max(0, round(time * self._rate) - self._rate // 2)
        self._read(start, start + self._rate)
        if self._ended:
            start = max(0, min(start, self._end - self._rate))
        return self._between(start, start + self._rate)

    def level(self, time: float) -> float:
        """How loud it is around `time`: root mean square in decibels of full scale, at least -120.

        Raises:
            MediaError: the sound cannot be decoded.
        """
        start, stop = (round((time + side * LEVEL_SECONDS / 2) * self._rate) for side in (-1, 1))
        start = max(0, start)
        self._read(start, stop)
        power = np.mean(np.square(self._between(start, stop), dtype=np.float64))
        return max(FLOOR_DECIBELS, 10 * float(np.log10(power))) if power > 0 else FLOOR_DECIBELS

    @property
    def _end(self) -> int:
        return self._first + len(self._samples)

    def _read(self, start: int, stop: int) -> None:
        """Read on until sample `stop`, forgetting what is more than a second before `start`: nobody asks for it."""
        while self._end < stop and not self._ended:
            first, chunk = next(self._chunks, (0, None))
            if chunk is None:
                self._ended = True
                return
            if not len(self._samples):
                self._first = first
            forgotten = max(0, min(len(self._samples), start - self._rate - self._first))
            self._samples = np.concatenate([self._samples[forgotten:], chunk])
            self._first += forgotten

    def _between(self, start: int, stop: int) -> np.ndarray:
        """Samples [start, stop), silence where there are none."""
        samples = np.zeros(stop - start, np.float32)
        first, end = max(start, self._first), min(stop, self._end)
        if first < end:
            samples[first - start : end - start] = self._samples[first - self._first : end - self._first]
        return samples


def _resampled(pieces: Iterable[Audio], rate: int) -> Iterator[tuple[int, np.ndarray]]:
    """Pieces of sound at `rate`, float32, each with the number of its first sample; none lies before the picture."""
    pieces = iter(pieces)
    head = next(pieces, None)
    if head is None:
        return
    number = round(head.start * rate)
    for samples in _at_rate(itertools.chain([head], pieces), rate):
        before = max(0, -number)
        if before < len(samples):
            yield number + before, samples[before:]
        number += len(samples)


def _at_rate(pieces: Iterable[Audio], rate: int) -> Iterator[np.ndarray]:
    resampler = None
    for piece in pieces:
        if piece.rate == rate:
            yield piece.samples
            continue
        resampler = resampler or soxr.ResampleStream(piece.rate, rate, 1, dtype="float32", quality="HQ")
        yield resampler.resample_chunk(np.ascontiguousarray(piece.samples))
    if resampler:
        yield resampler.resample_chunk(np.zeros(0, np.float32), last=True)
