"""The videos that preprocessing is measured on: many short ones, and a few long ones in a larger size."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np

from data.demo.encode import write_video
from data.layout import video_dir, videos_by_name
from data.make_demo import main as make_demo
from data.media.audio import decode_audio
from data.media.container import decoded_frames, open_media, video_stream_of

LONG_SIZE = (640, 360)


@dataclass(frozen=True)
class MediaSet:
    """Videos of one length.

    Attributes:
        title: what they are.
        data_dir: the data set that holds them.
        seconds: length of each.
    """

    title: str
    data_dir: Path
    seconds: int

    @property
    def videos(self) -> list[Path]:
        """Their files, sorted."""
        return sorted(path for paths in videos_by_name(self.data_dir).values() for path in paths)

    @property
    def media_seconds(self) -> int:
        """Length of all of them together."""
        return self.seconds * len(self.videos)


def short_set(folder: Path, count: int, seconds: int) -> MediaSet:
    """Videos of `data/make_demo.py`, 320 x 240; made if they are not there."""
    data_dir = folder / f"short_{count}x{seconds}"
    _make_demo(data_dir, count, seconds)
    return MediaSet(f"{count} videos of {seconds} s, 320 x 240", data_dir, seconds)


def long_set(folder: Path, count: int, seconds: int) -> MediaSet:
    """Videos of `data/make_demo.py`, enlarged; made if they are not there."""
    data_dir, source = folder / f"long_{count}x{seconds}", folder / f"small_{count}x{seconds}"
    width, height = LONG_SIZE
    media_set = MediaSet(f"{count} videos of {seconds} s, {width} x {height}", data_dir, seconds)
    video_dir(data_dir).mkdir(parents=True, exist_ok=True)
    if len(media_set.videos) < count:
        _make_demo(source, count, seconds)
        for paths in videos_by_name(source).values():
            enlarge(paths[0], video_dir(data_dir) / paths[0].name, LONG_SIZE)
        shutil.rmtree(source)
    return media_set


def _make_demo(data_dir: Path, count: int, seconds: int) -> None:
    if make_demo(["--data_dir", str(data_dir), "--videos", str(count), "--seconds", str(seconds)]):
        raise OSError(f"the videos in {data_dir} were not made")


def enlarge(source: Path, target: Path, size: tuple[int, int]) -> None:
    """Write a video again in another size, width and height.

    Raises:
        MediaError: it cannot be read.
        OSError: the other one cannot be written.
    """
    sound = decode_audio(source)
    with open_media(source) as container:
        rate = video_stream_of(container).average_rate
        write_video(target, _resized(container, size), size, rate, sound.samples[None], sound.rate)


def _resized(container: av.container.InputContainer, size: tuple[int, int]) -> Iterator[np.ndarray]:
    for frame in decoded_frames(container, video_stream_of(container)):
        yield frame.to_ndarray(format="rgb24", width=size[0], height=size[1], interpolation="BICUBIC")
