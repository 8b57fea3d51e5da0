"""Writes the pictures of a video anew, each when it was shown in the source."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.codec.context import Flags
from av.container import OutputContainer
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream

from common.errors import UserError
from data.media.video_stream import USUAL_RATE

KINDS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska"}  # FFmpeg's names of the formats
# Without B-frames: with them, an mp4 file whose frame rate varies states another duration than its pictures have.
X264_OPTIONS = {"preset": "veryfast", "crf": "20", "bf": "0"}
SECONDS_A_KEYFRAME = 2  # a player can jump to these
# Numbers of FFmpeg's AVColorSpace that its scaler converts from and to: BT.709, FCC, BT.601 twice, 240M, BT.2020.
CONVERTIBLE_COLORSPACES = frozenset({1, 4, 5, 6, 7, 9})
UNSPECIFIED = 2  # colour space, primaries or transfer curve: as most files have it


def kind_of(path: Path) -> str:
    """FFmpeg's name for the format that a file's ending asks for.

    Raises:
        UserError: it is none of those that are written here.
    """
    kind = KINDS.get(path.suffix.lower())
    if kind is None:
        raise UserError(f"{path}: videos are written as {', '.join(KINDS)}, not {path.suffix or 'without an ending'}")
    return kind


class VideoWriter:
    """Takes upright RGB pictures; a picture's time stamp is its source's, less the `start` of the source.

    Args:
        target: the file, empty.
        stream: of the source's pictures: rate, ticks, shape of the pixels.
        like: the source's first picture, whose colour properties the pictures get.
        size: width and height of the pictures. Odd ones are made even by repeating the last row or column.
        start: time stamp in the source, in seconds, that becomes 0.
        threads: of the encoder; 0 takes as many as there are cores.
    """

    def __init__(
        self,
        target: OutputContainer,
        stream: VideoStream,
        like: av.VideoFrame,
        size: tuple[int, int],
        start: Fraction,
        threads: int = 0,
    ) -> None:
        self._target = target
        self._odd = tuple((0, length % 2) for length in reversed(size))
        self._ticks, self._shift = stream.time_base, round(start / stream.time_base)
        self._reformatter = VideoReformatter()  # one for all: setting one up costs more than a picture
        rate = stream.average_rate or stream.guessed_rate or USUAL_RATE
        self._encoder = target.add_stream("libx264", rate=rate, options=X264_OPTIONS)
        self._encoder.width, self._encoder.height = (length + length % 2 for length in size)
        self._encoder.pix_fmt = "yuv420p"
        context = self._encoder.codec_context
        context.time_base, context.gop_size = self._ticks, max(1, round(rate * SECONDS_A_KEYFRAME))
        context.flags |= Flags.frame_duration  # else the last picture lasts as long as the mean one
        context.thread_count = threads
        if pixel_shape := stream.sample_aspect_ratio:
            context.sample_aspect_ratio = 1 / pixel_shape if round(like.rotation / 90) % 2 else pixel_shape
        self._colorspace = like.colorspace if like.colorspace in CONVERTIBLE_COLORSPACES else None
        self._color_range = like.color_range
        context.colorspace = self._colorspace or UNSPECIFIED
        context.color_range = like.color_range
        context.color_primaries, context.color_trc = like.color_primaries, like.color_trc

    def add(self, picture: np.ndarray, pts: int, duration: int) -> Fraction:
        """Write a picture; returns when it is shown, in seconds of the target.

        Args:
            picture: upright, RGB, uint8 [height, width, 3].
            pts: its time stamp in the source, in ticks of the source's stream.
            duration: how long it is shown, in the same ticks; 0 if that is not known.

        Raises:
            av.FFmpegError: it cannot be written.
        """
        if any(more for _, more in self._odd):
            picture = np.pad(picture, (*self._odd, (0, 0)), mode="edge")
        frame = self._reformatter.reformat(
            av.VideoFrame.from_ndarray(picture, format="rgb24"),
            format="yuv420p",
            dst_colorspace=self._colorspace,
            dst_color_range=self._color_range,
            threads=1,
        )
        frame.pts, frame.duration, frame.time_base = pts - self._shift, duration, self._ticks
        self._target.mux(self._encoder.encode(frame))
        return frame.pts * self._ticks

    def finish(self) -> None:
        """Write the pictures that the encoder still holds."""
        self._target.mux(self._encoder.encode(None))
