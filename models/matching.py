"""How visual clusters and sound clusters are matched: the one place that decides which part of a picture sounds."""

import functools
import itertools

import torch
from scipy.optimize import linear_sum_assignment

MATCHINGS = ("nearest", "one_to_one")


def squared_distances(audio_centers: torch.Tensor, visual_centers: torch.Tensor) -> torch.Tensor:
    """Squared Euclidean distance of every sound cluster to every visual cluster.

    Args:
        audio_centers: [..., A, D].
        visual_centers: [..., V, D], whose leading dimensions fit by broadcasting.

    Returns:
        [..., A, V].
    """
    return (audio_centers.unsqueeze(-2) - visual_centers.unsqueeze(-3)).square().sum(-1)


def pair_distance(between: torch.Tensor, matching: str = "nearest") -> torch.Tensor:
    """D^2 of a sound and a picture: the squared distance of each sound cluster to its visual cluster, summed.

    Args:
        between: squared distances of their clusters, [..., A, V].
        matching: ``nearest``, as published: each sound cluster has the nearest visual one, which others may have too;
            or ``one_to_one``: each has one of its own, such that the sum is the smallest.

    Returns:
        [...].
    """
    if matching == "nearest" or between.shape[-2] == 1:
        return between.amin(-1).sum(-1)
    return _one_to_one(between)[1].amin(-1)


def unmatched(between: torch.Tensor, matching: str = "nearest") -> torch.Tensor:
    """Which visual clusters are matched to none of the sound clusters.

    Args:
        between: squared distances, [B, A, V].
        matching: see `pair_distance`.

    Returns:
        bool [B, V].
    """
    if matching == "nearest" or between.shape[-2] == 1:
        matched = between.argmin(-1)  # [B, A]
    else:
        ways, sums = _one_to_one(between)
        matched = ways[sums.argmin(-1)]
    return torch.ones_like(between[:, 0], dtype=torch.bool).scatter(1, matched, False)


def _one_to_one(between: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """All ways to give each of the A sound clusters a one of its own, int64 [P, A], and their sums, [..., P]."""
    count, of = between.shape[-2:]
    ways = _ways(count, of, between.device)
    return ways, sum(between[..., row, ways[:, row]] for row in range(count))


@functools.cache  # made once: to copy it to a GPU, the program waits for it
@torch.inference_mode(False)  # what is made in inference could not be trained with later
def _ways(count: int, of: int, device: torch.device) -> torch.Tensor:
    """All ways to choose `count` of so many in order, int64 [P, count]."""
    return torch.tensor(list(itertools.permutations(range(of), count)), device=device)


def match_clusters(distances: torch.Tensor) -> torch.Tensor:
    """Order of the visual clusters: first the one matched to each sound cluster, then the others, nearest first.

    One sound cluster gets the nearest visual cluster; of several each gets one of its own, such that the sum of the
    distances is the smallest (Hungarian method).

    Args:
        distances: squared, as in training, [A, V] of one picture, A at most V.

    Returns:
        int64 [V], a permutation; entry j < A is matched to sound cluster j.
    """
    num_audio = distances.shape[0]
    _, matched = linear_sum_assignment(distances.cpu().numpy())
    matched = torch.from_numpy(matched)
    others = distances.cpu().amin(0)
    others[matched] = torch.inf
    by_distance = others.argsort(stable=True)[: distances.shape[1] - num_audio]
    return torch.cat([matched, by_distance])


def match_all(distances: torch.Tensor) -> torch.Tensor:
    """`match_clusters` of each picture, [B, A, V] -> int64 [B, V], on the CPU."""
    return torch.stack([match_clusters(of_picture) for of_picture in distances.cpu()])
