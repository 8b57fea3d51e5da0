"""The selected frames of each second, against a search through all frames in exact fractions."""

from fractions import Fraction

import pytest

from data.media.frame_selection import constant_rate, select_at_constant_rate, select_at_variable_rate, select_frames

NTSC = [Fraction(24_000, 1001), Fraction(30_000, 1001), Fraction(60_000, 1001)]
RATES = [24, 25, 30, 50, 60, *NTSC]


def shown_at(instant: Fraction, rate: Fraction, count: int) -> int:
    """Oracle: the last frame that has appeared at `instant`."""
    return max(index for index in range(count) if Fraction(index) / rate <= instant)


@pytest.mark.parametrize("rate", RATES, ids=str)
def test_each_second_has_the_four_frames_shown_at_its_instants(rate):
    rate = Fraction(rate)
    count = round(10 * rate)
    step = Fraction(int(rate / 4)) / rate
    expected = [(second, shown_at(second + j * step, rate, count)) for second in range(10) for j in range(4)]
    assert select_at_constant_rate(count, rate, 4) == expected


def test_published_indices_at_30_and_25_frames_a_second():
    assert [index % 30 for _, index in select_at_constant_rate(90, Fraction(30), 4)] == [0, 7, 14, 21] * 3
    assert [index % 25 for _, index in select_at_constant_rate(75, Fraction(25), 4)] == [0, 6, 12, 18] * 3


def test_an_hour_at_2997_has_four_frames_in_every_second():
    rate = Fraction(30_000, 1001)
    selected = select_at_constant_rate(round(3600 * rate), rate, 4)
    assert [second for second, _ in selected] == [second for second in range(3600) for _ in range(4)]
    assert len({index for _, index in selected}) == len(selected)


def test_a_second_that_the_video_does_not_complete_is_left_out():
    assert {second for second, _ in select_at_constant_rate(51, Fraction(30), 4)} == {0}
    assert {second for second, _ in select_at_constant_rate(52, Fraction(30), 4)} == {0, 1}  # frame 51 is its last


def test_other_numbers_of_frames_a_second():
    assert select_at_constant_rate(30, Fraction(30), 1) == [(0, 0)]
    assert [index for _, index in select_at_constant_rate(30, Fraction(30), 10)] == list(range(0, 30, 3))


def test_a_variable_rate_selects_the_frame_shown_at_each_quarter():
    times = [0.0, 0.1, 0.24, 0.26, 0.5, 0.7, 0.76, 0.9]
    assert select_at_variable_rate(times, 1.0, 4) == [(0, 0), (0, 2), (0, 4), (0, 5)]


def test_a_variable_rate_fills_up_if_one_frame_is_shown_at_several_quarters():
    # frame 4 is shown at 0.25, 0.5 and 0.75, but the second has five frames
    times = [0.0, 0.05, 0.1, 0.15, 0.2]
    selected = select_at_variable_rate(times, 1.0, 4)
    assert len(selected) == len(set(selected)) == 4
    assert {0, 4} <= {index for _, index in selected}


def test_a_variable_rate_keeps_fewer_than_four_frames_if_there_are_no_more():
    assert select_at_variable_rate([0.0, 0.6], 1.0, 4) == [(0, 0), (0, 1)]


def test_a_frame_shown_for_seconds_is_a_sample_of_each():
    assert select_at_variable_rate([0.0, 0.5], 3.0, 4) == [(0, 0), (0, 1), (1, 1), (2, 1)]


def test_a_rate_below_the_wanted_one_keeps_all_frames():
    assert select_frames([i / 3 for i in range(6)], 2.0, 4, Fraction(3)) == [
        (0, 0), (0, 1), (0, 2), (1, 3), (1, 4), (1, 5),
    ]  # fmt: skip


def test_whole_milliseconds_are_recognised_as_a_constant_rate():
    rate = Fraction(30_000, 1001)
    times = [round(i / float(rate), 3) for i in range(3000)]
    assert constant_rate(times, [Fraction(30), rate]) == rate


def test_the_mean_rate_is_used_if_the_container_states_none():
    times = [round(i / 24, 3) for i in range(240)]
    assert constant_rate(times, [None, Fraction(0)]) == 24


@pytest.mark.parametrize(
    "times",
    [[0, 1 / 30, 2 / 30, 4 / 30, 5 / 30], [0, 0.02, 0.1, 0.13, 0.4, 0.41]],
    ids=["a dropped frame", "a webcam"],
)
def test_a_variable_rate_is_recognised(times):
    assert constant_rate(times, [Fraction(30), Fraction(25)]) is None
