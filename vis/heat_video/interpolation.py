"""Interpolates the maps of a few frames a second to maps of every frame, and fades them with the audio level."""

import itertools
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch.nn import functional

from data.media.video_stream import StreamFrame
from vis.heat_video.locator import NetworkInput

UPSAMPLING = 4  # times as many cells in each direction
MAPS_PER_SECOND = 4  # of the network; fewer would make heat lag behind what moves
BATCH = 2  # frames that the network gets at once; 4 are no faster, and memory would hold twice as many frames
FADE_DECIBELS = 6.0  # above the level of silence; over this range the heat fades in


@dataclass(frozen=True)
class FrameWithLevel:
    """A frame, and the level of the audio around it in decibels of full scale."""

    frame: StreamFrame
    level: float


class Heat(NamedTuple):
    """What the network finds at an instant."""

    maps: np.ndarray  # float [K, h, w]
    distance: float  # of audio and frame, the mean over the audio clusters


def opacity(level: float, silence: float) -> float:
    """How strongly heat shows at a level, 0 ... 1. Both levels are in decibels of full scale."""
    return float(np.clip((level - silence) / FADE_DECIBELS, 0, 1))


def upsample(maps: np.ndarray) -> np.ndarray:
    """Maps, float32 [N, K, h, w], with more cells by bicubic interpolation, so that no cells are visible."""
    scaled = functional.interpolate(torch.from_numpy(maps), scale_factor=UPSAMPLING, mode="bicubic")
    return scaled.clamp_(min=0).numpy()


def interpolate_maps(
    frames: Iterable[FrameWithLevel],
    prepare: Callable[[FrameWithLevel], NetworkInput],
    localize: Callable[[list[NetworkInput]], Sequence[Heat]],
) -> Iterator[tuple[FrameWithLevel, Heat]]:
    """Every frame with its heat, linear in time between what the network finds.

    The network gets MAPS_PER_SECOND frames, also the first and the last one, in a thread of its own: it works on the
    next BATCH of them while the caller draws the frames of the last. Memory holds the frames of both.

    Args:
        frames: in the order in which they are shown.
        prepare: takes from a frame what the network needs.
        localize: the heat of at most BATCH prepared frames.
    """
    with ThreadPoolExecutor(1) as network:
        batches = (
            (group, times, network.submit(localize, inputs)) for group, times, inputs in _batches(frames, prepare)
        )
        known: list[tuple[float, Heat]] = []  # by time, first that of the last batch's last frame
        for (group, times, heat), _ in itertools.pairwise(itertools.chain(batches, [None])):
            known += zip(times, heat.result(), strict=True)
            yield from _interpolated(group, known)
            known = known[-1:]


def _batches(
    frames: Iterable[FrameWithLevel], prepare: Callable[[FrameWithLevel], NetworkInput]
) -> Iterator[tuple[list[FrameWithLevel], list[float], list[NetworkInput]]]:
    """Groups of frames, with times and inputs of those that the network gets. The last of a group is one of them."""
    group, times, inputs = [], [], []
    due = 0
    for one in frames:
        group.append(one)
        if one.frame.time * MAPS_PER_SECOND >= due:
            due = int(one.frame.time * MAPS_PER_SECOND) + 1
            times.append(one.frame.time)
            inputs.append(prepare(one))
            if len(inputs) == BATCH:
                yield group, times, inputs
                group, times, inputs = [], [], []
    if group:
        if times[-1:] != [group[-1].frame.time]:
            times.append(group[-1].frame.time)
            inputs.append(prepare(group[-1]))
        yield group, times, inputs


def _interpolated(
    group: list[FrameWithLevel], known: list[tuple[float, Heat]]
) -> Iterator[tuple[FrameWithLevel, Heat]]:
    """Frames with heat, from the known ones right before and after."""
    times = [time for time, _ in known]
    for one in group:
        after = bisect_left(times, one.frame.time)
        before = max(0, after - 1)
        share = (one.frame.time - times[before]) / (times[after] - times[before]) if after else 0.0
        pairs = zip(known[before][1], known[after][1], strict=True)
        yield one, Heat(*(earlier + share * (later - earlier) for earlier, later in pairs))
