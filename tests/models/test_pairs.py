"""Positive and negative pairs, against loops over pairs."""

import math

import pytest
import torch

from models.pairs import PairDistances, in_batch_pairs, single_negative_pairs, wrong_audio_pairs
from models.recipes import MATCHINGS
from tests.fixtures.pair_oracle import VIDEO, background_of_pair, draw_centers, match_pair


@pytest.mark.parametrize("matching", MATCHINGS)
def test_single_negative_pairs_agree_with_a_loop(matching):
    audio, visual = draw_centers(2)
    other = torch.randn(5, 3, 4, dtype=torch.float64)
    pairs = single_negative_pairs(audio, visual, other, matching)
    for i in range(5):
        own = audio[i].numpy(), visual[i].numpy(), matching
        assert pairs.positive[i].item() == pytest.approx(match_pair(*own)[0])
        expected = match_pair(audio[i].numpy(), other[i].numpy(), matching)[0]
        assert pairs.negative_frames[i].tolist() == pytest.approx([expected])
        expected = [match_pair(audio[j].numpy(), visual[i].numpy(), matching)[0] for j in (5, 6)]
        assert pairs.negative_audio[i].tolist() == pytest.approx(expected)
        finite = pairs.background[i][pairs.background[i].isfinite()]
        assert finite.tolist() == pytest.approx(background_of_pair(*own))


def test_wrong_audio_keeps_the_frame_and_its_accuracy_is_that_of_the_audio():
    audio, visual = draw_centers(2)
    other = torch.randn(5, 2, 4, dtype=torch.float64)
    pairs = wrong_audio_pairs(audio, other, visual, "nearest")
    own, wrong = ([match_pair(a[i].numpy(), visual[i].numpy(), "nearest")[0] for i in range(5)] for a in (audio, other))
    assert pairs.positive.tolist() == pytest.approx(own)
    assert pairs.negative_audio[:, 0].tolist() == pytest.approx(wrong)
    noise = [match_pair(audio[j].numpy(), visual[2].numpy(), "nearest")[0] for j in (5, 6)]
    assert pairs.negative_audio[2, 1:].tolist() == pytest.approx(noise) and pairs.negative_frames.shape == (5, 0)
    farther = [value > own[i] for i, row in enumerate(pairs.negative_audio.tolist()) for value in row]
    assert pairs.accuracy().item() == pytest.approx(sum(farther) / 15)


def test_other_seconds_of_the_same_video_are_no_negatives_in_either_direction():
    pairs = in_batch_pairs(*draw_centers(1, noise=2), VIDEO, "nearest")
    same = VIDEO[:, None] == VIDEO[None]
    assert torch.equal(pairs.negative_frames.isinf(), same)
    assert torch.equal(pairs.negative_audio.isinf(), torch.cat([same, torch.zeros(5, 2, dtype=torch.bool)], 1))
    assert pairs.negative_audio[0, 1] == pairs.negative_frames[1, 0]  # audio 1 with frame 0


def test_accuracy_counts_finite_pairs_only():
    inf = math.inf
    negative = torch.tensor([[inf, 5.0, 0.5], [2.0, inf, inf]])
    pairs = PairDistances(torch.tensor([1.0, 1.0]), negative, negative, negative)
    assert pairs.accuracy().item() == pytest.approx(2 / 3)
