"""Differentiable clustering: soft k-means, unrolled for a few rounds so that gradients flow through all of them.

Section 3.1 of "Deep Multimodal Clustering for Unsupervised Audiovisual Learning" (CVPR 2019), in the form of its
published simplified version: no projection of each cluster's own, Euclidean distances.
"""

from typing import Any

import torch
from torch.autograd.function import once_differentiable
from torch.nn import functional

BETA = 30.0  # hardness of the assignment; k-means in the limit
ROUNDS = 4
SMALLEST_SQUARED_DISTANCE = 1e-10  # below it the distance is constant: its root would have an infinite gradient
SMALLEST_WEIGHT = 1e-12  # a cluster that no vector belongs to would be 0 / 0


def strided_start(products: torch.Tensor, num_clusters: int) -> torch.Tensor:
    """First centers, as published: the vectors at positions 0, N // K, 2 (N // K), ...

    Args:
        products: of all pairs of vectors, [B, N, N].
        num_clusters: K, at most N.

    Returns:
        Positions, int64 [B, K].
    """
    count, length = products.shape[:2]
    return (torch.arange(num_clusters, device=products.device) * (length // num_clusters)).expand(count, -1)


@torch.no_grad()
def farthest_start(products: torch.Tensor, num_clusters: int) -> torch.Tensor:
    """First centers: the vector farthest from the mean, then always the one farthest from all that are chosen.

    Wherever in the picture a small object is, one of the first centers lies on it (Gonzalez, 1985). Each choice waits
    for the one before it: the only loop over clusters. Which vectors are chosen has no gradient; the vectors themselves
    do.

    Args:
        products: of all pairs of vectors less their mean, [B, N, N].
        num_clusters: K, at most N.

    Returns:
        Positions, int64 [B, K].
    """
    squares = products.diagonal(dim1=1, dim2=2)  # [B, N]
    chosen = [squares.argmax(1)]
    nearest = torch.full_like(products[:, 0], torch.inf)  # [B, N], to what is chosen so far
    for _ in range(num_clusters - 1):
        to_last = squared_distances(products, squares, _members(chosen[-1][:, None], products))[:, 0]
        nearest = torch.minimum(nearest, to_last)
        chosen.append(nearest.argmax(1))
    return torch.stack(chosen, 1)


STARTS = {"strided": strided_start, "farthest": farthest_start}


class _AllProducts(torch.autograd.Function):
    """<u_j, u_k> of all pairs of vectors, [B, N, D] -> [B, N, N].

    They are the same for j, k and k, j, so that the gradient takes one product of matrices, where autograd takes two.
    """

    @staticmethod
    def forward(ctx: Any, vectors: torch.Tensor) -> torch.Tensor:  # noqa: ANN401 - as PyTorch has it
        ctx.save_for_backward(vectors)
        return vectors @ vectors.transpose(1, 2)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> torch.Tensor:  # noqa: ANN401
        (vectors,) = ctx.saved_tensors
        return (gradient + gradient.transpose(1, 2)) @ vectors


def _members(positions: torch.Tensor, products: torch.Tensor) -> torch.Tensor:
    """Weights of clusters of one vector each, int64 [B, K] -> [B, K, N]."""
    return functional.one_hot(positions, products.shape[-1]).to(products.dtype)


def squared_distances(products: torch.Tensor, squares: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Squared Euclidean distance of every vector to every center.

    A center is a mean of vectors, c_i = sum_k w_ik u_k, so that |u_j - c_i|^2 = <u_j, u_j> - 2 <c_i, u_j> + <c_i, c_i>
    follows from the vectors' products alone: the vectors, 512 numbers each, are gone through once, not once a round.

    Args:
        products: <u_j, u_k>, [B, N, N].
        squares: <u_j, u_j>, the products' diagonal, [B, N]; taken once, as its gradient fills a matrix.
        weights: w, [B, K, N], sums to 1 over the vectors.

    Returns:
        [B, K, N]; rounding can make them negative.
    """
    with_centers = weights @ products  # <c_i, u_j>, [B, K, N]
    center_squares = (with_centers * weights).sum(-1, keepdim=True)  # [B, K, 1]
    return squares[:, None] - 2 * with_centers + center_squares


def weights_of(assignment: torch.Tensor) -> torch.Tensor:
    """How much of each vector is in a cluster's mean, [B, K, N] that sum to 1 over the vectors."""
    return assignment / assignment.sum(-1, keepdim=True).clamp(min=SMALLEST_WEIGHT)


def soft_kmeans(
    features: torch.Tensor, num_clusters: int, beta: float = BETA, rounds: int = ROUNDS, start: str = "strided"
) -> tuple[torch.Tensor, torch.Tensor]:
    """Cluster the N vectors of each item of a batch.

    Each round assigns, s_ij = softmax over i of (-beta d_ij), and moves, c_i = sum_j s_ij u_j / sum_j s_ij, where d_ij
    is the Euclidean distance of u_j to c_i.

    Args:
        features: u, [B, N, D]. Half precision is computed in float32, also inside autocast; float64 stays.
        num_clusters: K.
        beta: hardness of the assignment.
        rounds: how often to assign and move, at least once.
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
        # Distances are those of vectors less any constant, and least rounded if it is their mean.
        around_mean = features - features.detach().mean(1, keepdim=True)
        products = _AllProducts.apply(around_mean)  # [B, N, N]
        squares = products.diagonal(dim1=1, dim2=2)  # [B, N]
        weights = _members(STARTS[start](products, num_clusters), products)  # [B, K, N]
        for _ in range(rounds):
            distances = squared_distances(products, squares, weights).clamp(min=SMALLEST_SQUARED_DISTANCE).sqrt()
            assignment = torch.softmax(-beta * distances, dim=1)  # [B, K, N]
            weights = weights_of(assignment)
        centers = weights @ features  # [B, K, D]
    return centers, assignment
