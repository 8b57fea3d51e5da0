"""Writes the mp4 files of the demo data set: H.264 pictures and AAC sound, both starting at the same instant."""

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.container import OutputContainer
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter

from common.atomic import atomic_file

# The same pictures make the same file: x264 decides otherwise with other numbers of threads, and without
# cpu-independent its fast paths make decisions that depend on what happens to lie in memory.
X264_OPTIONS = {"preset": "veryfast", "crf": "20", "threads": "1", "x264-params": "cpu-independent=1"}
AAC_OPTIONS = {"aac_coder": "fast"}
AAC_BIT_RATE = 128_000
SMPTE170M = 6  # number of these primaries, transfer curve and matrix in the files: usual at this size


def write_video(
    path: Path,
    frames: Iterable[np.ndarray],
    size: tuple[int, int],
    rate: Fraction,
    sound: np.ndarray,
    sample_rate: int,
) -> None:
    """Write an mp4 file, whole or not at all.

    Args:
        path: of the file, in an existing folder.
        frames: RGB, uint8 [height, width, 3].
        size: width and height, both even.
        rate: frames a second.
        sound: float32 [channels, samples], 1 or 2 channels, within -1 and 1.
        sample_rate: sound samples a second.

    Raises:
        OSError: it can't be written.
        av.FFmpegError: FFmpeg can't encode it.
    """
    # A Python file: FFmpeg would take parts of some paths for a protocol.
    with atomic_file(path) as partial, partial.open("wb") as file, av.open(file, "w", format="mp4") as container:
        pictures = _picture_stream(container, size, rate)
        layout = ("mono", "stereo")[len(sound) - 1]
        sounds = container.add_stream("aac", rate=sample_rate, options=AAC_OPTIONS, layout=layout)
        sounds.codec_context.bit_rate = AAC_BIT_RATE
        reformatter = VideoReformatter()  # one for all: setting one up costs more than a picture
        written = 0
        for index, frame in enumerate(frames):
            container.mux(pictures.encode(_picture(reformatter, frame, index, rate)))
            until = int((index + 1) / rate * sample_rate)  # in step with the pictures, so that few packets wait
            container.mux(_encode_sound(sounds, sound[:, written:until], written, sample_rate))
            written = until
        container.mux(_encode_sound(sounds, sound[:, written:], written, sample_rate))
        container.mux(pictures.encode())
        container.mux(sounds.encode())


def _picture_stream(container: OutputContainer, size: tuple[int, int], rate: Fraction) -> av.VideoStream:
    stream = container.add_stream("libx264", rate=rate, options=X264_OPTIONS)
    stream.width, stream.height = size
    stream.pix_fmt = "yuv420p"
    context = stream.codec_context
    context.thread_count = 1
    context.time_base = 1 / rate
    context.color_range = ColorRange.MPEG
    context.colorspace = context.color_primaries = context.color_trc = SMPTE170M
    return stream


def _picture(reformatter: VideoReformatter, frame: np.ndarray, index: int, rate: Fraction) -> av.VideoFrame:
    picture = reformatter.reformat(
        av.VideoFrame.from_ndarray(frame, format="rgb24"),
        format="yuv420p",
        dst_colorspace=Colorspace.SMPTE170M,
        dst_color_range=ColorRange.MPEG,
    )
    picture.pts = index
    picture.time_base = 1 / rate
    return picture


def _encode_sound(stream: av.AudioStream, samples: np.ndarray, start: int, sample_rate: int) -> list[av.Packet]:
    if samples.shape[1] == 0:
        return []
    layout = ("mono", "stereo")[len(samples) - 1]
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples), format="fltp", layout=layout)
    frame.sample_rate = sample_rate
    frame.pts = start
    frame.time_base = Fraction(1, sample_rate)
    return stream.encode(frame)
