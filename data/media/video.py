"""Decodes the frames of a video that become samples, upright and in the size that is kept."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import av
from av.container import InputContainer
from av.video.plane import VideoPlane
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream
from PIL import Image

from common.errors import MediaError
from data.media.container import LONGEST_GAP_SECONDS, decoded_frames, open_media, video_stream_of
from data.media.frame_selection import constant_rate, select_frames
from data.media.notes import note

ROTATIONS = {1: Image.Transpose.ROTATE_90, 2: Image.Transpose.ROTATE_180, 3: Image.Transpose.ROTATE_270}
SHORT_SIDE = 256  # default size of the shorter side of sample frames, in pixels


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
        stream = open_video(container, threads)
        pts = [frame.pts for frame in decoded_frames(container, stream)]
        if None not in pts and all(earlier < later for earlier, later in pairwise(pts)):
            return pts
        # Frames without time stamps, as in AVI with B-frames, follow at the constant rate of the file.
        rate = stream.average_rate or stream.guessed_rate
        if not rate:
            raise MediaError("its frames have no time stamps; re-encode it")
        note(f"its time stamps do not ascend; taken as {float(rate):.2f} frames/s")
        return [round(index / (rate * stream.time_base)) for index in range(len(pts))]


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
        count, reformatter = 0, VideoReformatter()
        for index, frame in enumerate(decoded_frames(container, stream)):
            if index >= len(pts) or (check_pts and frame.pts != pts[index]):
                raise TimesDiffer
            count += 1
            if index in seconds_of:
                image = upright_frame(frame, short_side, reformatter)
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


def upright_frame(frame: av.VideoFrame, short_side: int, reformatter: VideoReformatter | None = None) -> Image.Image:
    """Convert a decoded frame to an RGB image, turned as its display matrix says.

    The shorter side gets `short_side` pixels, also if that enlarges the frame; 0 keeps the size. Pass the same
    `reformatter` for all frames of a video: creating one takes longer than converting a frame.
    """
    scale = short_side / min(frame.width, frame.height) if short_side else 1
    width, height = round(frame.width * scale), round(frame.height * scale)
    # FFmpeg scales into planes more than twice as fast as into packed pixels. The values are equal at odd widths only,
    # such as the usual 455 and 341: at even widths it gives two packed pixels the same color.
    planar = width % 2 and (width, height) != (frame.width, frame.height)
    # One thread: the frame is small, and other videos use the other cores.
    scaled = (reformatter or VideoReformatter()).reformat(
        frame, width=width, height=height, format="gbrp" if planar else "rgb24", interpolation="BICUBIC", threads=1
    )
    if planar:
        green, blue, red = (_image("L", plane) for plane in scaled.planes)
        image = Image.merge("RGB", (red, green, blue))
    else:
        image = _image("RGB", scaled.planes[0])
    turns = quarter_turns(frame) % 4
    return image.transpose(ROTATIONS[turns]) if turns else image


def _image(mode: str, plane: VideoPlane) -> Image.Image:
    return Image.frombuffer(mode, (plane.width, plane.height), plane, "raw", mode, plane.line_size, 1)


def quarter_turns(frame: av.VideoFrame) -> int:
    """Return how often a frame has to be turned by 90 degrees, counter-clockwise, to be upright."""
    return round(frame.rotation / 90)
