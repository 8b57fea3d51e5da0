"""The learning rate of each step, by hand."""

import pytest

from training.schedule import SCHEDULES, learning_rate


def rates(schedule: str, warmup: int, steps: int) -> list[float]:
    return [learning_rate(8.0, schedule, warmup, step, steps) for step in range(steps)]


def test_a_constant_rate_is_that_of_every_step():
    assert rates("constant", 0, 5) == [8, 8, 8, 8, 8]


def test_the_rate_rises_in_proportion_from_the_first_step_which_is_not_wasted_on_0():
    assert rates("constant", 4, 7) == pytest.approx([2, 4, 6, 8, 8, 8, 8])


def test_half_a_cosine_falls_from_all_over_a_half_to_0_after_the_last_step():
    assert rates("cosine", 0, 4) == pytest.approx([8, 4 + 4 * 0.5**0.5, 4, 4 - 4 * 0.5**0.5])
    assert learning_rate(8.0, "cosine", 0, 4, 4) == pytest.approx(0, abs=1e-12)


def test_warmup_and_cosine_multiply():
    assert rates("cosine", 2, 4) == pytest.approx([4, 4 + 4 * 0.5**0.5, 4, 4 - 4 * 0.5**0.5])


def test_a_training_shorter_than_its_warmup_never_reaches_the_highest_rate():
    assert rates("constant", 10, 3) == pytest.approx([0.8, 1.6, 2.4])


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_a_single_step_is_taken_at_the_full_rate(schedule):
    assert rates(schedule, 0, 1) == [8]
