"""The pairs of audio and frames that a loss compares: positive ones belong together, negative ones do not."""

from typing import NamedTuple

import torch

from models.matching import pair_distance, squared_distances, unmatched


class PairDistances(NamedTuple):
    """Distances of B seconds of audio and their B frames; pairs that no loss compares are infinite.

    Attributes:
        positive: D^2 of the audio and its own frame, [B].
        negative_frames: D^2 of the audio and P frames of other videos, [B, P]; P is 0 with `wrong_audio_pairs`.
        negative_audio: D^2 of the frame and S seconds of audio that do not belong to it, [B, S].
        background: squared distance of the audio clusters to the unmatched clusters of the own frame, [B, R].
    """

    positive: torch.Tensor
    negative_frames: torch.Tensor
    negative_audio: torch.Tensor
    background: torch.Tensor

    @property
    def negative(self) -> torch.Tensor:
        """D^2 of the negative pairs that matching accuracy counts: with other frames, else with other audio."""
        return self.negative_frames if self.negative_frames.shape[1] else self.negative_audio

    def accuracy(self) -> torch.Tensor:
        """Share of negative pairs that are farther apart than the positive one, scalar."""
        compared = self.negative.isfinite()
        farther = self.positive[:, None] < self.negative
        return (farther & compared).sum() / compared.sum().clamp(min=1)


def single_negative_pairs(
    audio: torch.Tensor, visual: torch.Tensor, other_visual: torch.Tensor, matching: str
) -> PairDistances:
    """Each second of audio with its own frame and with one of another video, as published.

    Args:
        audio: centers of the audio, [B + N, A, D]; the last N are noise negatives, for every frame.
        visual: centers of their frames, [B, V, D].
        other_visual: centers of the other frames, [B, V, D].
        matching: see `models.matching.pair_distance`.
    """
    count = len(visual)
    own = squared_distances(audio[:count], visual)  # [B, A, V]
    negative = pair_distance(squared_distances(audio[:count], other_visual), matching)
    noise = pair_distance(squared_distances(audio[None, count:], visual[:, None]), matching)  # [B, N]
    return PairDistances(pair_distance(own, matching), negative[:, None], noise, _background(own, matching))


def wrong_audio_pairs(
    audio: torch.Tensor, other_audio: torch.Tensor, visual: torch.Tensor, matching: str
) -> PairDistances:
    """Each frame with its own audio and with that of another video, as in the CVPR paper.

    Args:
        audio: centers of the audio, [B + N, A, D]; the last N are noise negatives, for every frame.
        other_audio: centers of the other audio, [B, A, D].
        visual: centers of the frames, [B, V, D].
        matching: see `models.matching.pair_distance`.
    """
    count = len(visual)
    own = squared_distances(audio[:count], visual)  # [B, A, V]
    wrong = pair_distance(squared_distances(other_audio, visual), matching)[:, None]
    noise = pair_distance(squared_distances(audio[None, count:], visual[:, None]), matching)  # [B, N]
    heard = torch.cat([wrong, noise], 1)
    return PairDistances(pair_distance(own, matching), heard[:, :0], heard, _background(own, matching))


def in_batch_pairs(audio: torch.Tensor, visual: torch.Tensor, video: torch.Tensor, matching: str) -> PairDistances:
    """Each second of audio with all frames of its batch: 2 B passes through the networks give B x B pairs.

    Args:
        audio: centers of the audio, [B + N, A, D]; the last N are noise negatives, for every frame.
        visual: centers of their frames, [B, V, D].
        video: number of each video, [B]: other seconds of the same video are neither positive nor negative.
        matching: see `models.matching.pair_distance`.
    """
    count = len(visual)
    between = _all_squared_distances(audio, visual)  # [B + N, B, A, V]
    distance = pair_distance(between, matching)  # [B + N, B]
    own = between[:count].diagonal().movedim(-1, 0)  # [B, A, V]
    negative = distance[:count].masked_fill(video[:, None] == video[None], torch.inf)
    return PairDistances(
        distance[:count].diagonal(),
        negative,
        torch.cat([negative, distance[count:]]).T,
        _background(own, matching),
    )


def _all_squared_distances(audio: torch.Tensor, visual: torch.Tensor) -> torch.Tensor:
    """Of each cluster of all audio to each of all frames, [S, A, D] and [F, V, D] -> [S, F, A, V]."""
    # Expanded, as differences of all pairs would take D times the memory.
    products = torch.einsum("sad,fvd->sfav", audio, visual)
    audio_squares, visual_squares = audio.square().sum(-1), visual.square().sum(-1)
    squares = audio_squares[:, None, :, None] + visual_squares[None, :, None, :]
    return (squares - 2 * products).clamp(min=0)


def _background(own: torch.Tensor, matching: str) -> torch.Tensor:
    """Squared distances of the audio to the unmatched clusters of its own frame, [B, A, V] -> [B, A V]."""
    matched = ~unmatched(own.detach(), matching)
    return own.masked_fill(matched[:, None], torch.inf).flatten(1)
