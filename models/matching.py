"""How visual clusters and sound clusters are matched: the one place that decides which part of a picture sounds."""

import torch
from scipy.optimize import linear_sum_assignment


def squared_distances(audio_centers: torch.Tensor, visual_centers: torch.Tensor) -> torch.Tensor:
    """Squared Euclidean distance of every sound cluster to every visual cluster.

    Args:
        audio_centers: [B, A, D].
        visual_centers: [B, V, D].

    Returns:
        [B, A, V].
    """
    return (audio_centers.unsqueeze(2) - visual_centers.unsqueeze(1)).square().sum(-1)


def pair_distance(audio_centers: torch.Tensor, visual_centers: torch.Tensor) -> torch.Tensor:
    """D^2 of a sound and a picture: each sound cluster's squared distance to the nearest visual cluster, summed.

    Args:
        audio_centers: [B, A, D].
        visual_centers: [B, V, D].

    Returns:
        [B].
    """
    return squared_distances(audio_centers, visual_centers).amin(-1).sum(-1)


def match_clusters(distances: torch.Tensor) -> torch.Tensor:
    """Order of the visual clusters: first the one matched to each sound cluster, then the others, nearest first.

    One sound cluster gets the nearest visual cluster; of several each gets one of its own, such that the sum of the
    distances is the smallest (Hungarian method).

    Args:
        distances: [A, V] of one picture, A at most V.

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
