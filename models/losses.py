"""Contrastive loss of the original recipe."""

import torch
from torch import nn

SMALLEST_SQUARE = 1e-9  # the root's gradient is infinite at 0


class ContrastiveLoss(nn.Module):
    """0.5 [y D^2 + (1 - y) max(0, margin - sqrt(D^2 + 1e-9))^2], averaged over the pairs.

    Right pairs (y = 1) are drawn together, wrong ones (y = 0) pushed apart until their distance is the margin
    (Hadsell, Chopra and LeCun, CVPR 2006, as the published DMC uses it).

    Args:
        margin: the distance beyond which a wrong pair costs nothing.
    """

    def __init__(self, margin: float = 5.0) -> None:
        super().__init__()
        self.margin = margin

    def forward(self, right: torch.Tensor, wrong: torch.Tensor) -> torch.Tensor:
        """Loss of a batch.

        Args:
            right: D^2 of the right pairs, [B].
            wrong: D^2 of the wrong pairs, [C].

        Returns:
            Scalar.
        """
        shortfall = (self.margin - (wrong + SMALLEST_SQUARE).sqrt()).clamp(min=0)
        return 0.5 * torch.cat([right, shortfall.square()]).mean()
