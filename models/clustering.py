"""Differentiable clustering: soft k-means, unrolled for a few rounds so that gradients flow through all of them.

Section 3.1 of "Deep Multimodal Clustering for Unsupervised Audiovisual Learning" (CVPR 2019), in the form of its
published simplified version: no projection of each cluster's own, Euclidean distances.
"""

import torch

BETA = 30.0  # hardness of the assignment; k-means in the limit
ROUNDS = 4
SMALLEST_DISTANCE = 1e-5  # below it the distance is constant: published, as the root's gradient is infinite at 0
SMALLEST_WEIGHT = 1e-12  # a cluster that no vector belongs to would be 0 / 0


def strided_start(features: torch.Tensor, num_clusters: int) -> torch.Tensor:
    """First centers, as published: the vectors at positions 0, N // K, 2 (N // K), ...

    Args:
        features: [B, N, D].
        num_clusters: K, at most N.

    Returns:
        [B, K, D].
    """
    step = features.shape[1] // num_clusters
    return features[:, : step * num_clusters : step]


def farthest_start(features: torch.Tensor, num_clusters: int) -> torch.Tensor:
    """First centers: the vector farthest from the mean, then always the one farthest from all that are chosen.

    Wherever in the picture a small object is, one of the first centers lies on it (Gonzalez, 1985). Which vectors are
    chosen has no gradient; the vectors themselves do.

    Args:
        features: [B, N, D].
        num_clusters: K, at most N.

    Returns:
        [B, K, D].
    """
    with torch.no_grad():
        nearest = (features - features.mean(1, keepdim=True)).square().sum(-1)  # [B, N], to what is chosen so far
        chosen = [nearest.argmax(1)]
        nearest = torch.full_like(nearest, torch.inf)
        for _ in range(num_clusters - 1):
            to_last = (features - _at(features, chosen[-1][:, None])).square().sum(-1)
            nearest = torch.minimum(nearest, to_last)
            chosen.append(nearest.argmax(1))
    return _at(features, torch.stack(chosen, 1))


def _at(features: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
    """Vectors at `positions`, int64 [B, K], as [B, K, D]."""
    return features.gather(1, positions[..., None].expand(-1, -1, features.shape[-1]))


STARTS = {"strided": strided_start, "farthest": farthest_start}


def distances(features: torch.Tensor, centers: torch.Tensor) -> torch.Tensor:
    """Euclidean distance of every vector to every center, floored at 1e-5.

    Args:
        features: [B, N, D].
        centers: [B, K, D].

    Returns:
        [B, K, N].
    """
    # The differences themselves, [B, K, N, D], would take more time and memory than all the rest of the clustering; the
    # expanded form, |u|^2 - 2 u c + |c|^2, would leave of small distances only rounding errors.
    found = torch.cdist(features, centers, compute_mode="donot_use_mm_for_euclid_dist")  # [B, N, K]
    return found.transpose(1, 2).clamp(min=SMALLEST_DISTANCE)


def soft_kmeans(
    features: torch.Tensor, num_clusters: int, beta: float = BETA, rounds: int = ROUNDS, start: str = "strided"
) -> tuple[torch.Tensor, torch.Tensor]:
    """Cluster the N vectors of each item of a batch.

    Each round assigns, s_ij = softmax over i of (-beta d_ij), and moves, c_i = sum_j s_ij u_j / sum_j s_ij.

    Args:
        features: u, [B, N, D]. Half precision is computed in float32, also inside autocast; float64 stays.
        num_clusters: K.
        beta: hardness of the assignment.
        rounds: how often to assign and move.
        start: where the centers start, one of `STARTS`.

    Returns:
        Centers c [B, K, D], and assignment s [B, K, N], which sums to 1 over the clusters: the one that the centers
        were moved by.

    Raises:
        ValueError: there are less vectors than clusters.
    """
    if not 1 <= num_clusters <= features.shape[1]:
        raise ValueError(f"{features.shape[1]} vectors cannot form {num_clusters} clusters")
    with torch.autocast(features.device.type, enabled=False):
        if features.dtype in (torch.float16, torch.bfloat16):
            features = features.float()
        centers = STARTS[start](features, num_clusters)
        for _ in range(rounds):
            assignment = torch.softmax(-beta * distances(features, centers), dim=1)  # [B, K, N]
            weight = assignment.sum(-1, keepdim=True).clamp(min=SMALLEST_WEIGHT)  # [B, K, 1]
            centers = assignment @ features / weight  # [B, K, D]
    return centers, assignment
