"""Renders a heat video: decodes, localizes, paints and encodes a few frames at a time."""

import contextlib
import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO

import av
import torch
from tqdm import tqdm

from common.errors import MediaError, UserError
from data.media.audio import AudioWindow, stream_audio
from data.media.container import is_broadcast, open_media, packet_timestamps, writing_errors
from data.media.spectrogram import SAMPLE_RATE
from data.media.video import open_video, orientation
from data.media.video_stream import StreamFrame, stream_frames
from training.checkpoints.load import TrainedNetwork
from vis.heat_video.audio_track import AudioTrack
from vis.heat_video.interpolation import FrameWithLevel, Heat, interpolate_maps, opacity, upsample
from vis.heat_video.locator import Locator, NetworkInput
from vis.heat_video.painter import HeatPainter, Style
from vis.heat_video.peak import DIGITS, Peak, find_peak
from vis.heat_video.video_writer import VideoWriter
from vis.overlay import relative

UNFAMILIAR = "unlike the training videos"  # written on frames
RECENT = 60  # frames that tell whether a video is unfamiliar


@dataclass
class Summary:
    """What was written."""

    num_frames: int = 0  # all frames
    distances: list[float] = field(default_factory=list)  # of audio and frame, for each frame with heat
    seconds: float = 0.0  # from the first to the last frame
    peaks: list[dict[str, Any]] = field(default_factory=list)  # for each frame, as in the JSON file, if wanted


def write_heat_video(
    video: Path, file: BinaryIO, kind: str, trained: TrainedNetwork, style: Style, threads: int
) -> Summary:
    """Write a video with its heat, with a progress bar.

    Args:
        video: the source. It is read several times at once.
        file: gets the video.
        kind: FFmpeg's name of its format.
        trained: the network.
        style: how heat is shown.
        threads: of the decoder and of the encoder.
    """
    try:
        with writing_errors():
            return _write(video, file, kind, trained, style, threads)
    except MediaError as error:
        raise UserError(f"{video}: {error}") from error
    except torch.OutOfMemoryError as error:
        raise UserError("the memory of the device is too small: try --device cpu") from error


def _write(video: Path, file: BinaryIO, kind: str, trained: TrainedNetwork, style: Style, threads: int) -> Summary:
    count = len(packet_timestamps(video))
    with open_media(video) as source, av.open(file, "w", format=kind) as target:
        stream = open_video(source, threads)
        if not source.streams.audio:
            raise MediaError("it has no audio stream, and without audio there is nothing to localize")
        start = Fraction(source.start_time or 0, av.time_base)
        if not is_broadcast(source):  # there it is below 0 where time stamps wrap, else by what encoders put before 0
            start = max(Fraction(0), start)
        frames = stream_frames(source, stream)
        first = next(frames)
        painter = HeatPainter(first.frame, style)
        writer = VideoWriter(target, stream, first.frame, painter.size, start, threads)
        summary = Summary()
        with contextlib.closing(AudioTrack(video, target, kind, start)) as track:
            locator = Locator(trained, orientation(first.frame), stream.sample_aspect_ratio)
            localized = _localized(video, first, frames, locator, trained, style)
            for one, heat in tqdm(localized, desc=video.name, total=count, unit="frame"):
                heats, peaks, caption = {}, {}, ""
                if strength := opacity(one.level, style.silence):
                    shown = zip(style.clusters, heat.maps, strict=True)
                    heats = {cluster: strength * relative(one_map) for cluster, one_map in shown}
                    summary.distances.append(heat.distance)
                    if trained.reference and trained.reference.unfamiliar(summary.distances[-RECENT:]):
                        caption = UNFAMILIAR
                if style.draw_box or style.list_peaks:
                    peaks = {cluster: peak for cluster, one_map in heats.items() if (peak := find_peak(one_map))}
                boxes = [peak.box for peak in peaks.values()] if style.draw_box else []
                painted = painter.paint(one.frame.frame, heats, boxes, caption)
                time = writer.add(painted, one.frame.pts, one.frame.frame.duration)
                track.mux_until(time)
                summary.num_frames += 1
                summary.seconds = one.frame.time
                if style.list_peaks:
                    summary.peaks.append(_json_frame(one, time, peaks))
            writer.finish()
            track.mux_until()
    return summary


def _localized(
    video: Path,
    first: StreamFrame,
    others: Iterator[StreamFrame],
    locator: Locator,
    trained: TrainedNetwork,
    style: Style,
) -> Iterator[tuple[FrameWithLevel, Heat]]:
    """Every frame with its level and its heat."""
    audio = AudioWindow(stream_audio(video, first.frame.time), SAMPLE_RATE, trained.audio_seconds)

    def prepare(one: FrameWithLevel) -> NetworkInput:
        return locator.prepare(one.frame.frame, audio.around(one.frame.time))

    def localize(inputs: list[NetworkInput]) -> list[Heat]:
        found = locator.localize(inputs)
        maps = upsample(found.maps[:, list(style.clusters)])
        return [Heat(*pair) for pair in zip(maps, found.distances.mean(1).tolist(), strict=True)]

    frames = (FrameWithLevel(frame, audio.level(frame.time)) for frame in itertools.chain([first], others))
    return interpolate_maps(frames, prepare, localize)


def _json_frame(one: FrameWithLevel, time: Fraction, peaks: Mapping[int, Peak]) -> dict[str, Any]:
    return {
        "index": one.frame.index,
        "time": round(float(time), DIGITS),
        "level": round(one.level, 1),
        "maps": [{"cluster": cluster, **peak.as_json()} for cluster, peak in peaks.items()],
    }
