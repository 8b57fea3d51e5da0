"""The losses, against loops over pairs in float64 and by hand."""

import math

import numpy as np
import pytest
import torch

from models.losses import ContrastiveLoss, CrossEntropyLoss
from models.matching import MATCHINGS
from models.pairs import PairDistances, in_batch_pairs, single_negative_pairs
from tests.fixtures.pair_oracle import VIDEO, background_of_pair, draw_centers, match_pair

BOTH_LOSSES = [ContrastiveLoss, CrossEntropyLoss]


def cross_entropy_in_a_loop(audio, visual, video, matching, temperature, background) -> float:
    count, losses = len(visual), []
    for i in range(count):
        positive = match_pair(audio[i], visual[i], matching)[0]
        others = [j for j in range(count) if video[j] != video[i]]
        negative_frames = [match_pair(audio[i], visual[j], matching)[0] for j in others]
        if background:
            negative_frames += background_of_pair(audio[i], visual[i], matching)
        heard = [*others, *range(count, len(audio))]  # noise is negative for every frame
        negative_audio = [match_pair(audio[j], visual[i], matching)[0] for j in heard]
        for negative in (negative_frames, negative_audio):
            terms = [math.exp(-value / temperature) for value in (positive, *negative)]
            losses.append(-math.log(terms[0] / sum(terms)))
    return sum(losses) / len(losses)


def contrastive_in_a_loop(audio, visual, video, matching, margin, background) -> float:
    count, positive, negative = len(visual), [], []
    for i in range(count):
        positive.append(match_pair(audio[i], visual[i], matching)[0])
        others = [j for j in range(count) if video[j] != video[i]]
        negative += [match_pair(audio[i], visual[j], matching)[0] for j in others]
        negative += [match_pair(audio[j], visual[i], matching)[0] for j in (*others, *range(count, len(audio)))]
        if background:
            negative += background_of_pair(audio[i], visual[i], matching)
    shortfalls = [max(0.0, margin - math.sqrt(value + 1e-9)) ** 2 for value in negative]
    return 0.5 * (sum(positive) / len(positive) + sum(shortfalls) / len(shortfalls)) / 2


@pytest.mark.parametrize("background", [False, True])
@pytest.mark.parametrize("noise", [0, 2])
@pytest.mark.parametrize("matching", MATCHINGS)
@pytest.mark.parametrize("num_audio", [1, 2])
def test_losses_of_a_batch_agree_with_a_loop_over_its_pairs(num_audio, matching, noise, background):
    audio, visual = draw_centers(num_audio, noise=noise)
    pairs = in_batch_pairs(audio, visual, VIDEO, matching)
    arrays = audio.numpy(), visual.numpy(), VIDEO.tolist(), matching
    expected = cross_entropy_in_a_loop(*arrays, 0.3, background)
    assert CrossEntropyLoss(0.3, background)(pairs).item() == pytest.approx(expected, rel=1e-9)
    expected = contrastive_in_a_loop(*arrays, 2.0, background)
    assert ContrastiveLoss(2.0, background)(pairs).item() == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("background", [False, True])
@pytest.mark.parametrize("loss", BOTH_LOSSES)
def test_infinite_distances_give_no_nan_and_all_audio_learns(loss, background):
    audio, visual = (value.float().requires_grad_() for value in draw_centers(1))
    loss(background=background)(in_batch_pairs(audio, visual, VIDEO, "nearest")).backward()
    assert audio.grad.isfinite().all() and visual.grad.isfinite().all()
    assert audio.grad.abs().amax((1, 2)).min() > 0  # noise learns too


@pytest.mark.parametrize("loss", BOTH_LOSSES)
def test_a_batch_of_a_single_video_has_a_finite_loss(loss):
    # The last batch of the validation list may have no negative pair.
    audio, visual = draw_centers(1, noise=0)
    value = loss()(in_batch_pairs(audio.requires_grad_(), visual, torch.zeros(5, dtype=torch.int64), "nearest"))
    value.backward()
    assert value.isfinite() and audio.grad.isfinite().all()


