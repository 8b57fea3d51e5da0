"""Which frames of a video become samples: `fps` of each second, chosen by time stamps.

In second t these are the frames shown at t + j floor(rate / fps) / rate, j = 0 .. fps - 1: at 30 frames a second
frames 0, 7, 14, 21 of the second, at 25 frames 0, 6, 12, 18. The published script takes the frames for which
``count % rate`` has these values, which at 29.97 frames a second is never true again after the first second.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from fractions import Fraction

# Matroska and Flash store whole milliseconds, so a constant rate shows as steps of, say, 33 and 34 ms.
GRID_TOLERANCE = 0.0015


def constant_rate(times: Sequence[float], candidates: Iterable[Fraction | None]) -> Fraction | None:
    """The frame rate on whose grid, i / rate, every frame lies; None if the rate varies.

    Args:
        times: seconds since the first frame, ascending.
        candidates: rates that the container claims, best first, None and 0 passed over; those near the mean
            rate come last.
    """
    if len(times) < 2 or times[-1] <= 0:
        return None
    mean = Fraction((len(times) - 1) / times[-1]).limit_denominator(1001)
    whole = Fraction(round(mean))
    for rate in (*candidates, whole, whole * 1000 / 1001, mean):
        if rate and all(abs(time - index / float(rate)) <= GRID_TOLERANCE for index, time in enumerate(times)):
            return Fraction(rate)
    return None


def choose_at_constant_rate(count: int, rate: Fraction, fps: int) -> list[tuple[int, int]]:
    """(second, frame index) of the chosen frames of a video of `count` frames, frame i being shown from i / rate on.

    A second is taken if the video lasts through its last choice.
    """
    step = rate // fps
    chosen = []
    second = 0
    while (first := second * rate // 1) + (fps - 1) * step < count:
        chosen += [(second, int(first + j * step)) for j in range(fps)]
        second += 1
    return chosen


def choose_at_variable_rate(times: Sequence[float], end: float, fps: int) -> list[tuple[int, int]]:
    """(second, frame index) of the frames shown at t + j / fps, each once a second.

    Where one frame is shown at several of these instants, others of the same second take the free places, those
    nearest to the instants first: 4 a second wherever a second has 4.

    Args:
        times: seconds since the first frame, ascending.
        end: when the last frame is no longer shown, seconds since the first frame.
        fps: frames wanted a second.
    """
    times = [time - 1e-6 for time in times]  # a frame is shown at its own time stamp, whatever the rounding
    chosen = []
    second = 0
    while second + (fps - 1) / fps < end:
        instants = [second + j / fps for j in range(fps)]
        shown = {bisect_right(times, instant) - 1 for instant in instants}
        last = bisect_right(times, second + 1 - 2e-6) - 1
        free = [index for index in range(min(shown), last + 1) if index not in shown]
        free.sort(key=lambda index: min(abs(times[index] - instant) for instant in instants))
        shown.update(free[: fps - len(shown)])
        chosen += [(second, index) for index in sorted(shown)]
        second += 1
    return chosen


def select_frames(times: Sequence[float], end: float, fps: int, rate: Fraction | None) -> list[tuple[int, int]]:
    """(second, frame index) of the frames to keep, ascending.

    Args:
        times: when each frame is first shown, seconds since the first one, ascending.
        end: when the last frame is no longer shown.
        fps: frames wanted a second.
        rate: the constant frame rate, None if it varies (see `constant_rate`).
    """
    if rate is not None and rate >= fps:
        return choose_at_constant_rate(len(times), rate, fps)
    return choose_at_variable_rate(times, end, fps)
