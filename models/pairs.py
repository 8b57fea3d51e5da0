"""What a loss compares: the distances of right pairs of sound and picture, and those of wrong ones."""

from typing import NamedTuple

import torch

from models.matching import pair_distance, squared_distances, unmatched


class Comparison(NamedTuple):
    """Distances of B sounds and their B pictures; what is not to be compared is infinite.

    Attributes:
        right: D^2 of each sound and its own picture, [B].
        wrong_pictures: D^2 of each sound and P pictures of other videos, [B, P].
        wrong_sounds: D^2 of each picture and S sounds that are not in it, [B, S].
        background: squared distance of each sound's clusters to the clusters of its own picture that none of them is
            matched to, [B, R].
        skipped: D^2 of the sounds and wrong pictures that no loss compares, as they may well fit, [B, P]; None if
            there are none.
    """

    right: torch.Tensor
    wrong_pictures: torch.Tensor
    wrong_sounds: torch.Tensor
    background: torch.Tensor
    skipped: torch.Tensor | None = None

    @property
    def all_wrong_pictures(self) -> torch.Tensor:
        """Those that losses compare, and those that they skip, [B, P]."""
        return self.wrong_pictures if self.skipped is None else torch.minimum(self.wrong_pictures, self.skipped)

    def accuracy(self) -> torch.Tensor:
        """Share of all wrong pictures that are farther from a sound than its own picture, scalar."""
        wrong = self.all_wrong_pictures
        farther = self.right[:, None] < wrong
        compared = wrong.isfinite()
        return (farther & compared).sum() / compared.sum().clamp(min=1)


def compare_with_one(
    audio: torch.Tensor, visual: torch.Tensor, other_visual: torch.Tensor, matching: str
) -> Comparison:
    """Each sound with its own picture and with one of another video, as published.

    Args:
        audio: centers of the sounds, [B + N, A, D]; the last N are those of noise, for every picture.
        visual: centers of their pictures, [B, V, D].
        other_visual: centers of the other pictures, [B, V, D].
        matching: see `models.matching.pair_distance`.
    """
    count = len(visual)
    own = squared_distances(audio[:count], visual)  # [B, A, V]
    wrong = pair_distance(squared_distances(audio[:count], other_visual), matching)
    noise = pair_distance(squared_distances(audio[None, count:], visual[:, None]), matching)  # [B, N]
    return Comparison(pair_distance(own, matching), wrong[:, None], noise, _background(own, matching))


def compare_in_batch(
    audio: torch.Tensor, visual: torch.Tensor, video: torch.Tensor, matching: str, skip_alike: float = 0.0
) -> Comparison:
    """Each sound with all pictures of its batch: 2 B passes through the networks give B x B pairs.

    Args:
        audio: centers of the sounds, [B + N, A, D]; the last N are those of noise, for every picture.
        visual: centers of their pictures, [B, V, D].
        video: number of each one's video, [B]: other seconds of the same video are neither right nor wrong.
        matching: see `models.matching.pair_distance`.
        skip_alike: share of the batch that is no wrong answer to a sound, nor it to them: the sounds most like it.
            Videos of the same instrument are no wrong pairs, and no label says which these are; a network that has to
            tell them apart learns their backgrounds by heart (false negatives; Huynh et al., 2020).
    """
    count = len(visual)
    between = _all_squared_distances(audio, visual)  # [B + N, B, A, V]
    distance = pair_distance(between, matching)  # [B + N, B]
    own = between[:count].diagonal().movedim(-1, 0)  # [B, A, V]
    same = video[:, None] == video[None]
    alike = _alike(audio[:count], same, skip_alike, matching)
    wrong = distance[:count].masked_fill(same | alike, torch.inf)
    return Comparison(
        distance[:count].diagonal(),
        wrong,
        torch.cat([wrong, distance[count:]]).T,
        _background(own, matching),
        distance[:count].detach().masked_fill(same | ~alike, torch.inf) if skip_alike else None,
    )


@torch.no_grad()
def _alike(audio: torch.Tensor, same: torch.Tensor, share: float, matching: str) -> torch.Tensor:
    """Which sounds [B, A, D] sound alike: each and a share of those of other videos, nearest first; bool [B, B]."""
    distance = pair_distance(_all_squared_distances(audio, audio), matching).masked_fill(same, torch.inf)
    nearest = distance.topk(round(share * len(audio)), largest=False).indices
    alike = torch.zeros_like(same).scatter(1, nearest, True)
    return alike | alike.T


def _all_squared_distances(audio: torch.Tensor, visual: torch.Tensor) -> torch.Tensor:
    """Of each cluster of every sound to each of every picture, [S, A, D] and [P, V, D] -> [S, P, A, V]."""
    # Expanded, as differences of all pairs would take D times the memory.
    products = torch.einsum("sad,pvd->spav", audio, visual)
    audio_squares, visual_squares = audio.square().sum(-1), visual.square().sum(-1)
    squares = audio_squares[:, None, :, None] + visual_squares[None, :, None, :]
    return (squares - 2 * products).clamp(min=0)


def _background(own: torch.Tensor, matching: str) -> torch.Tensor:
    """Squared distances of each sound to the unmatched clusters of its own picture, [B, A, V] -> [B, A V]."""
    matched = ~unmatched(own.detach(), matching)
    return own.masked_fill(matched[:, None], torch.inf).flatten(1)
