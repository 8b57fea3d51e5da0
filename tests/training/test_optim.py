"""Learning rates by hand, the micro-batches of a step, and the scale of float16."""

import pytest
from torch import nn

from data.sampler import RankSampler
from training import optim
from training.optim import build_optimizer, scheduled_rate, split_into_steps

HALF_COSINE = [1, 0.5 + 0.5 * 0.5**0.5, 0.5, 0.5 - 0.5 * 0.5**0.5]


@pytest.mark.parametrize(
    ("schedule", "warm_up", "expected"),
    [
        ("constant", 2, [1, 1, 1, 1]),
        ("cosine", 1, HALF_COSINE),  # the first step is not wasted on 0
        ("cosine", 2, [0.5, *HALF_COSINE[1:]]),  # warm-up and cosine multiply
        ("cosine", 8, [0.125]),  # shorter than its warm-up
    ],
)
def test_learning_rates_by_hand(schedule, warm_up, expected, monkeypatch):
    monkeypatch.setattr(optim, "WARM_UP", warm_up)
    steps = len(expected)
    found = [scheduled_rate(8.0, schedule, step, steps) for step in range(steps)]
    assert found == pytest.approx([8 * rate for rate in expected])


@pytest.mark.parametrize(
    ("length", "weights", "first", "last"),
    [
        (8, [0.5, 0.5, 0.5, 0.5], "1010", "0101"),
        (6, [0.5, 0.5, 1.0], "101", "011"),
        (3, [2 / 3, 1 / 3], "10", "01"),  # the whole list is less than a batch
        (1, [1.0], "1", "1"),
    ],
)
def test_a_micro_batch_weighs_its_share_of_the_samples_of_its_step(length, weights, first, last):
    sizes = RankSampler(length, 2, length, seed=0, shuffle=True).sizes()
    parts = list(split_into_steps(nn.Identity(), [{}] * len(sizes), sizes, accumulate=2))
    assert [part.weight for part in parts] == pytest.approx(weights)
    assert [part.first for part in parts] == [flag == "1" for flag in first]
    assert [part.last for part in parts] == [flag == "1" for flag in last]
    assert last.count("1") == parts[-1].step + 1


def test_adam_has_the_published_weight_decay_in_one_kernel():
    defaults = build_optimizer(nn.Linear(2, 1).parameters(), 1e-4).defaults
    assert (defaults["lr"], defaults["weight_decay"], defaults["fused"]) == (1e-4, 1e-4, True)
