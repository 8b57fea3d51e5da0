"""Selects the frames of a video that become samples: `fps` of each second, by time stamps.

These are the frames shown at t + j floor(rate / fps) / rate in second t, with j = 0 .. fps - 1: frames 0, 7, 14, 21 of
the second at 30 frames a second, frames 0, 6, 12, 18 at 25. The published script takes the frames whose
``count % rate`` has these values. At 29.97 frames a second that is never true after the first second.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from fractions import Fraction

# Matroska and Flash store whole milliseconds: a constant rate shows as steps of, say, 33 and 34 ms.
GRID_TOLERANCE = 0.0015


def constant_rate(times: Sequence[float], candidates: Iterable[Fraction | None]) -> Fraction | None:
    """Return the frame rate on whose grid, i / rate, every frame lies; None if the rate varies.

    Tries the rates that the container states, best first, then rates near the mean. `times` as in `select_frames`.
    """
    if len(times) < 2 or times[-1] <= 0:
        return None
    mean = Fraction((len(times) - 1) / times[-1]).limit_denominator(1001)
    whole = Fraction(round(mean))
    for rate in (*candidates, whole, whole * 1000 / 1001, mean):
        if rate and all(abs(time - index / float(rate)) <= GRID_TOLERANCE for index, time in enumerate(times)):
            return Fraction(rate)
    return None


def select_at_constant_rate(count: int, rate: Fraction, fps: int) -> list[tuple[int, int]]:
    """Return (second, frame index) of the selected frames of a video of `count` frames; frame i is shown from i / rate.

    A second counts if the video lasts up to the last frame selected in it.
    """
    step = rate // fps
    selected = []
    second = 0
    while (first := second * rate // 1) + (fps - 1) * step < count:
        selected += [(second, int(first + j * step)) for j in range(fps)]
        second += 1
    return selected


def select_at_variable_rate(times: Sequence[float], end: float, fps: int) -> list[tuple[int, int]]:
    """Return (second, frame index) of the frames shown at t + j / fps, each once a second.

    If one frame is shown at several of these instants, other frames of the same second fill up to `fps`, those nearest
    to the instants first. For the arguments see `select_frames`.
    """
    times = [time - 1e-6 for time in times]  # a frame is shown at its own time stamp, whatever the rounding
    selected = []
    second = 0
    while second + (fps - 1) / fps < end:
        instants = [second + j / fps for j in range(fps)]
        shown = {bisect_right(times, instant) - 1 for instant in instants}
        last = bisect_right(times, second + 1 - 2e-6) - 1
        free = [index for index in range(min(shown), last + 1) if index not in shown]
        free.sort(key=lambda index: min(abs(times[index] - instant) for instant in instants))
        shown.update(free[: fps - len(shown)])
        selected += [(second, index) for index in sorted(shown)]
        second += 1
    return selected


def select_frames(times: Sequence[float], end: float, fps: int, rate: Fraction | None) -> list[tuple[int, int]]:
    """Return (second, frame index) of the frames to keep, `fps` a second, ascending.

    `times` are when each frame appears, in seconds since the first one, ascending; the last one disappears at `end`.
    `rate` is that of `constant_rate`.
    """
    if rate is not None and rate >= fps:
        return select_at_constant_rate(len(times), rate, fps)
    return select_at_variable_rate(times, end, fps)
