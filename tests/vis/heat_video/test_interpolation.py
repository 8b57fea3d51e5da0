"""Interpolation of maps between the frames that the network gets, and the fading of heat."""

import threading

import numpy as np
import pytest

from data.media.video_stream import StreamFrame
from vis.heat_video.interpolation import (
    BATCH,
    MAPS_PER_SECOND,
    FrameWithLevel,
    Heat,
    interpolate_maps,
    opacity,
    upsample,
)


def frames_at(times: list[float]) -> list[FrameWithLevel]:
    return [FrameWithLevel(StreamFrame(index, index, time, None), -20.0) for index, time in enumerate(times)]


def ramp(time: float) -> Heat:
    """Heat that is linear in time: interpolated, it is right for every frame."""
    return Heat(np.full((1, 2, 2), 3 * time + 1), 5 * time)


def ramps(times: list[float]) -> list[Heat]:
    assert 1 <= len(times) <= BATCH
    return [ramp(time) for time in times]


def time_of(one: FrameWithLevel) -> float:
    return one.frame.time


VARIABLE = np.cumsum([0, *np.random.default_rng(0).exponential(0.05, 200)]).tolist()
TIMES = {
    "29.97": [index * 1001 / 30000 for index in range(160)],
    "60": [index / 60 for index in range(320)],
    "fewer frames than maps": [index / 3 for index in range(16)],
    "variable": VARIABLE,
    "one": [0.0],
    "two": [0.0, 0.01],
    "far apart": [0.0, 700.0],
    "none": [],
}


@pytest.mark.parametrize("times", TIMES.values(), ids=TIMES.keys())
def test_each_frame_has_heat_linear_in_time(times):
    frames = frames_at(times)
    found = list(interpolate_maps(frames, time_of, ramps))
    assert [one for one, _ in found] == frames
    for one, heat in found:
        np.testing.assert_allclose(heat.maps, ramp(time_of(one)).maps)
        assert heat.distance == pytest.approx(ramp(time_of(one)).distance)


def test_the_network_works_on_the_next_frames_while_the_last_are_drawn():
    frames = frames_at([index / MAPS_PER_SECOND for index in range(3 * BATCH)])
    begun = [threading.Event() for _ in range(3)]

    def localize(times: list[float]) -> list[Heat]:
        begun[round(times[0] * MAPS_PER_SECOND) // BATCH].set()
        return ramps(times)

    drawn = interpolate_maps(frames, time_of, localize)
    next(drawn)
    assert begun[1].wait(10) and not begun[2].is_set()


def test_an_error_of_the_network_reaches_the_caller():
    def fail(times: list[float]) -> list[Heat]:
        raise FloatingPointError("no finite distances")

    with pytest.raises(FloatingPointError, match="no finite"):
        list(interpolate_maps(frames_at([0.0, 1.0]), time_of, fail))


@pytest.mark.parametrize("rate", [24, 30, 60])
def test_the_network_gets_the_first_and_the_last_frame_and_some_of_each_second(rate):
    prepared = []
    frames = frames_at([index / rate for index in range(rate * 10)])
    list(interpolate_maps(frames, lambda one: prepared.append(time_of(one)) or time_of(one), ramps))
    assert len(prepared) == pytest.approx(10 * MAPS_PER_SECOND + 1, abs=1)
    assert prepared[0] == 0 and prepared[-1] == time_of(frames[-1])
    assert min(np.diff(prepared)) > 0 and max(np.diff(prepared)) < 1 / MAPS_PER_SECOND + 1 / rate + 1e-6


@pytest.mark.parametrize(("level", "expected"), [(-120, 0), (-50, 0), (-47, 0.5), (-44, 1), (0, 1)])
def test_heat_fades_in_above_the_level_of_silence(level, expected):
    assert opacity(level, -50) == pytest.approx(expected)


def test_upsampled_maps_keep_their_places_and_stay_positive():
    maps = np.zeros((1, 2, 9, 9), np.float32)
    maps[0, 0, 2, 6] = maps[0, 1, 8, 0] = 1
    fine = upsample(maps)
    assert fine.shape == (1, 2, 36, 36) and fine.min() >= 0
    row, column = np.unravel_index(fine[0, 0].argmax(), (36, 36))
    assert (row + 0.5) / 4 == pytest.approx(2.5, abs=0.2) and (column + 0.5) / 4 == pytest.approx(6.5, abs=0.2)
    np.testing.assert_allclose(upsample(np.ones((1, 1, 9, 9), np.float32)), 1, rtol=1e-5)
