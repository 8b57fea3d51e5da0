"""Decodes audio to mono, aligned to the video by time stamps: a whole file, or windows around instants."""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import av
import librosa
import numpy as np
import soxr

from common.errors import MediaError
from data.media.container import (
    LONGEST_GAP_SECONDS,
    audio_stream_of,
    decoded_frames,
    is_broadcast,
    open_media,
    packet_pts,
    single_file,
    video_stream_of,
)
from data.media.notes import note
from data.media.timeline import Timeline

GAP_SECONDS = 0.05  # time stamps stray less by rounding; beyond, audio is really missing or doubled
LEVEL_SECONDS = 0.25  # a level is taken over this time; over less, a rest between two notes would be silence
LOUDEST = 1e4  # of full scale; floating-point audio may exceed 1, but not by 80 decibels
FLOOR_DECIBELS = -120.0  # the level of digital silence


@dataclass(frozen=True)
class Audio:
    """Mono audio; full scale is 1."""

    samples: np.ndarray  # float32 [n]
    rate: int  # samples a second
    start: float  # seconds from the first frame of the video to the first sample; negative if the audio starts earlier


def audio_of_name(videos: Sequence[Path], audio_file: Path | None) -> Audio:
    """Decode the audio of one NAME: its separate audio file if it has one, else the audio track of its video."""
    if audio_file is None:
        return audio_of_video(single_file(videos))
    try:
        packet_pts(audio_file)  # finds a file that is cut short
        return decode_audio(audio_file)
    except MediaError as error:
        raise MediaError(f"{audio_file}: {error}") from error


def audio_of_video(path: Path) -> Audio:
    """Decode the audio track of a video, aligned to its first frame."""
    if packet_pts(path) is None:  # no video, or no time stamps
        return decode_audio(path)
    with open_media(path) as container:  # the first packets of a video that was cut out of a stream may not decode
        first = next(decoded_frames(container, video_stream_of(container)), None)
    return decode_audio(path, first.time if first else None)


def decode_audio(path: Path, video_start: float | None = None) -> Audio:
    """Decode the audio stream that a player plays to mono, the mean of its channels.

    A gap in the time stamps becomes silence. Where time stamps overlap, the later audio is dropped. `video_start` is
    the time stamp of the first frame in seconds; None aligns the first sample to the first frame.
    """
    pieces = list(stream_audio(path, video_start))
    return Audio(np.concatenate([piece.samples for piece in pieces]), pieces[0].rate, pieces[0].start)


def stream_audio(path: Path, video_start: float | None = None) -> Iterator[Audio]:
    """Yield the audio of `decode_audio` in consecutive pieces, for files that do not fit into memory."""
    for piece in stream_channels(path, video_start):
        yield replace(piece, samples=piece.samples.mean(1))


def stream_channels(path: Path, video_start: float | None = None) -> Iterator[Audio]:
    """Yield the audio of `stream_audio` with all its channels: samples are float32 [n, channels]."""
    with open_media(path) as container:
        stream = audio_stream_of(container)
        timeline = Timeline(is_broadcast(container))
        rate = start = count = layout = None
        for frame in decoded_frames(container, stream, timeline):
            if rate is None:
                rate, count = frame.sample_rate, 0
                start = frame.time - video_start if None not in (video_start, frame.time) else 0.0
                first_time = frame.time
            if frame.sample_rate != rate:
                raise MediaError(f"its sample rate changes from {rate} to {frame.sample_rate} Hz midway; re-encode it")
            if frame.layout.name != layout:  # also a broadcast that changes from stereo to 5.1
                layout, channels = frame.layout.name, frame.layout.nb_channels
                to_float = av.AudioResampler(format="flt")  # packed: of 8 and more planes PyAV reads past the end
            missing = round((frame.time - first_time) * rate) - count if None not in (frame.time, first_time) else 0
            tolerance = 0.0 if (stream.index, frame.pts) in timeline.joins else GAP_SECONDS
            for converted in to_float.resample(frame):
                samples = _finite(converted.to_ndarray().reshape(-1, channels))
                samples = _fill_or_trim(samples, missing, rate, tolerance)
                if len(samples):
                    yield Audio(samples, rate, start + count / rate)
                    count += len(samples)
        if not count:
            raise MediaError("none of its audio can be decoded")


def _finite(samples: np.ndarray) -> np.ndarray:
    """Replace samples that are not numbers, infinite or absurd, as a broken plug-in writes them, by silence."""
    good = np.abs(samples) < LOUDEST
    if good.all():
        return samples
    note("some samples of its audio are no numbers; taken as silence")
    return np.where(good, samples, np.float32(0))


