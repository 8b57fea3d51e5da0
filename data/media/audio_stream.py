"""Windows of a file's audio around advancing instants, with few seconds in memory; samples as of `whole_seconds`."""

import itertools
from collections.abc import Iterable, Iterator

import numpy as np
import soxr

from data.media.audio import Audio

LEVEL_SECONDS = 0.25  # a level is taken over this time; over less, a rest between two notes would be silence
FLOOR_DECIBELS = -120.0  # the level of digital silence


class AudioWindow:
    """The audio of `stream_audio` around instants, which must not go back. Outside the audio there is silence."""

    def __init__(self, pieces: Iterable[Audio], rate: int) -> None:
        self._rate = rate
        self._chunks = _resampled(pieces, rate)
        self._first, self._samples = 0, np.zeros(0, np.float32)
        self._ended = False

    def second(self, time: float) -> np.ndarray:
        """Return the second centered at `time`, in seconds of the video: float32 [rate].

        Near the start and the end of the audio, return its first or last whole second.
        """
        start = max(0, round(time * self._rate) - self._rate // 2)
        self._read(start, start + self._rate)
        if self._ended:
            start = max(0, min(start, self._end - self._rate))
        return self._between(start, start + self._rate)

    def level(self, time: float) -> float:
        """Return the root mean square around `time` in decibels of full scale, at least -120."""
        start, stop = (round((time + side * LEVEL_SECONDS / 2) * self._rate) for side in (-1, 1))
        start = max(0, start)
        self._read(start, stop)
        power = np.mean(np.square(self._between(start, stop), dtype=np.float64))
        return max(FLOOR_DECIBELS, 10 * float(np.log10(power))) if power > 0 else FLOOR_DECIBELS

    @property
    def _end(self) -> int:
        return self._first + len(self._samples)

    def _read(self, start: int, stop: int) -> None:
        """Read up to sample `stop`; samples more than a second before `start` are not needed any more."""
        while self._end < stop and not self._ended:
            first, chunk = next(self._chunks, (0, None))
            if chunk is None:
                self._ended = True
                return
            if not len(self._samples):
                self._first = first
            dropped = max(0, min(len(self._samples), start - self._rate - self._first))
            self._samples = np.concatenate([self._samples[dropped:], chunk])
            self._first += dropped

    def _between(self, start: int, stop: int) -> np.ndarray:
        """Return samples [start, stop), with silence outside the audio."""
        samples = np.zeros(stop - start, np.float32)
        first, end = max(start, self._first), min(stop, self._end)
        if first < end:
            samples[first - start : end - start] = self._samples[first - self._first : end - self._first]
        return samples


def _resampled(pieces: Iterable[Audio], rate: int) -> Iterator[tuple[int, np.ndarray]]:
    """Yield the index of the first sample and the samples of each piece at `rate`, from the start of the video on."""
    pieces = iter(pieces)
    head = next(pieces, None)
    if head is None:
        return
    index = round(head.start * rate)
    for samples in _at_rate(itertools.chain([head], pieces), rate):
        before = max(0, -index)
        if before < len(samples):
            yield index + before, samples[before:]
        index += len(samples)


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
