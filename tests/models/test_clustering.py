"""Soft k-means against a loop in float64, and against scikit-learn's k-means in the hard limit."""

import numpy as np
import pytest
import torch
from sklearn.cluster import KMeans

import models.clustering
from models.clustering import (
    CENTER_INITS,
    capsule_clustering,
    distances_to_centers,
    farthest_point_init,
    soft_kmeans,
    squash,
    strided_init,
)


def products(features: torch.Tensor) -> torch.Tensor:
    """Of all pairs of features less their mean, [B, N, N]."""
    around_mean = features - features.mean(1, keepdim=True)
    return around_mean @ around_mean.transpose(1, 2)


def first_centers(init, features: torch.Tensor, num_clusters: int) -> torch.Tensor:
    """The features that an initialization chooses, [B, K, D]."""
    positions = init(products(features), num_clusters)
    return torch.stack([u[chosen] for u, chosen in zip(features, positions, strict=True)])


def loop_in_float64(features: np.ndarray, num_clusters: int, beta: float, rounds: int) -> tuple[np.ndarray, np.ndarray]:
    """Oracle: one item, one number at a time."""
    count = len(features)
    centers = [features[i * (count // num_clusters)].astype(np.float64) for i in range(num_clusters)]
    for _ in range(rounds):
        assignment = np.zeros((num_clusters, count))
        for j in range(count):
            d = [max(np.sqrt(1e-10), np.linalg.norm(features[j] - center)) for center in centers]
            weights = [np.exp(-beta * (value - min(d))) for value in d]
            for i in range(num_clusters):
                assignment[i, j] = weights[i] / sum(weights)
        centers = [
            sum(assignment[i, j] * features[j] for j in range(count)) / max(assignment[i].sum(), 1e-12)
            for i in range(num_clusters)
        ]
    return np.array(centers), assignment


@pytest.mark.parametrize(("count", "num_clusters"), [(196, 3), (52, 1), (53, 4), (7, 7)])
def test_soft_kmeans_agrees_with_a_loop_in_float64(count, num_clusters):
    features = np.random.default_rng(count).normal(size=(2, count, 8)) * 0.1
    centers, assignment = soft_kmeans(torch.tensor(features), num_clusters)
    torch.testing.assert_close(assignment.sum(1), torch.ones(2, count, dtype=torch.float64))
    for item in range(2):
        expected_centers, expected_assignment = loop_in_float64(features[item], num_clusters, 30.0, 4)
        np.testing.assert_allclose(centers[item], expected_centers, atol=1e-10)
        np.testing.assert_allclose(assignment[item], expected_assignment, atol=1e-10)


def test_a_large_beta_gives_scikit_learns_kmeans_from_the_same_start():
    rng = np.random.default_rng(0)
    blobs = rng.normal(size=(3, 1, 5)) * 4 + rng.normal(size=(3, 20, 5))
    features = blobs.transpose(1, 0, 2).reshape(60, 5)[rng.permutation(60)]
    start = first_centers(strided_init, torch.tensor(features)[None], 3)[0].numpy()
    reference = KMeans(3, init=start, n_init=1, max_iter=50, tol=0).fit(features)
    centers, assignment = soft_kmeans(torch.tensor(features)[None], 3, beta=1e5, rounds=50)
    np.testing.assert_array_equal(assignment[0].argmax(0), reference.labels_)
    np.testing.assert_allclose(centers[0], reference.cluster_centers_, atol=1e-9)


def farthest_points_in_a_loop(features: np.ndarray, num_clusters: int) -> list[int]:
    """Oracle: the feature farthest from the mean, then always the one farthest from its nearest chosen one."""
    mean = sum(features) / len(features)
    chosen = [max(range(len(features)), key=lambda j: np.linalg.norm(features[j] - mean))]
    while len(chosen) < num_clusters:
        gaps = [min(np.linalg.norm(feature - features[i]) for i in chosen) for feature in features]
        chosen.append(int(np.argmax(gaps)))
    return chosen


@pytest.mark.parametrize("num_clusters", [1, 2, 7, 12])
def test_farthest_points_agree_with_a_loop(num_clusters):
    features = np.random.default_rng(num_clusters).normal(size=(8, 12, 5))
    found = first_centers(farthest_point_init, torch.tensor(features), num_clusters)
    for item in range(8):
        expected = features[item][farthest_points_in_a_loop(features[item], num_clusters)]
        np.testing.assert_array_equal(found[item], expected)


@pytest.mark.parametrize("position", [0, 49, 99])
def test_from_the_farthest_points_a_lone_object_is_a_cluster_of_its_own(position):
    torch.manual_seed(position)
    features = torch.randn(1, 100, 6) * 0.05
    features[0, position] += 2
    centers, assignment = soft_kmeans(features, 2, init="farthest")
    own = assignment[0, :, position].argmax()
    torch.testing.assert_close(centers[0, own], features[0, position], rtol=0, atol=1e-3)
    assert assignment[0, own].sum() == pytest.approx(1, abs=1e-2)  # no other feature is in it


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-5)])
@pytest.mark.parametrize("offset", [0.0, 10.0])
def test_distances_from_products_are_euclidean_wherever_the_origin_is(dtype, tolerance, offset):
    torch.manual_seed(0)
    features = torch.randn(2, 40, 16, dtype=torch.float64) + offset
    weights = torch.rand(2, 3, 40, dtype=torch.float64)
    weights /= weights.sum(-1, keepdim=True)
    expected = torch.cdist(weights @ features, features).square()
    all_products = products(features.to(dtype))
    found = distances_to_centers(all_products, all_products.diagonal(dim1=1, dim2=2), weights.to(dtype))
    torch.testing.assert_close(found.double(), expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("init", CENTER_INITS)
@pytest.mark.parametrize("num_clusters", [1, 3])
def test_gradcheck(num_clusters, init):
    torch.manual_seed(0)
    features = (torch.randn(2, 9, 3, dtype=torch.float64) * 0.2).requires_grad_()
    assert torch.autograd.gradcheck(lambda u: soft_kmeans(u, num_clusters, 10.0, init=init), features)


@pytest.mark.parametrize("init", CENTER_INITS)
@pytest.mark.parametrize("scale", [0.0, 1e-20, 1.0, 1e6])
def test_identical_features_give_finite_centers_and_gradients(init, scale):
    features = torch.full((2, 12, 4), scale, requires_grad=True)
    centers, assignment = soft_kmeans(features, 3, init=init)
    (centers.sum() + assignment.square().sum()).backward()
    assert centers.isfinite().all() and assignment.isfinite().all() and features.grad.isfinite().all()
    torch.testing.assert_close(assignment.sum(1), torch.ones(2, 12))


def test_a_cluster_whose_assignment_underflows_is_not_0_over_0(monkeypatch):
    monkeypatch.setitem(CENTER_INITS, "strided", lambda *_: torch.tensor([[0, 0]]))
    features = torch.tensor([[[0.0], [0.1], [0.2]]], requires_grad=True)
    # The second center lies so far away that exp underflows.
    offset = torch.tensor([[0.0], [1e8]])
    monkeypatch.setattr(models.clustering, "distances_to_centers", lambda *args: distances_to_centers(*args) + offset)
    centers, assignment = soft_kmeans(features, 2, rounds=1)
    assert assignment[0, 1].sum() == 0
    centers.sum().backward()
    assert centers.isfinite().all() and features.grad.isfinite().all()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_clustered_in_float32(dtype):
    features = torch.randn(2, 50, 16).to(dtype)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        centers, assignment = soft_kmeans(features, 3)
    assert centers.dtype == assignment.dtype == torch.float32
    torch.testing.assert_close((centers, assignment), soft_kmeans(features.float(), 3), rtol=0, atol=0)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
def test_a_gpu_gives_the_clusters_of_the_cpu():
    features = torch.randn(4, 196, 512)
    expected = soft_kmeans(features, 3)
    found = tuple(value.cpu() for value in soft_kmeans(features.cuda(), 3))
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-3)


