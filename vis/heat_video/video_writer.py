"""Encodes the frames of a heat video. Each is shown when its source frame was shown."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.codec.context import Flags
from av.container import OutputContainer
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream

from common.errors import UserError
from data.media.video import orientation
from data.media.video_stream import USUAL_RATE

KINDS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska"}  # FFmpeg's names of the formats
# As close to the frames as veryfast at 20 (0.3 to 0.5 dB closer) in 0.6 of its time, in files 1.3 times as large.
# No B-frames: with them, an mp4 file of variable frame rate states a wrong duration.
X264_OPTIONS = {"preset": "superfast", "crf": "22", "bf": "0"}
SECONDS_A_KEYFRAME = 2  # a player can seek to key frames
# Numbers of FFmpeg's AVColorSpace that its scaler converts: BT.709, FCC, BT.601 twice, 240M, BT.2020.
CONVERTIBLE_COLORSPACES = frozenset({1, 4, 5, 6, 7, 9})
UNSPECIFIED = 2  # color space, as of most files


def kind_of(path: Path) -> str:
    """FFmpeg's name of the format that a file name asks for."""
    kind = KINDS.get(path.suffix.lower())
    if kind is None:
        raise UserError(f"{path}: the file name of a video ends with {', '.join(KINDS)}, not {path.suffix!r}")
    return kind


class VideoWriter:
    """Encodes upright RGB frames with the time stamps of the source, moved so that `start` becomes 0.

    Args:
        target: the file, empty.
        stream: the video stream of the source. Its frame rate, time base and pixel shape are kept.
        like: the first frame of the source. Its color properties are kept.
        size: width and height. An odd side gets one more row or column, a copy of the last one.
        start: time stamp in the source, in seconds.
        threads: of the encoder.
    """

    def __init__(
        self,
        target: OutputContainer,
        stream: VideoStream,
        like: av.VideoFrame,
        size: tuple[int, int],
        start: Fraction,
        threads: int,
    ) -> None:
        self._target = target
        self._odd = tuple((0, length % 2) for length in reversed(size))
        self._ticks, self._shift = stream.time_base, round(start / stream.time_base)
        self._reformatter = VideoReformatter()  # shared: a new one costs more than a frame
        rate = stream.average_rate or stream.guessed_rate or USUAL_RATE
        self._encoder = target.add_stream("libx264", rate=rate, options=X264_OPTIONS)
        self._encoder.width, self._encoder.height = (length + length % 2 for length in size)
        self._encoder.pix_fmt = "yuv420p"
        context = self._encoder.codec_context
        context.time_base, context.gop_size = self._ticks, max(1, round(rate * SECONDS_A_KEYFRAME))
        context.flags |= Flags.frame_duration  # else the last frame gets the mean duration
        context.thread_count = threads
        if pixel_shape := stream.sample_aspect_ratio:
            context.sample_aspect_ratio = 1 / pixel_shape if orientation(like)[0] else pixel_shape
        self._colorspace = like.colorspace if like.colorspace in CONVERTIBLE_COLORSPACES else None
        self._color_range = like.color_range
        context.colorspace = self._colorspace or UNSPECIFIED
        context.color_range = like.color_range
        context.color_primaries, context.color_trc = like.color_primaries, like.color_trc

    def add(self, pixels: np.ndarray, pts: int, duration: int) -> Fraction:
        """Encode upright RGB, uint8 [height, width, 3], and return its time in the target, in seconds.

        `pts` and `duration` (0 if unknown) are in ticks of the stream of the source.
        """
        if any(more for _, more in self._odd):
            pixels = np.pad(pixels, (*self._odd, (0, 0)), mode="edge")
        frame = self._reformatter.reformat(
            av.VideoFrame.from_ndarray(pixels, format="rgb24"),
            format="yuv420p",
            dst_colorspace=self._colorspace,
            dst_color_range=self._color_range,
            threads=1,
        )
        frame.pts, frame.duration, frame.time_base = pts - self._shift, duration, self._ticks
        self._target.mux(self._encoder.encode(frame))
        return frame.pts * self._ticks

    def finish(self) -> None:
        """Write the frames that the encoder still holds."""
        self._target.mux(self._encoder.encode(None))
