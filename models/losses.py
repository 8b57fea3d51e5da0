"""Losses on the distances of positive and negative pairs."""

import torch
from torch import nn
from torch.nn import functional

from models.pairs import PairDistances

TEMPERATURE = 0.1  # squared distances of normalized features are 0 to 4
SMALLEST_SQUARE = 1e-9  # the root's gradient is infinite at 0


class ContrastiveLoss(nn.Module):
    """0.5 [y D^2 + (1 - y) max(0, margin - sqrt(D^2 + 1e-9))^2], averaged over the pairs.

    Positive pairs (y = 1) are drawn together, negative ones (y = 0) pushed apart up to the margin (Hadsell, Chopra and
    LeCun, CVPR 2006, as the published DMC uses it). There is one negative pair for each positive one.

    Args:
        margin: the distance beyond which a negative pair has no loss.
    """

    def __init__(self, margin: float) -> None:
        super().__init__()
        self.margin = margin

    def forward(self, pairs: PairDistances) -> torch.Tensor:
        """Loss of a batch, scalar."""
        shortfall = (self.margin - (pairs.negative + SMALLEST_SQUARE).sqrt()).clamp(min=0)
        return 0.5 * (pairs.positive.mean() + shortfall.square().mean()) / 2


class CrossEntropyLoss(nn.Module):
    """Which frame belongs to the audio, and which audio to the frame: cross-entropy over -D^2 / 0.1.

    -log exp(-D_ii^2 / t) / (exp(-D_ii^2 / t) + sum over negatives j of exp(-D_ij^2 / t)), t = 0.1, over the frames j
    of audio i, and likewise over the audio of a frame; the mean of both (InfoNCE, van den Oord, Li and Vinyals, 2018).

    With `background`, the unmatched clusters of the own frame are negatives of the audio too. Receptive fields are
    large, so without it every part of a frame may learn to tell what the frame shows, and any of them may be matched.
    With it only one part can be near the audio: the object, from which it is easiest to tell.

    Args:
        background: whether the unmatched clusters of the own frame are negatives too.
    """

    def __init__(self, background: bool = False) -> None:
        super().__init__()
        self.background = background

    def forward(self, pairs: PairDistances) -> torch.Tensor:
        """Loss of a batch, scalar."""
        frames = [pairs.negative] + ([pairs.background] if self.background else [])
        return (self._towards(pairs.positive, frames) + self._towards(pairs.positive, [pairs.negative_audio])) / 2

    def _towards(self, positive: torch.Tensor, negative: list[torch.Tensor]) -> torch.Tensor:
        logits = -torch.cat([positive[:, None], *negative], dim=1) / TEMPERATURE
        target = torch.zeros(len(positive), dtype=torch.int64, device=positive.device)
        return functional.cross_entropy(logits, target)


class MaxMarginLoss(nn.Module):
    """max(0, margin + s(wrong) - s(right)), averaged over the frames and their wrong audio, as in the CVPR paper.

    The similarity s is the sum over K clusters of the cosine of their audio and visual center. For centers of length 1
    it is K - D^2 / 2, and K cancels out.

    Args:
        margin: how much more similar its own audio has to be to a frame than wrong audio.
    """

    def __init__(self, margin: float) -> None:
        super().__init__()
        self.margin = margin

    def forward(self, pairs: PairDistances) -> torch.Tensor:
        """Loss of a batch, scalar."""
        return (self.margin + (pairs.positive[:, None] - pairs.negative) / 2).clamp(min=0).mean()
