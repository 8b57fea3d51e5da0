"""Losses on the distances of positive and negative pairs."""

import torch
from torch.nn import functional

from models.pairs import PairDistances
from models.recipes import Recipe

TEMPERATURE = 0.1  # squared distances of normalized features are 0 to 4
SMALLEST_SQUARE = 1e-9  # the root's gradient is infinite at 0


def contrastive_loss(pairs: PairDistances, margin: float) -> torch.Tensor:
    """0.5 [y D^2 + (1 - y) max(0, margin - sqrt(D^2 + 1e-9))^2], averaged over the pairs.

    Positive pairs (y = 1) are drawn together, negative ones (y = 0) pushed apart up to the margin (Hadsell, Chopra and
    LeCun, CVPR 2006, as the published DMC uses it). There is one negative pair for each positive one.
    """
    shortfall = (margin - (pairs.negative + SMALLEST_SQUARE).sqrt()).clamp(min=0)
    return 0.5 * (pairs.positive.mean() + shortfall.square().mean()) / 2


def cross_entropy_loss(pairs: PairDistances) -> torch.Tensor:
    """Which frame belongs to the audio, and which audio to the frame: cross-entropy over -D^2 / 0.1.

    -log exp(-D_ii^2 / t) / (exp(-D_ii^2 / t) + sum over negatives j of exp(-D_ij^2 / t)), t = 0.1, over the frames j
    of audio i, and likewise over the audio of a frame; the mean of both (InfoNCE, van den Oord, Li and Vinyals, 2018).

    The unmatched clusters of the own frame are negatives of the audio too. Receptive fields are large, so without them
    every part of a frame may learn to tell what the frame shows, and any of them may be matched. With them only one
    part can be near the audio: the object, from which it is easiest to tell.
    """
    of_audio = _info_nce(pairs.positive, pairs.negative, pairs.background)
    return (of_audio + _info_nce(pairs.positive, pairs.negative_audio)) / 2


def _info_nce(positive: torch.Tensor, *negative: torch.Tensor) -> torch.Tensor:
    logits = -torch.cat([positive[:, None], *negative], dim=1) / TEMPERATURE
    target = torch.zeros(len(positive), dtype=torch.int64, device=positive.device)
    return functional.cross_entropy(logits, target)


def max_margin_loss(pairs: PairDistances, margin: float) -> torch.Tensor:
    """max(0, margin + s(wrong) - s(right)), averaged over the frames and their wrong audio, as in the CVPR paper.

    The similarity s is the sum over K clusters of the cosine of their audio and visual center. For centers of length 1
    it is K - D^2 / 2, and K cancels out.
    """
    return (margin + (pairs.positive[:, None] - pairs.negative) / 2).clamp(min=0).mean()


def recipe_loss(pairs: PairDistances, recipe: Recipe) -> torch.Tensor:
    """The loss of a batch as the recipe wants it, scalar."""
    if recipe.loss == "cross_entropy":
        return cross_entropy_loss(pairs)
    return {"contrastive": contrastive_loss, "max_margin": max_margin_loss}[recipe.loss](pairs, recipe.margin)
