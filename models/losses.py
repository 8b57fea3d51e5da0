"""Losses on the distances of right and wrong pairs of sound and picture."""

import torch
from torch import nn
from torch.nn import functional

from models.pairs import Comparison

SMALLEST_SQUARE = 1e-9  # the root's gradient is infinite at 0
LOSSES = ("contrastive", "cross_entropy")


class ContrastiveLoss(nn.Module):
    """0.5 [y D^2 + (1 - y) max(0, margin - sqrt(D^2 + 1e-9))^2], averaged over the pairs.

    Right pairs (y = 1) are drawn together, wrong ones (y = 0) pushed apart until their distance is the margin
    (Hadsell, Chopra and LeCun, CVPR 2006, as the published DMC uses it). Right and wrong pairs count half each, however
    many wrong ones there are; as published there is one for each right one.

    Args:
        margin: the distance beyond which a wrong pair costs nothing.
        background: whether the rest of a sound's own picture counts as wrong too.
    """

    def __init__(self, margin: float = 5.0, background: bool = False) -> None:
        super().__init__()
        self.margin = margin
        self.background = background

    def forward(self, pairs: Comparison) -> torch.Tensor:
        """Loss of a batch, scalar."""
        wrong = [pairs.wrong_pictures, pairs.wrong_sounds] + ([pairs.background] if self.background else [])
        wrong = torch.cat([distance.flatten() for distance in wrong])
        # 0 of what is infinite. To leave that out instead, the program would have to wait for a GPU to know how many.
        shortfall = (self.margin - (wrong + SMALLEST_SQUARE).sqrt()).clamp(min=0)
        of_wrong = shortfall.square().sum() / wrong.isfinite().sum().clamp(min=1)  # none in a batch of a single video
        return 0.5 * (pairs.right.mean() + of_wrong) / 2


class CrossEntropyLoss(nn.Module):
    """Which picture belongs to a sound, and which sound to a picture: cross-entropy over -D^2 / temperature.

    -log exp(-D_ii^2 / t) / (exp(-D_ii^2 / t) + sum over the wrong j of exp(-D_ij^2 / t)), over the pictures j of a
    sound i, and likewise over the sounds of a picture; the mean of both (InfoNCE, van den Oord, Li and Vinyals, 2018).

    With `background`, the clusters of a sound's own picture that it is not matched to are wrong answers too. Else
    every part of a picture may learn to tell what is in the picture, and any of them may be matched: the receptive
    fields reach that far. With it, only one part can be near the sound, and the part that shows the object is the one
    from which it is easiest to tell.

    Args:
        temperature: t; squared distances of normalized features are 0 to 4.
        background: whether the rest of a sound's own picture counts as wrong.
    """

    def __init__(self, temperature: float = 0.1, background: bool = False) -> None:
        super().__init__()
        self.temperature = temperature
        self.background = background

    def forward(self, pairs: Comparison) -> torch.Tensor:
        """Loss of a batch, scalar."""
        of_sounds = [pairs.wrong_pictures] + ([pairs.background] if self.background else [])
        return (self._towards(pairs.right, of_sounds) + self._towards(pairs.right, [pairs.wrong_sounds])) / 2

    def _towards(self, right: torch.Tensor, wrong: list[torch.Tensor]) -> torch.Tensor:
        logits = -torch.cat([right[:, None], *wrong], dim=1) / self.temperature
        return functional.cross_entropy(logits, torch.zeros(len(right), dtype=torch.int64, device=right.device))