def _fill_or_trim(samples: np.ndarray, missing: int, rate: int, tolerance: float) -> np.ndarray:
    """Put `missing` samples of silence before the samples; a negative number drops their first ones.

    Up to `tolerance`, in seconds, do nothing.
    """
    if missing > LONGEST_GAP_SECONDS * rate:
        raise MediaError(f"the time stamps of its audio leap by {missing / rate:.0f} seconds; re-encode it")
    if missing > GAP_SECONDS * rate:
        note("its audio has gaps, which became silence")
    if missing < -GAP_SECONDS * rate:
        note("the time stamps of its audio overlap; the later audio was dropped")
    if missing > tolerance * rate:
        return np.concatenate([np.zeros((missing, samples.shape[1]), np.float32), samples])
    return samples[-missing:] if missing < -tolerance * rate else samples


def whole_seconds(audio: Audio, rate: int) -> tuple[int, np.ndarray]:
    """Return the first whole second, and the samples of it and the following: float32 [seconds, rate], by soxr_hq.

    Silence completes the second in which the audio starts. The second in which it ends is dropped.
    """
    samples = librosa.resample(audio.samples, orig_sr=audio.rate, target_sr=rate, res_type="soxr_hq")
    start = round(audio.start * rate)
    if start < 0:
        samples, start = samples[-start:], 0
    first_second, silence = divmod(start, rate)
    samples = np.concatenate([np.zeros(silence, np.float32), samples])
    seconds = len(samples) // rate
    return first_second, samples[: seconds * rate].reshape(seconds, rate)


class AudioWindow:
    """The audio of `stream_audio` around instants, which must not go back. Outside the audio there is silence.

    It holds few seconds in memory; its samples are those of `whole_seconds`.
    """

    def __init__(self, pieces: Iterable[Audio], rate: int, seconds: int = 1) -> None:
        self._rate, self._size = rate, rate * seconds
        self._chunks = _resampled(pieces, rate)
        self._first, self._samples = 0, np.zeros(0, np.float32)  # what is in memory; the number of its first sample

    def around(self, time: float) -> np.ndarray:
        """Return the window centered at `time`, in seconds of the video: float32 [seconds * rate].

        Near the start and the end of the audio, return its first or last whole window.
        """
        start = max(0, round(time * self._rate) - self._size // 2)
        self._read(start, start + self._size)
        start = max(0, min(start, self._end - self._size))
        return self._between(start, start + self._size)

    def level(self, time: float) -> float:
        """Return the root mean square around `time` in decibels of full scale, at least -120."""
        start, stop = (max(0, round((time + side * LEVEL_SECONDS / 2) * self._rate)) for side in (-1, 1))
        self._read(start, stop)
        power = np.mean(np.square(self._between(start, stop), dtype=np.float64))
        return max(FLOOR_DECIBELS, 10 * float(np.log10(power))) if power > 0 else FLOOR_DECIBELS

    @property
    def _end(self) -> int:
        return self._first + len(self._samples)

    def _read(self, start: int, stop: int) -> None:
        """Read up to sample `stop`. Of what is more than a window before `start`, only the last window stays."""
        while self._end < stop and (chunk := next(self._chunks, None)) is not None:
            dropped = max(0, min(len(self._samples), start - self._first) - self._size)
            self._samples = np.concatenate([self._samples[dropped:], chunk])
            self._first += dropped

    def _between(self, start: int, stop: int) -> np.ndarray:
        """Return samples [start, stop), completed with silence at the end of the audio."""
        samples = self._samples[max(0, start - self._first) : max(0, stop - self._first)]
        return np.pad(samples, (0, stop - start - len(samples)))


def _resampled(pieces: Iterable[Audio], rate: int) -> Iterator[np.ndarray]:
    """Yield all samples at `rate`, from the start of the video on."""
    end = Audio(np.zeros(0, np.float32), rate, 0.0)  # there the resampler gives what it still holds
    resampler = None
    for piece in itertools.chain(pieces, [end]):
        if resampler is None:
            resampler, start = soxr.ResampleStream(piece.rate, rate, 1, quality="HQ"), round(piece.start * rate)
            for second in range(0, start, rate):  # one at a time: audio may begin after hours
                yield np.zeros(min(rate, start - second), np.float32)
            early = max(0, -start)  # samples before the video
        samples = resampler.resample_chunk(np.ascontiguousarray(piece.samples), last=piece is end)
        yield samples[early:]
        early -= min(early, len(samples))
