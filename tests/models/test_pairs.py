"""Positive and negative pairs, against loops over pairs."""

import math

import pytest
import torch

from models.pairs import PairDistances, in_batch_pairs, single_negative_pairs
from models.recipes import MATCHINGS
from tests.fixtures.pair_oracle import VIDEO, draw_centers, match_pair


@pytest.mark.parametrize("matching", MATCHINGS)
def test_single_negative_pairs_agree_with_a_loop(matching):
    own = draw_centers(2, noise=0)
    wrong = torch.randn(5, 2, 4, dtype=torch.float64), torch.randn(5, 3, 4, dtype=torch.float64)
    pairs = single_negative_pairs(own, wrong, matching)
    for found, (audio, visual) in ((pairs.positive, own), (pairs.negative[:, 0], wrong)):
        expected = [match_pair(audio[i].numpy(), visual[i].numpy(), matching)[0] for i in range(5)]
        assert found.tolist() == pytest.approx(expected)


def test_other_seconds_of_the_same_video_are_no_negatives_in_either_direction():
    pairs = in_batch_pairs(*draw_centers(1, noise=2), VIDEO, "nearest")
    same = VIDEO[:, None] == VIDEO[None]
    assert torch.equal(pairs.negative.isinf(), same)
    assert torch.equal(pairs.negative_audio.isinf(), torch.cat([same, torch.zeros(5, 2, dtype=torch.bool)], 1))
    assert pairs.negative_audio[0, 1] == pairs.negative[1, 0]  # audio 1 with frame 0


def test_accuracy_counts_finite_pairs_only():
    inf = math.inf
    negative = torch.tensor([[inf, 5.0, 0.5], [2.0, inf, inf]])
    pairs = PairDistances(torch.tensor([1.0, 1.0]), negative)
    assert pairs.accuracy().item() == pytest.approx(2 / 3)
