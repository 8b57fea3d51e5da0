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


@pytest.mark.parametrize(
    ("rate", "fps", "indices"),
    [(30, 4, [0, 7, 14, 21]), (25, 4, [0, 6, 12, 18]), (30, 1, [0]), (30, 10, range(0, 30, 3))],
)
def test_each_second_has_the_published_indices(rate, fps, indices):
    selected = select_at_constant_rate(3 * rate, Fraction(rate), fps)
    assert selected == [(second, second * rate + index) for second in range(3) for index in indices]


def test_a_second_that_the_video_does_not_complete_is_left_out():
    assert {second for second, _ in select_at_constant_rate(51, Fraction(30), 4)} == {0}
    assert {second for second, _ in select_at_constant_rate(52, Fraction(30), 4)} == {0, 1}  # frame 51 is its last


@pytest.mark.parametrize(
    ("times", "end", "expected"),
    [
        ([0.0, 0.1, 0.24, 0.26, 0.5, 0.7, 0.76, 0.9], 1.0, [(0, 0), (0, 2), (0, 4), (0, 5)]),
        ([0.0, 0.05, 0.1, 0.16, 0.2], 1.0, [(0, 0), (0, 1), (0, 3), (0, 4)]),  # frame 4 is shown at 0.25, 0.5 and 0.75
        ([0.0, 0.6], 1.0, [(0, 0), (0, 1)]),
        ([0.0, 0.5], 3.0, [(0, 0), (0, 1), (1, 1), (2, 1)]),
    ],
    ids=["shown at each quarter", "filled up to four", "fewer if there are no more", "shown for seconds"],
)
def test_a_variable_rate_selects_the_frames_shown_at_each_quarter_and_fills_up(times, end, expected):
    assert select_at_variable_rate(times, end, 4) == expected


def test_a_rate_below_the_wanted_one_keeps_all_frames():
    selected = select_frames([i / 3 for i in range(6)], 2.0, 4, Fraction(3))
    assert selected == [(0, 0), (0, 1), (0, 2), (1, 3), (1, 4), (1, 5)]


@pytest.mark.parametrize(
    ("times", "stated", "expected"),
    [
        ([round(i / float(NTSC[1]), 3) for i in range(3000)], [Fraction(30), NTSC[1]], NTSC[1]),
        ([round(i / 24, 3) for i in range(240)], [None, Fraction(0)], 24),
        ([0, 1 / 30, 2 / 30, 4 / 30, 5 / 30], [Fraction(30), Fraction(25)], None),
        ([0, 0.02, 0.1, 0.13, 0.4, 0.41], [Fraction(30), Fraction(25)], None),
    ],
    ids=["whole milliseconds", "no stated rate", "a dropped frame", "a webcam"],
)
def test_a_constant_rate_is_told_from_a_variable_one(times, stated, expected):
    assert constant_rate(times, stated) == expected
