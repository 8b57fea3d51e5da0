"""Decodes the frames of a video that become samples, upright and in the size that is kept."""

import struct
from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.sidedata.sidedata import Type
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream
from PIL import Image

from common.errors import MediaError
from data.media.container import LONGEST_GAP_SECONDS, decoded_frames, open_media, video_stream_of
from data.media.frame_selection import constant_rate, select_frames
from data.media.video_stream import stream_frames

SHORT_SIDE = 256  # default size of the shorter side of sample frames, in pixels
UPRIGHT = (False, False, False)  # an `orientation`


class TimesDiffer(Exception):
    """The decoded frames have other time stamps than the packets."""


def open_video(container: InputContainer, threads: int) -> VideoStream:
    """Return the video stream of a file, set to decode in `threads` threads; 0 means one a core."""
    stream = video_stream_of(container)
    stream.codec_context.thread_count = threads
    stream.thread_type = "AUTO"
    return stream


def decoded_pts(path: Path, threads: int = 0) -> list[int]:
    """Return the time stamps of a video's frames in ticks, ascending, by decoding all frames: slow but reliable."""
    with open_media(path) as container:
        return [one.pts for one in stream_frames(container, open_video(container, threads))]


def sample_frames(
    path: Path, pts: list[int], fps: int, short_side: int, threads: int = 0, check_pts: bool = True
) -> Iterator[tuple[int, int, Image.Image]]:
    """Yield second, index in the video, and upright RGB frame of the `fps` frames selected in each second, ascending.

    `pts` are the time stamps of all frames in ticks, ascending. The packets may state others than the decoded frames
    have: `check_pts` compares them and raises TimesDiffer. For the rest see `upright_frame` and `open_video`.
    """
    with open_media(path) as container:
        stream = open_video(container, threads)
        seconds_of = _seconds_by_frame(pts, stream, fps)
        count, turn, reformatter = 0, UPRIGHT, VideoReformatter()
        for index, frame in enumerate(decoded_frames(container, stream)):
            if index >= len(pts) or (check_pts and frame.pts != pts[index]):
                raise TimesDiffer
            count += 1
            turn = turn if index else orientation(frame)
            if index in seconds_of:
                image = upright_frame(frame, short_side, turn, stream.sample_aspect_ratio, reformatter)
                for second in seconds_of[index]:
                    yield second, index, image
        if count != len(pts):
            raise TimesDiffer


def _seconds_by_frame(pts: list[int], stream: VideoStream, fps: int) -> dict[int, list[int]]:
    """Return the seconds that each selected frame is a sample of; a frame shown for longer has several."""
    if not pts:
        raise MediaError("none of its frames can be decoded")
    times = [float((timestamp - pts[0]) * stream.time_base) for timestamp in pts]
    leap = max((later - earlier for earlier, later in pairwise(times)), default=0)
    if leap > LONGEST_GAP_SECONDS:
        raise MediaError(f"its time stamps leap by {leap:.0f} seconds; re-encode it")
    rate = constant_rate(times, (stream.average_rate, stream.base_rate, stream.guessed_rate))
    if len(times) > 1:  # few containers state the duration of the last frame: take the mean of the others
        end = times[-1] + times[-1] / (len(times) - 1)
    else:
        end = float(1 / stream.average_rate) if stream.average_rate else 0.0
    selected = select_frames(times, end, fps, rate)
    if not selected:
        raise MediaError(f"it lasts {end:.2f} seconds, less than one second")
    seconds_of: dict[int, list[int]] = {}
    for second, index in selected:
        seconds_of.setdefault(index, []).append(second)
    return seconds_of


def upright_frame(
    frame: av.VideoFrame,
    short_side: int,
    turn: tuple[bool, bool, bool],
    pixel_shape: Fraction | None = None,
    reformatter: VideoReformatter | None = None,
) -> Image.Image:
    """Convert a decoded frame to an RGB image as a player shows it: upright, with square pixels.

    The shorter side gets `short_side` pixels, also if that enlarges the frame; 0 keeps the height of the frame as
    stored. `turn` is the `orientation` of the video's first frame. `pixel_shape` is width by height of a pixel, the
    stream's `sample_aspect_ratio`. Pass the same `reformatter` for all frames of a video: creating one takes longer
    than converting a frame.
    """
    shown_width = frame.width * float(pixel_shape or 1)
    scale = short_side / min(shown_width, frame.height) if short_side else 1
    width, height = max(1, round(shown_width * scale)), round(frame.height * scale)
    # FFmpeg scales into planes more than twice as fast as into packed pixels. The values are equal at odd widths only,
    # such as the usual 455 and 341: at even widths it gives two packed pixels the same color.
    planar = width % 2 and (width, height) != (frame.width, frame.height)
    # One thread: the frame is small, and other videos use the other cores.
    scaled = (reformatter or VideoReformatter()).reformat(
        frame, width=width, height=height, format="gbrp" if planar else "rgb24", interpolation="BICUBIC", threads=1
    )
    return Image.fromarray(turn_upright(scaled.to_ndarray(), turn))


def orientation(frame: av.VideoFrame) -> tuple[bool, bool, bool]:
    """Return what makes a frame upright by its display matrix: whether to transpose it, then flip its rows, columns.

    Other angles than those of a quarter turn become the nearest. Ask one frame of a video only: a frame that was asked
    for its side data stays in memory until Python's next search for cycles.
    """
    matrix = frame.side_data.get(Type.DISPLAYMATRIX)
    if matrix is None:
        return UPRIGHT
    # Pixel (x, y) is shown at (a x + c y, b x + d y).
    a, b, _, c, d, *_ = struct.unpack("=9i", bytes(matrix))
    return (False, d < 0, a < 0) if abs(a) + abs(d) >= abs(b) + abs(c) else (True, b < 0, c < 0)


def turn_upright(pixels: np.ndarray, turn: tuple[bool, bool, bool]) -> np.ndarray:
    """Turn pixels [height, width, 3] of a frame as `orientation` says."""
    transposed, rows, columns = turn
    if transposed:
        pixels = pixels.swapaxes(0, 1)
    return pixels[:: -1 if rows else 1, :: -1 if columns else 1]
