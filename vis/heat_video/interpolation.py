"""From maps of a few pictures a second to a map of every picture, changing smoothly; and how much of it is shown."""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from torch.nn import functional

from data.media.video_stream import StreamFrame

FINER = 4  # times as many cells across and down
TOGETHER = 4  # pictures that the network looks at in one go, which takes less time than one after the other
FADE_DECIBELS = 6.0  # above the level of silence, over which the heat comes up

NetworkInput = TypeVar("Look")


@dataclass(frozen=True)
class FrameWithLevel:
    """A picture, and how loud it is around it in decibels of full scale."""

    picture: StreamFrame
    level: float


def loudness(level: float, silence: float) -> float:
    """How much heat a level of sound shows, 0 ... 1: none up to that of silence, all of it from a little above on.

    Args:
        level: decibels of full scale.
        silence: the same.
    """
    return float(np.clip((level - silence) / FADE_DECIBELS, 0, 1))


def upsample(maps: np.ndarray) -> np.ndarray:
    """Maps of more cells by bicubic interpolation, so that the ones of the network are not to be seen.

    Args:
        maps: float32 [N, K, h, w], 0 or more.

    Returns:
        float32 [N, K, FINER h, FINER w], 0 or more.
    """
    scaled = functional.interpolate(torch.from_numpy(maps), scale_factor=FINER, mode="bicubic")
    return scaled.clamp_(min=0).numpy()


def interpolate_maps(
    pictures: Iterable[FrameWithLevel],
    look_at: Callable[[FrameWithLevel], NetworkInput],
    maps_of: Callable[[list[NetworkInput]], Iterable[np.ndarray]],
    a_second: float,
) -> Iterator[tuple[FrameWithLevel, np.ndarray]]:
    """Every picture with its maps: the network's of some, for the ones between mixed by how near they are in time.

    Args:
        pictures: in the order in which they are shown.
        look_at: takes from a picture what the network needs, at once.
        maps_of: the maps of TOGETHER pictures or less, float [K, h, w] each, from what was taken from them.
        a_second: how many pictures of each second the network looks at, spread evenly; at the first and the last also.

    Yields:
        The pictures in the same order; no more of them are held back than are shown while the network gets TOGETHER.
    """
    known: list[tuple[float, np.ndarray]] = []  # time and maps of the last picture that the network looked at
    for group, times, looks in _groups(pictures, look_at, a_second):
        known += zip(times, maps_of(looks), strict=True)
        yield from _mixed(group, known)
        known = known[-1:]


def _groups(
    pictures: Iterable[FrameWithLevel], look_at: Callable[[FrameWithLevel], NetworkInput], a_second: float
) -> Iterator[tuple[list[FrameWithLevel], list[float], list[NetworkInput]]]:
    """Pictures in groups, when the network looks in each, and what at; the last picture of a group is among these."""
    group, times, looks = [], [], []
    due = 0
    for heard in pictures:
        group.append(heard)
        if heard.picture.time * a_second >= due:
            due = int(heard.picture.time * a_second) + 1
            times.append(heard.picture.time)
            looks.append(look_at(heard))
            if len(looks) == TOGETHER:
                yield group, times, looks
                group, times, looks = [], [], []
    if group:
        if times[-1:] != [group[-1].picture.time]:
            times.append(group[-1].picture.time)
            looks.append(look_at(group[-1]))
        yield group, times, looks


def _mixed(
    group: list[FrameWithLevel], known: list[tuple[float, np.ndarray]]
) -> Iterator[tuple[FrameWithLevel, np.ndarray]]:
    """Pictures with maps, mixed of those that are known right before and after."""
    times = [time for time, _ in known]
    for heard in group:
        after = bisect_left(times, heard.picture.time)
        before = max(0, after - 1)
        share = (heard.picture.time - times[before]) / (times[after] - times[before]) if after else 0.0
        yield heard, known[before][1] + share * (known[after][1] - known[before][1])
