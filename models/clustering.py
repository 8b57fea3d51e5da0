"""Differentiable clustering, unrolled for a few rounds so that gradients flow through all of them.

Section 3.1 of "Deep Multimodal Clustering for Unsupervised Audiovisual Learning" (CVPR 2019) in two forms: soft k-means
as in its published simplified version, with Euclidean distances and no projection for each cluster; and the paper's own
form, which resembles the routing between capsules (Sabour, Frosst and Hinton, NeurIPS 2017).
"""

import torch
from torch.nn import functional

BETA = 30.0  # hardness of the assignment; k-means in the limit
ROUNDS = 4
SMALLEST_SQUARED_DISTANCE = 1e-10  # below it the distance is constant: its root would have an infinite gradient
SMALLEST_WEIGHT = 1e-12  # a cluster without members would be 0 / 0


def strided_init(products: torch.Tensor, num_clusters: int) -> torch.Tensor:
    """First centers, as published: the features at positions 0, N // K, 2 (N // K), ...

    Args:
        products: of all pairs of features, [B, N, N].
        num_clusters: K, at most N.

    Returns:
        Positions, int64 [B, K].
    """
    batch, count = products.shape[:2]
    return (torch.arange(num_clusters, device=products.device) * (count // num_clusters)).expand(batch, -1)


@torch.no_grad()
def farthest_point_init(products: torch.Tensor, num_clusters: int) -> torch.Tensor:
    """First centers: the feature farthest from the mean, then always the one farthest from all chosen ones.

    Wherever a small object is, one of the first centers lies on it (Gonzalez, 1985). The choice has no gradient; the
    chosen features have.

    Args:
        products: of all pairs of features less their mean, [B, N, N].
        num_clusters: K, at most N.

    Returns:
        Positions, int64 [B, K].
    """
    squares = products.diagonal(dim1=1, dim2=2)  # [B, N]
    chosen = [squares.argmax(1)]
    nearest = torch.full_like(products[:, 0], torch.inf)  # [B, N], squared distance to the nearest chosen one
    for _ in range(num_clusters - 1):
        to_last = distances_to_centers(products, squares, one_hot(chosen[-1][:, None], products))[:, 0]
        nearest = torch.minimum(nearest, to_last)
        chosen.append(nearest.argmax(1))
    return torch.stack(chosen, 1)


CENTER_INITS = {"strided": strided_init, "farthest": farthest_point_init}


def one_hot(positions: torch.Tensor, products: torch.Tensor) -> torch.Tensor:
    """Weights of clusters of one feature each, int64 [B, K] -> [B, K, N]."""
    return functional.one_hot(positions, products.shape[-1]).to(products.dtype)


def distances_to_centers(products: torch.Tensor, squares: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Squared Euclidean distance of every feature to every center.

    A center is a mean, c_i = sum_k w_ik u_k, so |u_j - c_i|^2 = <u_j, u_j> - 2 <c_i, u_j> + <c_i, c_i> follows from
    the products of features alone: the features, 512 numbers each, are read once and not once a round.

    Args:
        products: <u_j, u_k>, [B, N, N].
        squares: <u_j, u_j>, the diagonal of the products, [B, N]; taken once, as its gradient fills a matrix.
        weights: w, [B, K, N], sums to 1 over the features.

    Returns:
        [B, K, N]; rounding can make them negative.
    """
    with_centers = weights @ products  # <c_i, u_j>, [B, K, N]
    center_squares = (with_centers * weights).sum(-1, keepdim=True)  # [B, K, 1]
    return squares[:, None] - 2 * with_centers + center_squares


def normalize_over_features(assignment: torch.Tensor) -> torch.Tensor:
    """The weight of each feature in the mean of each cluster, [B, K, N]; sums to 1 over the features."""
    return assignment / assignment.sum(-1, keepdim=True).clamp(min=SMALLEST_WEIGHT)


def soft_kmeans(
    features: torch.Tensor, num_clusters: int, beta: float = BETA, rounds: int = ROUNDS, init: str = "strided"
) -> tuple[torch.Tensor, torch.Tensor]:
    """Cluster the N features of each item of a batch.

    Each round assigns, s_ij = softmax over i of (-beta d_ij), and moves, c_i = sum_j s_ij u_j / sum_j s_ij, where d_ij
    is the Euclidean distance of u_j to c_i.

    Args:
        features: u, [B, N, D]. Half precision is computed in float32, also inside autocast; float64 stays.
        num_clusters: K, at most N.
        beta: hardness of the assignment.
        rounds: of assigning and moving, at least one.
        init: of the centers, one of `CENTER_INITS`.

    Returns:
        Centers c [B, K, D], and the last assignment s [B, K, N], which sums to 1 over the clusters.
    """
    with torch.autocast(features.device.type, enabled=False):
        if features.dtype in (torch.float16, torch.bfloat16):
            features = features.float()
        # Distances do not change when a constant is subtracted; with the mean they are rounded least.
        around_mean = features - features.detach().mean(1, keepdim=True)
        products = around_mean @ around_mean.transpose(1, 2)  # [B, N, N]
        squares = products.diagonal(dim1=1, dim2=2)  # [B, N]
        weights = one_hot(CENTER_INITS[init](products, num_clusters), products)  # [B, K, N]
        for _ in range(rounds):
            distances = distances_to_centers(products, squares, weights).clamp(min=SMALLEST_SQUARED_DISTANCE).sqrt()
            assignment = torch.softmax(-beta * distances, dim=1)  # [B, K, N]
            weights = normalize_over_features(assignment)
        centers = weights @ features  # [B, K, D]
    return centers, assignment


CAPSULE_ROUNDS = 3
SQUASHING = 10.0  # beyond a length of 0.3 a squashed vector has length 1


def squash(vectors: torch.Tensor) -> torch.Tensor:
    """tanh(10 |x|) x / |x|: vectors [..., D] of the same directions, with lengths below 1."""
    length = vectors.norm(dim=-1, keepdim=True)
    return functional.normalize(vectors, dim=-1) * torch.tanh(SQUASHING * length)


def capsule_clustering(projected: torch.Tensor, rounds: int = CAPSULE_ROUNDS) -> tuple[torch.Tensor, torch.Tensor]:
    """Cluster the N features of each item of a batch, each of which has a projection for each cluster.

    Each round assigns, s_ij = softmax over i of b_ij, and sums, c_i = sum_j s_ij u_ij. After it, b_ij = <c_i / |c_i|,
    u_ij>. At first b_ij = 0: clusters differ by their projections, so that no first centers are needed.

    Args:
        projected: u, [B, N, K, D], the projection of feature j for cluster i.
        rounds: of assigning and summing, at least one.

    Returns:
        Centers c, squashed, [B, K, D], and the last assignment s [B, K, N], which sums to 1 over the clusters.
    """
    agreement = torch.zeros_like(projected[..., 0])  # b, [B, N, K]
    for _ in range(rounds):
        assignment = torch.softmax(agreement, dim=-1)
        centers = torch.einsum("bnk,bnkd->bkd", assignment, projected)
        agreement = torch.einsum("bkd,bnkd->bnk", functional.normalize(centers, dim=-1), projected)
    return squash(centers), assignment.transpose(1, 2)
