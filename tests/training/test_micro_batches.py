"""The parts of an accumulated step, and how much each of them weighs."""

import pytest
from torch import nn

from data.sampler import RankSampler
from training.micro_batches import step_parts


@pytest.mark.parametrize(
    ("length", "weights", "begins", "ends"),
    [
        (8, [0.5, 0.5, 0.5, 0.5], "1010", "0101"),
        (6, [0.5, 0.5, 1.0], "101", "011"),
        (3, [2 / 3, 1 / 3], "10", "01"),  # the whole list is less than a batch
        (1, [1.0], "1", "1"),
    ],
)
def test_a_part_weighs_as_much_of_its_step_as_it_has_samples(length, weights, begins, ends):
    sizes = RankSampler(range(length), 2, length).sizes()
    assert sum(sizes) == length
    parts = list(step_parts(nn.Identity(), [{}] * len(sizes), sizes, accumulate=2))
    assert [part.weight for part in parts] == pytest.approx(weights)
    assert [part.begins for part in parts] == [flag == "1" for flag in begins]
    assert [part.ends for part in parts] == [flag == "1" for flag in ends]
