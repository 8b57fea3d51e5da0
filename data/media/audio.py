"""Decodes the audio of a video or audio file to mono and aligns it to the video by time stamps."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import av
import librosa
import numpy as np

from common.errors import MediaError
from data.media.container import (
    LONGEST_GAP_SECONDS,
    audio_stream_of,
    decoded_frames,
    open_media,
    packet_pts,
    single_file,
    video_stream_of,
)
from data.media.notes import note

GAP_SECONDS = 0.05  # time stamps stray less by rounding; beyond, audio is really missing or doubled


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
    """Decode a file's first audio stream to mono, the mean of its channels.

    A gap in the time stamps becomes silence. Where time stamps overlap, the later audio is dropped. `video_start` is
    the time stamp of the first frame in seconds; None aligns the first sample to the first frame.
    """
    pieces = list(stream_audio(path, video_start))
    return Audio(np.concatenate([piece.samples for piece in pieces]), pieces[0].rate, pieces[0].start)


def stream_audio(path: Path, video_start: float | None = None) -> Iterator[Audio]:
    """Yield the audio of `decode_audio` in consecutive pieces, for files that do not fit into memory."""
    with open_media(path) as container:
        stream = audio_stream_of(container)
        to_float = av.AudioResampler(format="fltp")
        rate = start = count = None
        for frame in decoded_frames(container, stream):
            if rate is None:
                rate, count = frame.sample_rate, 0
                start = frame.time - video_start if None not in (video_start, frame.time) else 0.0
                first_time = frame.time
                layout = frame.layout.name
            if frame.sample_rate != rate:
                raise MediaError(f"its sample rate changes from {rate} to {frame.sample_rate} Hz midway; re-encode it")
            if frame.layout.name != layout:  # a broadcast that changes from stereo to 5.1
                to_float, layout = av.AudioResampler(format="fltp"), frame.layout.name
            missing = round((frame.time - first_time) * rate) - count if None not in (frame.time, first_time) else 0
            for converted in to_float.resample(frame):
                samples = _fill_or_trim(librosa.to_mono(converted.to_ndarray()), missing, rate)
                yield Audio(samples, rate, start + count / rate)
                count += len(samples)
        if not count:
            raise MediaError("none of its audio can be decoded")


def _fill_or_trim(samples: np.ndarray, missing: int, rate: int) -> np.ndarray:
    """Put `missing` samples of silence before the samples; a negative number drops their first ones."""
    if missing > LONGEST_GAP_SECONDS * rate:
        raise MediaError(f"the time stamps of its audio leap by {missing / rate:.0f} seconds; re-encode it")
    if missing > GAP_SECONDS * rate:
        note("its audio has gaps, which became silence")
        return np.concatenate([np.zeros(missing, np.float32), samples])
    if missing < -GAP_SECONDS * rate:
        note("the time stamps of its audio overlap; the later audio was dropped")
        return samples[-missing:]
    return samples


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
