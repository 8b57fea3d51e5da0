"""Yields all frames of a video in presentation order, with strictly ascending time stamps."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from common.errors import MediaError
from data.media.container import decoded_frames
from data.media.notes import note

USUAL_RATE = 25  # frames a second of a file that states no rate


@dataclass(frozen=True)
class StreamFrame:
    """A decoded frame."""

    index: int  # in the video
    pts: int  # presentation time in ticks of the stream
    time: float  # seconds since the first frame
    frame: av.VideoFrame  # as decoded; `data.media.video.orientation` tells how it is shown


def stream_frames(container: InputContainer, stream: VideoStream) -> Iterator[StreamFrame]:
    """Decode a video from its start.

    A frame without a time stamp, or with one that does not ascend, is shown one frame duration after the last.
    """
    rate = stream.average_rate or stream.guessed_rate or USUAL_RATE
    duration = 1 / (rate * stream.time_base)  # not rounded: many frames may follow one another
    first = last = None
    due, repaired = Fraction(0), 0
    for index, frame in enumerate(decoded_frames(container, stream)):
        pts = frame.pts
        if pts is None or (last is not None and pts <= last):
            pts = round(due) if last is None else max(round(due), last + 1)
            repaired += 1
        else:
            due = Fraction(pts)
        due += duration
        first, last = pts if first is None else first, pts
        yield StreamFrame(index, pts, float((pts - first) * stream.time_base), frame)
    if first is None:
        raise MediaError("none of its frames can be decoded")
    if repaired:
        note(f"{repaired} of its frames have no time stamp of their own; they follow at {float(rate):.2f} frames/s")