def capsules_in_float64(u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Oracle: one item, projections u [N, K, D], one number at a time."""
    count, num_clusters = u.shape[:2]
    b = np.zeros((num_clusters, count))
    for number in range(3):
        s = np.array([[np.exp(b[i, j]) / sum(np.exp(b[:, j])) for j in range(count)] for i in range(num_clusters)])
        c = np.array([sum(s[i, j] * u[j, i] for j in range(count)) for i in range(num_clusters)])
        if number < 2:
            units = [center / np.sqrt(sum(value**2 for value in center)) for center in c]
            b = np.array([[sum(units[i] * u[j, i]) for j in range(count)] for i in range(num_clusters)])
    lengths = [np.sqrt(sum(value**2 for value in center)) for center in c]
    return np.array([np.tanh(10 * n) * center / n for n, center in zip(lengths, c, strict=True)]), s


@pytest.mark.parametrize("scale", [0.01, 1.0, 5.0])
def test_capsule_clustering_agrees_with_a_loop_in_float64(scale):
    projected = np.random.default_rng(0).normal(size=(2, 30, 4, 5)) * scale
    centers, assignment = capsule_clustering(torch.tensor(projected))
    for number in range(2):
        expected = capsules_in_float64(projected[number])
        np.testing.assert_allclose(centers[number], expected[0], rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(assignment[number], expected[1], rtol=1e-9, atol=1e-12)


def test_features_of_zeros_have_finite_capsules_and_gradients():
    vectors = torch.zeros(2, 6, 3, 4, requires_grad=True)
    centers, assignment = capsule_clustering(squash(vectors))
    (centers.sum() + assignment[:, 0].sum()).backward()
    assert centers.isfinite().all() and vectors.grad.isfinite().all()
