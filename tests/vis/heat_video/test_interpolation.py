"""Maps between the pictures that the network looks at, and how loud it has to be."""

import numpy as np
import pytest

from data.media.video_stream import StreamFrame
from vis.heat_video.interpolation import TOGETHER, FrameWithLevel, interpolate_maps, loudness, upsample


def heard(times: list[float]) -> list[FrameWithLevel]:
    return [FrameWithLevel(StreamFrame(index, index, time, None), -20.0) for index, time in enumerate(times)]


def ramp(one: FrameWithLevel) -> np.ndarray:
    """A map that grows evenly in time: mixed linearly, it is right for every picture."""
    return np.full((1, 2, 2), 3 * one.picture.time + 1)


def itself(one: FrameWithLevel) -> FrameWithLevel:
    return one


def ramps(looks: list[FrameWithLevel]) -> list[np.ndarray]:
    assert 1 <= len(looks) <= TOGETHER
    return [ramp(one) for one in looks]


RATES = {"24": 24, "29.97": 30000 / 1001, "25": 25, "60": 60, "slower than the maps": 3, "7.5": 7.5}


@pytest.mark.parametrize("rate", RATES.values(), ids=RATES.keys())
@pytest.mark.parametrize("a_second", [4, 8])
def test_every_picture_has_a_map_mixed_by_time(rate, a_second):
    pictures = heard([index / rate for index in range(round(rate * 5.3))])
    found = list(interpolate_maps(pictures, itself, ramps, a_second))
    assert [one for one, _ in found] == pictures
    for one, maps in found:
        np.testing.assert_allclose(maps, ramp(one))


def test_variable_frame_rates_too():
    times = np.cumsum(np.random.default_rng(0).exponential(0.05, 200)).tolist()
    pictures = heard([time - times[0] for time in times])
    for one, maps in interpolate_maps(pictures, itself, ramps, 8):
        np.testing.assert_allclose(maps, ramp(one))


@pytest.mark.parametrize("rate", [24, 30, 60])
@pytest.mark.parametrize("a_second", [4, 5, 8, 12])
def test_the_network_looks_as_often_as_asked_for(rate, a_second):
    looked = []
    pictures = heard([index / rate for index in range(rate * 10)])
    list(interpolate_maps(pictures, lambda one: looked.append(one.picture.time) or one, ramps, a_second))
    assert len(looked) == pytest.approx(10 * a_second + 1, abs=1)
    assert looked[0] == 0 and looked[-1] == pictures[-1].picture.time
    assert max(np.diff(looked)) < 1 / a_second + 1 / rate + 1e-6
    assert len(set(looked)) == len(looked)


def test_no_more_pictures_wait_than_are_shown_between_two_maps():
    taken = []
    pictures = (taken.append(one) or one for one in heard([index / 30 for index in range(3000)]))
    most = 0
    for given, _ in enumerate(interpolate_maps(pictures, itself, ramps, 4), 1):
        most = max(most, len(taken) - given)
    assert most <= 4 * 8


@pytest.mark.parametrize("times", [[0.0], [0.0, 0.01], [0.0, 700.0]])
def test_few_pictures(times):
    assert [maps[0, 0, 0] for _, maps in interpolate_maps(heard(times), itself, ramps, 8)] == [
        3 * time + 1 for time in times
    ]


def test_no_picture_has_no_map():
    assert list(interpolate_maps([], itself, ramps, 8)) == []


@pytest.mark.parametrize(("level", "expected"), [(-120, 0), (-50, 0), (-47, 0.5), (-44, 1), (0, 1)])
def test_heat_comes_up_above_the_level_of_silence(level, expected):
    assert loudness(level, -50) == pytest.approx(expected)


def test_finer_maps_keep_what_is_where_and_stay_above_0():
    maps = np.zeros((1, 2, 9, 9), np.float32)
    maps[0, 0, 2, 6] = maps[0, 1, 8, 0] = 1
    fine = upsample(maps)
    assert fine.shape == (1, 2, 36, 36) and fine.min() >= 0
    row, column = np.unravel_index(fine[0, 0].argmax(), (36, 36))
    assert (row + 0.5) / 4 == pytest.approx(2.5, abs=0.2) and (column + 0.5) / 4 == pytest.approx(6.5, abs=0.2)
    np.testing.assert_allclose(upsample(np.ones((1, 1, 9, 9), np.float32)), 1, rtol=1e-5)
