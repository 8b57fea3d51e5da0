"""A video with the heat of what sounds over it: read, heard, located, painted and written, a few pictures at a time."""

import contextlib
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO, TextIO

import av
import numpy as np
from tqdm import tqdm

from common.errors import MediaError
from data.media.audio import stream_audio
from data.media.audio_stream import AudioWindow
from data.media.container import open_media
from data.media.spectrogram import SAMPLE_RATE
from data.media.video import open_video
from data.media.video_stream import StreamFrame, count_frames, stream_frames
from training.load import Trained
from vis.heat_video.audio_track import AudioTrack
from vis.heat_video.interpolation import FrameWithLevel, interpolate_maps, loudness, upsample
from vis.heat_video.json_file import HeatJson
from vis.heat_video.locator import Locator, NetworkInput
from vis.heat_video.painter import HeatPainter
from vis.heat_video.peak import Peak, find_peak
from vis.heat_video.writer import VideoWriter
from vis.overlay import relative


@dataclass(frozen=True)
class Style:
    """How heat is shown.

    Attributes:
        clusters: which maps.
        draw_box: whether with the boxes around their peaks.
        side_by_side: whether with the plain picture to the left.
        silence: decibels of full scale, see `vis.heat_video.interpolation.loudness`.
        maps_per_second: see `vis.heat_video.interpolation.interpolate_maps`.
    """

    clusters: Sequence[int]
    draw_box: bool
    side_by_side: bool
    silence: float
    maps_per_second: int


@dataclass
class Summary:
    """What was written: how many pictures, how many of them with heat, seconds from the first to the last one."""

    pictures: int = 0
    with_heat: int = 0
    seconds: float = 0.0

    def add(self, heard: FrameWithLevel, heat: bool) -> None:
        """Count a picture."""
        self.pictures += 1
        self.with_heat += heat
        self.seconds = heard.picture.time


def write_heat_video(
    video: Path,
    file: BinaryIO,
    kind: str,
    trained: Trained,
    style: Style,
    threads: int,
    json_file: TextIO | None = None,
) -> Summary:
    """Write a video with its heat, with a progress bar.

    Args:
        video: the source; it is read several times at once.
        file: gets the video.
        kind: FFmpeg's name of its format.
        trained: the network.
        style: how heat is shown.
        threads: of the decoder and of the encoder.
        json_file: gets the peak and the box of each picture; None if they are not wanted.

    Raises:
        MediaError: the source cannot be read, or has no pictures or no sound.
        UserError: the network's weights give no finite numbers.
        OSError, av.FFmpegError: a file cannot be written.
    """
    count = count_frames(video)
    with open_media(video) as source, av.open(file, "w", format=kind) as target:
        stream = open_video(source, threads)
        if not source.streams.audio:
            raise MediaError("it has no audio stream, and without sound there is nothing to locate")
        start = Fraction(max(0, source.start_time or 0), av.time_base)
        pictures = stream_frames(source, stream)
        first = next(pictures)
        painter = HeatPainter(first.frame, style.clusters, style.draw_box, style.side_by_side)
        writer = VideoWriter(target, stream, first.frame, painter.size, start, threads)
        with contextlib.closing(AudioTrack(video, target, kind, start)) as track:
            json = HeatJson(json_file, {"video": str(video), "silence": style.silence}) if json_file else None
            written = Summary()
            located = _located(video, first, pictures, Locator(trained), style)
            for heard, maps in tqdm(located, desc=video.name, total=count, unit="frame"):
                heats = _heats(heard, maps, style)
                places = _places(heats) if json or style.draw_box else {}
                picture = heard.picture
                time = writer.add(painter.paint(picture.frame, heats, places), picture.pts, picture.frame.duration)
                track.mux_until(time)
                if json:
                    json.add(heard, float(time), places)
                written.add(heard, bool(heats))
            writer.finish()
            track.mux_until()
            if json:
                json.finish()
    return written


def _located(
    video: Path, first: StreamFrame, others: Iterator[StreamFrame], locator: Locator, style: Style
) -> Iterator[tuple[FrameWithLevel, np.ndarray]]:
    """Every picture with its level and its maps, float [K, h, w]."""
    sound = AudioWindow(stream_audio(video, first.frame.time), SAMPLE_RATE)

    def look_at(heard: FrameWithLevel) -> NetworkInput:
        return locator.look(heard.picture.frame, sound.second(heard.picture.time))

    def maps_of(looks: list[NetworkInput]) -> np.ndarray:
        return upsample(locator.maps(looks)[:, list(style.clusters)])

    heard = (FrameWithLevel(picture, sound.level(picture.time)) for picture in itertools.chain([first], others))
    return interpolate_maps(heard, look_at, maps_of, style.maps_per_second)


def _heats(heard: FrameWithLevel, maps: np.ndarray, style: Style) -> dict[int, np.ndarray]:
    """Cluster -> heat in 0 ... 1, in parts of its map's maximum; empty where nothing sounds."""
    strength = loudness(heard.level, style.silence)
    if not strength:
        return {}
    return {cluster: strength * relative(heat) for cluster, heat in zip(style.clusters, maps, strict=True)}


def _places(heats: dict[int, np.ndarray]) -> dict[int, Peak]:
    """Cluster -> where its heat has its peak and its box."""
    places = {cluster: find_peak(heat) for cluster, heat in heats.items()}
    return {cluster: place for cluster, place in places.items() if place is not None}
