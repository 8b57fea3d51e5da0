"""Matching of visual and audio clusters: it decides which part of a frame sounds."""

import functools
import itertools

import torch
from scipy.optimize import linear_sum_assignment

from models.recipes import NEAREST, SAME_NUMBER


def squared_distances(audio_centers: torch.Tensor, visual_centers: torch.Tensor) -> torch.Tensor:
    """Squared Euclidean distance of every audio cluster to every visual cluster.

    Args:
        audio_centers: [..., A, D].
        visual_centers: [..., V, D]; the leading dimensions broadcast.

    Returns:
        [..., A, V].
    """
    return (audio_centers.unsqueeze(-2) - visual_centers.unsqueeze(-3)).square().sum(-1)


def pair_distance(distances: torch.Tensor, matching: str = NEAREST) -> torch.Tensor:
    """D^2 of audio and a frame: the squared distances of the matched clusters, summed.

    Args:
        distances: squared distances of their clusters, [..., A, V].
        matching: ``nearest``, as published: several audio clusters may share their nearest visual cluster;
            ``one_to_one``: each has a visual cluster of its own, with the smallest sum; ``same_number``: each has the
            visual cluster of its number.

    Returns:
        [...].
    """
    if matching == SAME_NUMBER:
        return distances.diagonal(dim1=-2, dim2=-1).sum(-1)
    if matching == NEAREST or distances.shape[-2] == 1:
        return distances.amin(-1).sum(-1)
    return _one_to_one(distances)[1].amin(-1)


def unmatched(distances: torch.Tensor, matching: str = NEAREST) -> torch.Tensor:
    """Which visual clusters are matched to no audio cluster.

    Args:
        distances: squared distances, [B, A, V].
        matching: see `pair_distance`.

    Returns:
        bool [B, V].
    """
    if matching == SAME_NUMBER:
        matched = torch.arange(distances.shape[1], device=distances.device).expand(len(distances), -1)  # [B, A]
    elif matching == NEAREST or distances.shape[-2] == 1:
        matched = distances.argmin(-1)
    else:
        orders, sums = _one_to_one(distances)
        matched = orders[sums.argmin(-1)]
    return torch.ones_like(distances[:, 0], dtype=torch.bool).scatter(1, matched, False)


def _one_to_one(distances: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """All one-to-one matchings of A to V clusters, int64 [P, A], and the sum of each, [..., P]."""
    num_audio, num_visual = distances.shape[-2:]
    orders = _permutations(num_audio, num_visual, distances.device)
    return orders, sum(distances[..., row, orders[:, row]] for row in range(num_audio))


@functools.cache  # made once: a copy to a GPU is waited for
@torch.inference_mode(False)  # a tensor made in inference mode could not be trained with later
def _permutations(count: int, total: int, device: torch.device) -> torch.Tensor:
    """All ordered choices of `count` out of `total`, int64 [P, count]."""
    return torch.tensor(list(itertools.permutations(range(total), count)), device=device)


def match_clusters(distances: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Order of the visual clusters: first the one matched to each audio cluster, then the others, nearest first.

    The matching is one to one and has the smallest sum of distances (Hungarian method).

    Args:
        distances: squared, [A, V] of one frame, on the CPU. If A is larger than V, the audio clusters that fit worst
            stay alone.

    Returns:
        int64 [V], a permutation; entry j < min(A, V) is matched to the j-th audio cluster that has a match. And the
        squared distances of the matched ones, [min(A, V)].
    """
    rows, matched = map(torch.from_numpy, linear_sum_assignment(distances.numpy()))
    others = distances.amin(0)
    others[matched] = torch.inf
    by_distance = others.argsort(stable=True)[: distances.shape[1] - len(matched)]
    return torch.cat([matched, by_distance]), distances[rows, matched]


def match_all(distances: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """`match_clusters` of each frame, [B, A, V] -> int64 [B, V] and [B, min(A, V)], on the CPU."""
    orders, matched = zip(*map(match_clusters, distances.cpu()), strict=True)
    return torch.stack(orders), torch.stack(matched)


def rank_clusters(distances: torch.Tensor, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Order of the visual clusters, nearest first, if each is matched to the audio cluster of its number.

    Args:
        distances: squared, [B, K, K].
        count: A, how many of them sound.

    Returns:
        int64 [B, K], a permutation; and the squared distances of the first A, [B, A]. Both are on the CPU.
    """
    ascending, orders = distances.diagonal(dim1=1, dim2=2).cpu().sort(dim=1, stable=True)
    return orders, ascending[:, :count]
