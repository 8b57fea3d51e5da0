"""The sound of a video or sound file, decoded with PyAV, mixed to mono and aligned to the picture by time stamps."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import librosa
import numpy as np

from common.errors import MediaError
from data.media.container import LONGEST_GAP_SECONDS, audio_stream_of, decoded_frames, open_media, scan, video_stream_of
from data.media.notes import note

GAP_SECONDS = 0.05  # time stamps stray less than this by rounding; beyond, sound is really missing or doubled


@dataclass(frozen=True)
class Audio:
    """Mono sound.

    Attributes:
        samples: float32 (n,), full scale is 1.
        rate: samples a second.
        start: seconds from the first picture to the first sample; negative if the sound starts earlier.
    """

    samples: np.ndarray
    rate: int
    start: float


def decode_audio(path: Path, picture_start: float | None = None) -> Audio:
    """Decode a file's first audio stream to mono, the mean of its channels.

    Where time stamps leave a gap there is silence, where they overlap the later sound is dropped.

    Args:
        path: any file with sound.
        picture_start: time stamp of the first picture in seconds; None aligns the first sample to it.

    Raises:
        MediaError: the file cannot be read, has no sound or none that can be decoded.
    """
    pieces = list(stream_audio(path, picture_start))
    return Audio(np.concatenate([piece.samples for piece in pieces]), pieces[0].rate, pieces[0].start)


def stream_audio(path: Path, picture_start: float | None = None) -> Iterator[Audio]:
    """The sound of `decode_audio` as pieces that follow one another, for files that are longer than the memory.

    Raises:
        MediaError: as `decode_audio`, as soon as it is found.
    """
    with open_media(path) as container:
        stream = audio_stream_of(container)
        to_float = av.AudioResampler(format="fltp")
        rate = start = count = None
        for frame in decoded_frames(container, stream):
            if rate is None:
                rate, count = frame.sample_rate, 0
                start = frame.time - picture_start if None not in (picture_start, frame.time) else 0.0
                first_time = frame.time
                layout = frame.layout.name
            if frame.sample_rate != rate:
                raise MediaError(f"its sample rate changes from {rate} to {frame.sample_rate} Hz midway; re-encode it")
            if frame.layout.name != layout:  # a broadcast that changes from stereo to 5.1
                to_float, layout = av.AudioResampler(format="fltp"), frame.layout.name
            missing = round((frame.time - first_time) * rate) - count if None not in (frame.time, first_time) else 0
            for converted in to_float.resample(frame):
                piece = _placed(librosa.to_mono(converted.to_ndarray()), missing, rate)
                yield Audio(piece, rate, start + count / rate)
                count += len(piece)
        if not count:
            raise MediaError("no sound of it can be decoded")


def _placed(samples: np.ndarray, missing: int, rate: int) -> np.ndarray:
    """Samples with silence before them, or shortened at their head, where `missing` says by more than rounding."""
    if missing > LONGEST_GAP_SECONDS * rate:
        raise MediaError(f"its sound's time stamps leap by {missing / rate:.0f} seconds; re-encode it")
    if missing > GAP_SECONDS * rate:
        note("its sound has gaps, which became silence")
        return np.concatenate([np.zeros(missing, np.float32), samples])
    if missing < -GAP_SECONDS * rate:
        note("its sound's time stamps overlap; the later sound was dropped")
        return samples[-missing:]
    return samples


def audio_of_video(path: Path) -> Audio:
    """Decode the sound inside a video, aligned to its first picture.

    Raises:
        MediaError: the file cannot be read, is cut short, or has no sound.
    """
    return decode_audio(path, _picture_start(path))


def audio_of_file(path: Path) -> Audio:
    """Decode a sound file, its start aligned to the first picture.

    Raises:
        MediaError: the file cannot be read, is cut short, or has no sound.
    """
    scan(path)
    return decode_audio(path)


def _picture_start(path: Path) -> float | None:
    """When the first picture is shown that decodes, in seconds; None without pictures or time stamps.

    A video cut out of a stream may begin with packets that refer to what was cut away.
    """
    if scan(path) is None:
        return None
    with open_media(path) as container:
        first = next(iter(decoded_frames(container, video_stream_of(container))), None)
        return None if first is None else first.time


def whole_seconds(sound: Audio, rate: int) -> tuple[int, np.ndarray]:
    """Resample a sound and cut it into the whole seconds of the picture.

    The second in which the sound sets in is filled up with silence, the one in which it ends is dropped.

    Args:
        sound: mono sound.
        rate: samples a second to resample to, by soxr_hq.

    Returns:
        The first second, and float32 (seconds, rate): the sound of it and of those that follow.
    """
    samples = librosa.resample(sound.samples, orig_sr=sound.rate, target_sr=rate, res_type="soxr_hq")
    start = round(sound.start * rate)
    if start < 0:
        samples, start = samples[-start:], 0
    first_second, silence = divmod(start, rate)
    samples = np.concatenate([np.zeros(silence, np.float32), samples])
    seconds = len(samples) // rate
    return first_second, samples[: seconds * rate].reshape(seconds, rate)
