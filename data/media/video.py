"""The frames of a video that become samples, decoded with PyAV in the size and orientation that is kept."""

from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
from av.container import InputContainer
from av.video.plane import VideoPlane
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream
from PIL import Image

from common.errors import MediaError
from data.media.container import LONGEST_GAP_SECONDS, decoded_frames, open_media, scan, video_stream_of
from data.media.frame_selection import constant_rate, select_frames
from data.media.notes import note

TURNED = {1: Image.Transpose.ROTATE_90, 2: Image.Transpose.ROTATE_180, 3: Image.Transpose.ROTATE_270}  # quarter turns
SHORT_SIDE = 256  # pixels of the shorter side of sample frames, unless other ones are asked for


class TimesDiffer(Exception):
    """The decoded frames have other time stamps than the packets promised."""


def open_video(container: InputContainer, threads: int) -> VideoStream:
    """The video stream of a file, to be decoded by `threads` threads; 0 takes as many as there are cores.

    Raises:
        MediaError: there is none.
    """
    stream = video_stream_of(container)
    stream.codec_context.thread_count = threads
    stream.thread_type = "AUTO"
    return stream


def promised_pts(path: Path) -> list[int] | None:
    """Time stamps of a video's frames in ticks, ascending, as its packets promise them; None where they don't.

    Raises:
        MediaError: the file cannot be read, is cut short or has no pictures.
    """
    pts = scan(path)
    if pts is None:
        with open_media(path) as container:
            video_stream_of(container)  # a file without pictures is to say so, not that it has no time stamps
    return pts


def decoded_pts(path: Path, threads: int = 0) -> list[int]:
    """Time stamps of a video's frames in ticks, ascending, by decoding all of it: slow, but always true.

    Where the file has none, as AVI with B-frames, the frames come at its constant rate.

    Raises:
        MediaError: the file cannot be read, or has neither time stamps nor a rate.
    """
    with open_media(path) as container:
        stream = open_video(container, threads)
        pts = [frame.pts for frame in decoded_frames(container, stream)]
        if None not in pts and all(earlier < later for earlier, later in pairwise(pts)):
            return pts
        rate = stream.average_rate or stream.guessed_rate
        if not rate:
            raise MediaError("its frames have no time stamps; re-encode it")
        note(f"its time stamps do not ascend; taken as {float(rate):.2f} frames/s")
        return [round(index / (rate * stream.time_base)) for index in range(len(pts))]


def sample_frames(
    path: Path, pts: list[int], fps: int, short_side: int, threads: int = 0, check_pts: bool = True
) -> Iterator[tuple[int, int, Image.Image]]:
    """Decode the `fps` frames of each second that `data.media.frame_selection` chooses.

    Args:
        path: the video.
        pts: time stamps of all its frames in ticks, ascending (`promised_pts` or `decoded_pts`).
        fps: frames a second.
        short_side: pixels of the shorter side; 0 keeps the size.
        threads: threads of the decoder; 0 as many as there are cores.
        check_pts: whether `pts` are but promises (`promised_pts`), to be held against the decoded frames.

    Yields:
        Second, index of the frame in the video, upright RGB picture; ascending.

    Raises:
        TimesDiffer: another frame was decoded than `pts` has in its place.
        MediaError: the file cannot be read or decoded, or lasts less than a second.
    """
    with open_media(path) as container:
        stream = open_video(container, threads)
        seconds_of = _seconds_of_chosen(pts, stream, fps)
        count, reformatter = 0, VideoReformatter()
        for index, frame in enumerate(decoded_frames(container, stream)):
            if index >= len(pts) or (check_pts and frame.pts != pts[index]):
                raise TimesDiffer
            count += 1
            if index in seconds_of:
                picture = upright_frame(frame, short_side, reformatter)
                for second in seconds_of[index]:
                    yield second, index, picture
        if count != len(pts):
            raise TimesDiffer


def _seconds_of_chosen(pts: list[int], stream: VideoStream, fps: int) -> dict[int, list[int]]:
    """Frame index -> the seconds it is chosen for (several where a frame is shown for longer than a second)."""
    if not pts:
        raise MediaError("no frame of it can be decoded")
    times = [float((stamp - pts[0]) * stream.time_base) for stamp in pts]
    leap = max((later - earlier for earlier, later in pairwise(times)), default=0)
    if leap > LONGEST_GAP_SECONDS:
        raise MediaError(f"its time stamps leap by {leap:.0f} seconds; re-encode it")
    rate = constant_rate(times, (stream.average_rate, stream.base_rate, stream.guessed_rate))
    end = times[-1] + _last_frame_lasts(times, stream.average_rate)
    chosen = select_frames(times, end, fps, rate)
    if not chosen:
        raise MediaError(f"it lasts {end:.2f} seconds, less than one second")
    seconds_of: dict[int, list[int]] = {}
    for second, index in chosen:
        seconds_of.setdefault(index, []).append(second)
    return seconds_of


def _last_frame_lasts(times: list[float], rate: Fraction | None) -> float:
    """Seconds that the last frame is shown: the mean of the others, as few containers tell."""
    if len(times) > 1:
        return (times[-1] - times[0]) / (len(times) - 1)
    return float(1 / rate) if rate else 0.0


def upright_frame(frame: av.VideoFrame, short_side: int, reformatter: VideoReformatter | None = None) -> Image.Image:
    """A decoded frame as RGB picture, turned as its display matrix asks.

    Args:
        frame: a frame in any pixel format.
        short_side: pixels of the shorter side, smaller frames are enlarged; 0 keeps the size.
        reformatter: one for all frames of a video saves most of the time: setting one up costs more than a picture.
    """
    scale = short_side / min(frame.width, frame.height) if short_side else 1
    width, height = round(frame.width * scale), round(frame.height * scale)
    # FFmpeg scales into planes more than twice as fast as into packed pixels, but the values are the same at odd widths
    # only, as the usual 455 and 341 are: at even ones it gives two packed pixels one colour.
    in_planes = width % 2 and (width, height) != (frame.width, frame.height)
    scaled = (reformatter or VideoReformatter()).reformat(
        frame,
        width=width,
        height=height,
        format="gbrp" if in_planes else "rgb24",
        interpolation="BICUBIC",
        threads=1,  # a picture is small, and other videos want the other cores
    )
    if in_planes:
        green, blue, red = (_image("L", plane) for plane in scaled.planes)
        picture = Image.merge("RGB", (red, green, blue))
    else:
        picture = _image("RGB", scaled.planes[0])
    turns = quarter_turns(frame) % 4
    return picture.transpose(TURNED[turns]) if turns else picture


def _image(mode: str, plane: VideoPlane) -> Image.Image:
    return Image.frombuffer(mode, (plane.width, plane.height), plane, "raw", mode, plane.line_size, 1)


def quarter_turns(frame: av.VideoFrame) -> int:
    """How often a frame is to be turned by 90 degrees, counter-clockwise, to be upright."""
    return round(frame.rotation / 90)
