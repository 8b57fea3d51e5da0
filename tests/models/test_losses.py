"""The losses, against loops over pairs in float64 and by hand."""

import math
from statistics import fmean

import numpy as np
import pytest
import torch

from models.losses import contrastive_loss, cross_entropy_loss, max_margin_loss, recipe_loss
from models.pairs import PairDistances, in_batch_pairs, single_negative_pairs
from models.recipes import CVPR2019, IMPROVED, MATCHINGS, ORIGINAL
from tests.fixtures.pair_oracle import VIDEO, draw_centers, pairs_of_batch


def cross_entropy_in_a_loop(pairs: list[tuple], temperature: float) -> float:
    losses = []
    for positive, *negatives in pairs:
        for negative in negatives:
            terms = [math.exp(-value / temperature) for value in (positive, *negative)]
            losses.append(-math.log(terms[0] / sum(terms)))
    return fmean(losses)


@pytest.mark.parametrize("noise", [0, 2])
@pytest.mark.parametrize("matching", MATCHINGS)
@pytest.mark.parametrize("num_audio", [1, 2])
def test_the_cross_entropy_of_a_batch_agrees_with_a_loop_over_its_pairs(num_audio, matching, noise):
    audio, visual = draw_centers(num_audio, noise=noise)
    pairs = in_batch_pairs(audio, visual, VIDEO, matching)
    expected = cross_entropy_in_a_loop(pairs_of_batch(audio.numpy(), visual.numpy(), matching), 0.1)
    assert cross_entropy_loss(pairs).item() == pytest.approx(expected, rel=1e-9)


AWKWARD = {
    "infinite distances": (*draw_centers(1), VIDEO),
    "no negative pair": (
        *draw_centers(1, noise=0),
        torch.zeros(5, dtype=torch.int64),
    ),  # the last batch may be so
    "equal centers": (torch.ones(4, 1, 3), torch.ones(4, 2, 3), torch.arange(4)),
}


@pytest.mark.parametrize("batch", AWKWARD)
def test_an_awkward_batch_has_a_finite_loss_and_gradient(batch):
    *centers, video = AWKWARD[batch]
    audio, visual = (value.to(torch.float32, copy=True).requires_grad_() for value in centers)
    value = cross_entropy_loss(in_batch_pairs(audio, visual, video, "nearest"))
    value.backward()
    assert value.isfinite() and audio.grad.isfinite().all() and visual.grad.isfinite().all()


@pytest.mark.parametrize("matching", MATCHINGS)
def test_gradcheck_of_a_whole_batch(matching):
    audio, visual = (value[:, :, :3].clone() for value in draw_centers(2, noise=1))

    def value(audio: torch.Tensor, visual: torch.Tensor) -> torch.Tensor:
        return cross_entropy_loss(in_batch_pairs(audio, visual, VIDEO, matching))

    assert torch.autograd.gradcheck(value, (audio.requires_grad_(), visual.requires_grad_()))


@pytest.mark.parametrize("matching", MATCHINGS)
def test_no_loss_waits_for_values_of_a_gpu(matching):
    audio, visual = torch.empty(7, 2, 8, device="meta"), torch.empty(5, 3, 8, device="meta")
    video = torch.empty(5, dtype=torch.int64, device="meta")  # has no values: reading one is an error
    of_batch = in_batch_pairs(audio, visual, video, matching)
    single = single_negative_pairs((audio[:5], visual), (audio[:5], visual), matching)
    for recipe, pairs in ((IMPROVED, of_batch), (ORIGINAL, single), (CVPR2019, single)):
        assert recipe_loss(pairs, recipe).shape == pairs.accuracy().shape == ()


def test_equal_centers_have_a_finite_contrastive_gradient():
    centers = torch.ones(4, 1, 3, requires_grad=True), torch.ones(4, 2, 3)
    contrastive_loss(single_negative_pairs(centers, centers, "nearest"), 5.0).backward()
    assert centers[0].grad.isfinite().all()


@pytest.mark.parametrize("margin", [5.0, 1.0])
def test_with_single_negatives_the_contrastive_loss_is_the_published_mean_over_all_pairs(margin):
    rng = np.random.default_rng(0)
    positive, negative = rng.uniform(0, 40, 7), rng.uniform(0, 40, 7)
    pairs = [(value, 1) for value in positive] + [(value, 0) for value in negative]
    terms = [0.5 * (y * d + (1 - y) * max(0, margin - math.sqrt(d + 1e-9)) ** 2) for d, y in pairs]
    found = contrastive_loss(PairDistances(torch.tensor(positive), torch.tensor(negative)[:, None]), margin)
    assert found.item() == pytest.approx(sum(terms) / 14, rel=1e-12)


def similarity_in_a_loop(audio: np.ndarray, visual: np.ndarray) -> float:
    """Sum of the cosines of clusters of the same number."""
    pairs = zip(audio, visual, strict=True)
    return sum(float(a @ v) / math.sqrt(float(a @ a)) / math.sqrt(float(v @ v)) for a, v in pairs)


@pytest.mark.parametrize("margin", [3.0, 0.5])
def test_the_max_margin_loss_is_that_of_similarities_of_the_papers_form(margin):
    centers = torch.tensor(np.random.default_rng(2).normal(size=(3, 6, 3, 4)))  # own and wrong audio, frames
    own, wrong, visual = centers.numpy()
    terms = [
        max(0.0, margin + similarity_in_a_loop(wrong[i], visual[i]) - similarity_in_a_loop(own[i], visual[i]))
        for i in range(6)
    ]
    assert min(terms) == 0 or margin == 3.0  # some are beyond the smaller margin
    audio, other_audio, frames = torch.nn.functional.normalize(centers, dim=-1)
    pairs = single_negative_pairs((audio, frames), (other_audio, frames), "same_number")
    assert max_margin_loss(pairs, margin).item() == pytest.approx(fmean(terms), rel=1e-12)