@pytest.mark.parametrize("loss", BOTH_LOSSES)
def test_centers_that_coincide_have_a_finite_gradient(loss):
    audio = torch.ones(4, 1, 3, requires_grad=True)
    loss(background=True)(in_batch_pairs(audio, torch.ones(4, 2, 3), torch.arange(4), "nearest")).backward()
    assert audio.grad.isfinite().all()


@pytest.mark.parametrize("matching", MATCHINGS)
@pytest.mark.parametrize("loss", [ContrastiveLoss(2.0, True), CrossEntropyLoss(0.3, True)])
def test_gradcheck_of_a_whole_batch(loss, matching):
    audio, visual = (value[:, :, :3].clone() for value in draw_centers(2, noise=1))

    def value(audio: torch.Tensor, visual: torch.Tensor) -> torch.Tensor:
        return loss(in_batch_pairs(audio, visual, VIDEO, matching))

    assert torch.autograd.gradcheck(value, (audio.requires_grad_(), visual.requires_grad_()))


@pytest.mark.parametrize("matching", MATCHINGS)
@pytest.mark.parametrize("loss", [ContrastiveLoss(background=True), CrossEntropyLoss(background=True)])
def test_no_loss_waits_for_values_of_a_gpu(loss, matching):
    centers = [torch.empty(count, clusters, 8, device="meta") for count, clusters in ((7, 2), (5, 3), (5, 3))]
    video = torch.empty(5, dtype=torch.int64, device="meta")  # has no values: reading one is an error
    for pairs in (in_batch_pairs(*centers[:2], video, matching), single_negative_pairs(*centers, matching)):
        assert loss(pairs).shape == pairs.accuracy().shape == ()


def single_negatives(positive: list[float], negative: list[float]) -> PairDistances:
    """One negative frame for each second of audio, no noise, as published."""
    frames = torch.tensor(negative, dtype=torch.float64)[:, None]
    return PairDistances(torch.tensor(positive, dtype=torch.float64), frames, frames[:, :0], frames[:, :0])


@pytest.mark.parametrize("margin", [5.0, 1.0])
def test_with_single_negatives_the_contrastive_loss_is_the_published_mean_over_all_pairs(margin):
    rng = np.random.default_rng(0)
    positive, negative = rng.uniform(0, 40, 7), rng.uniform(0, 40, 7)
    pairs = [(value, 1) for value in positive] + [(value, 0) for value in negative]
    terms = [0.5 * (y * d + (1 - y) * max(0, margin - math.sqrt(d + 1e-9)) ** 2) for d, y in pairs]
    found = ContrastiveLoss(margin)(single_negatives(positive.tolist(), negative.tolist()))
    assert found.item() == pytest.approx(sum(terms) / 14, rel=1e-12)


def test_positive_and_negative_pairs_count_half_each_however_many_negatives_there_are():
    positive = torch.tensor([4.0, 4.0, 4.0])
    few, many = torch.full((3, 1), 9.0), torch.full((3, 50), 9.0)
    few, many = (ContrastiveLoss()(PairDistances(positive, n, n, n[:, :0])) for n in (few, many))
    assert few.item() == pytest.approx(0.5 * (4 + (5 - 3) ** 2) / 2) and many.item() == pytest.approx(few.item())


def test_the_contrastive_gradient_is_finite_at_distance_0_and_pushes_apart():
    negative = torch.zeros(2, 1, requires_grad=True)
    ContrastiveLoss()(PairDistances(torch.zeros(2), negative, negative[:, :0], negative[:, :0])).backward()
    assert negative.grad.isfinite().all() and (negative.grad < 0).all()


@pytest.mark.parametrize("loss", BOTH_LOSSES)
def test_the_background_is_a_negative_only_on_request(loss):
    pairs = single_negatives([1.0], [4.0])._replace(background=torch.tensor([[0.5, math.inf]], dtype=torch.float64))
    assert loss()(pairs) == loss()(pairs._replace(background=torch.zeros(1, 2, dtype=torch.float64)))
    assert loss(background=True)(pairs) > loss()(pairs)
