"""The pairs of audio and frames that a loss compares: positive ones belong together, negative ones do not."""

from typing import NamedTuple

import torch

from models.matching import pair_distance, squared_distances, unmatched

Centers = tuple[torch.Tensor, torch.Tensor]  # of audio, [B, A, D], and of frames, [B, V, D]


class PairDistances(NamedTuple):
    """Distances D^2 of the pairs of B seconds; pairs that no loss compares are infinite.

    Attributes:
        positive: of the audio and its own frame, [B].
        negative: of the audio and P frames of other videos, or of the frame and P seconds of other audio, [B, P]; these
            count in the accuracy.
        negative_audio: of the frame and S seconds of audio that do not belong to it, [B, S]; of a whole batch only.
        background: squared distance of the audio clusters to the unmatched clusters of the own frame, [B, R]; likewise.
    """

    positive: torch.Tensor
    negative: torch.Tensor
    negative_audio: torch.Tensor | None = None
    background: torch.Tensor | None = None

    def accuracy(self) -> torch.Tensor:
        """Share of negative pairs that are farther apart than the positive one, scalar."""
        compared = self.negative.isfinite()
        farther = self.positive[:, None] < self.negative
        return (farther & compared).sum() / compared.sum().clamp(min=1)


def single_negative_pairs(own: Centers, wrong: Centers, matching: str) -> PairDistances:
    """A negative pair for each positive one.

    Args:
        own: of audio and frames that belong together.
        wrong: the same audio with frames of other videos, as published, or the same frames with the audio of other
            videos, as in the CVPR paper.
        matching: see `models.matching.pair_distance`.
    """
    positive, negative = (pair_distance(squared_distances(*centers), matching) for centers in (own, wrong))
    return PairDistances(positive, negative[:, None])


def in_batch_pairs(
    audio: torch.Tensor,
    visual: torch.Tensor,
    video: torch.Tensor,
    matching: str,
    mixed_in: torch.Tensor | None = None,
) -> PairDistances:
    """Each second of audio with all frames of its batch: 2 B passes through the networks give B x B pairs.

    Args:
        audio: centers of the audio, [B + N, A, D]; the last N are noise negatives, for every frame.
        visual: centers of their frames, [B, V, D].
        video: number of each video, [B]: other seconds of the same video are neither positive nor negative.
        matching: see `models.matching.pair_distance`.
        mixed_in: number of the video of a second frame that is mixed into each frame, [B]; its audio is no negative.
    """
    count = len(visual)
    between = _all_squared_distances(audio, visual)  # [B + N, B, A, V]
    distance = pair_distance(between, matching)  # [B + N, B]
    shown = video[:, None] == video[None]
    if mixed_in is not None:
        shown = shown | (video[:, None] == mixed_in[None])
    negative = distance[:count].masked_fill(shown, torch.inf)
    own = between[:count].diagonal().movedim(-1, 0)  # [B, A, V]
    matched = ~unmatched(own.detach(), matching)
    background = own.masked_fill(matched[:, None], torch.inf).flatten(1)
    return PairDistances(distance[:count].diagonal(), negative, torch.cat([negative, distance[count:]]).T, background)


def _all_squared_distances(audio: torch.Tensor, visual: torch.Tensor) -> torch.Tensor:
    """Of each cluster of all audio to each of all frames, [S, A, D] and [F, V, D] -> [S, F, A, V]."""
    # Expanded, as differences of all pairs would take D times the memory.
    products = torch.einsum("sad,fvd->sfav", audio, visual)
    audio_squares, visual_squares = audio.square().sum(-1), visual.square().sum(-1)
    squares = audio_squares[:, None, :, None] + visual_squares[None, :, None, :]
    return (squares - 2 * products).clamp(min=0)
