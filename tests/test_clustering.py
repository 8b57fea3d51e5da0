"""Soft k-means against a loop in float64 and against scikit-learn's k-means in the hard limit."""

import numpy as np
import pytest
import torch
from sklearn.cluster import KMeans

from models.clustering import STARTS, farthest_start, soft_kmeans, strided_start


def loop_in_float64(features: np.ndarray, num_clusters: int, beta: float, rounds: int) -> tuple[np.ndarray, np.ndarray]:
    """Oracle: METHOD section 2, one image, one number at a time."""
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


@pytest.mark.parametrize(("count", "num_clusters"), [(196, 2), (196, 3), (52, 1), (53, 4), (7, 7)])
def test_agrees_with_a_loop_in_float64(count, num_clusters):
    features = np.random.default_rng(count).normal(size=(3, count, 8)) * 0.1
    centers, assignment = soft_kmeans(torch.tensor(features), num_clusters)
    for item in range(3):
        expected_centers, expected_assignment = loop_in_float64(features[item], num_clusters, 30.0, 4)
        np.testing.assert_allclose(centers[item], expected_centers, atol=1e-10)
        np.testing.assert_allclose(assignment[item], expected_assignment, atol=1e-10)


def test_large_beta_is_scikit_learns_kmeans_from_the_same_start():
    rng = np.random.default_rng(0)
    blobs = rng.normal(size=(3, 1, 5)) * 4 + rng.normal(size=(3, 20, 5))
    features = blobs.transpose(1, 0, 2).reshape(60, 5)[rng.permutation(60)]
    start = strided_start(torch.tensor(features)[None], 3)[0].numpy()
    reference = KMeans(3, init=start, n_init=1, max_iter=50, tol=0).fit(features)
    centers, assignment = soft_kmeans(torch.tensor(features)[None], 3, beta=1e5, rounds=50)
    np.testing.assert_array_equal(assignment[0].argmax(0), reference.labels_)
    np.testing.assert_allclose(centers[0], reference.cluster_centers_, atol=1e-9)


def test_centers_start_at_positions_0_and_multiples_of_n_over_k():
    features = torch.arange(11.0).view(1, 11, 1)
    assert strided_start(features, 3).flatten().tolist() == [0, 3, 6]  # 11 // 3 = 3


def test_assignment_sums_to_one_over_the_clusters():
    _, assignment = soft_kmeans(torch.randn(2, 30, 6), 4)
    torch.testing.assert_close(assignment.sum(1), torch.ones(2, 30))


@pytest.mark.parametrize("num_clusters", [1, 2, 3])
def test_gradcheck(num_clusters):
    torch.manual_seed(0)
    features = (torch.randn(2, 9, 3, dtype=torch.float64) * 0.2).requires_grad_()
    assert torch.autograd.gradcheck(lambda u: soft_kmeans(u, num_clusters), features)


@pytest.mark.parametrize("num_clusters", [1, 2, 3])
@pytest.mark.parametrize("scale", [0.0, 1e-20, 1.0, 1e6])
def test_identical_vectors_give_finite_values_and_gradients(num_clusters, scale):
    features = torch.full((2, 12, 4), scale, requires_grad=True)
    centers, assignment = soft_kmeans(features, num_clusters)
    (centers.sum() + assignment.square().sum()).backward()
    assert centers.isfinite().all() and assignment.isfinite().all() and features.grad.isfinite().all()
    torch.testing.assert_close(assignment.sum(1), torch.ones(2, 12))


def test_a_cluster_whose_assignments_all_underflow_is_not_0_over_0(monkeypatch):
    far = torch.tensor([[[0.0], [1e4]]])  # the second center is so far from all vectors that exp underflows
    monkeypatch.setitem(STARTS, "strided", lambda *_: far)
    features = torch.tensor([[[0.0], [0.1], [0.2]]], requires_grad=True)
    centers, assignment = soft_kmeans(features, 2, rounds=1)
    assert assignment[0, 1].sum() == 0
    centers.sum().backward()
    assert centers.isfinite().all() and features.grad.isfinite().all()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_outside_is_float32_inside(dtype):
    features = torch.randn(2, 50, 16).to(dtype)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        centers, assignment = soft_kmeans(features, 3)
    assert centers.dtype == assignment.dtype == torch.float32
    expected_centers, expected_assignment = soft_kmeans(features.float(), 3)
    torch.testing.assert_close(centers, expected_centers, rtol=0, atol=0)
    torch.testing.assert_close(assignment, expected_assignment, rtol=0, atol=0)


def test_more_clusters_than_vectors_is_an_error():
    with pytest.raises(ValueError, match="3 vectors cannot form 4 clusters"):
        soft_kmeans(torch.randn(1, 3, 2), 4)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
def test_a_gpu_gives_what_the_cpu_gives():
    features = torch.randn(4, 196, 512)
    expected = soft_kmeans(features, 3)
    found = soft_kmeans(features.cuda(), 3)
    for value, reference in zip(found, expected, strict=True):
        torch.testing.assert_close(value.cpu(), reference, rtol=1e-3, atol=1e-3)
