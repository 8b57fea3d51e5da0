"""Every picture of a video in the order in which they are shown, each with a time stamp that lies after the last."""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from common.errors import MediaError, MediaWarning
from data.media.container import decoded_frames, open_media, promised_stamps, video_stream_of

USUAL_RATE = 25  # frames a second, of a file that does not tell


@dataclass(frozen=True)
class StreamFrame:
    """A decoded picture.

    Attributes:
        index: number of the picture in the video.
        pts: when it is shown, in ticks of its stream.
        time: the same in seconds since the first picture.
        frame: as decoded, to be turned by `frame.rotation` to be upright.
    """

    index: int
    pts: int
    time: float
    frame: av.VideoFrame


def count_frames(path: Path) -> int:
    """How many pictures a video promises to have, from its packets: cheap, and says what is wrong with the file.

    Raises:
        MediaError: the file cannot be read, is cut short, or has no pictures.
    """
    with open_media(path) as container:
        video_stream_of(container)
    return sum(1 for _ in promised_stamps(path))


def stream_frames(container: InputContainer, stream: VideoStream) -> Iterator[StreamFrame]:
    """Decode a video from its start.

    A picture whose time stamp is missing, or does not lie after that of the one before, is taken to be shown one
    frame's duration after it.

    Raises:
        MediaError: the file cannot be read to its end, or none of its pictures can be decoded.
    """
    rate = stream.average_rate or stream.guessed_rate or USUAL_RATE
    duration = max(1, round(1 / (rate * stream.time_base)))
    first = last = None
    repaired = 0
    index = -1
    for index, frame in enumerate(decoded_frames(container, stream)):
        pts = frame.pts
        if pts is None or (last is not None and pts <= last):
            pts = 0 if last is None else last + duration
            repaired += 1
        first, last = pts if first is None else first, pts
        yield StreamFrame(index, pts, float((pts - first) * stream.time_base), frame)
    if index < 0:
        raise MediaError("no frame of it can be decoded")
    if repaired:
        told = f"{repaired} of its pictures have no time stamp of their own; they follow at {float(rate):.2f} frames/s"
        warnings.warn(told, MediaWarning, stacklevel=2)
