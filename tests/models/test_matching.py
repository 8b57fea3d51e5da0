"""The matching of clusters, against SciPy and by hand."""

import itertools

import numpy as np
import pytest
import torch
from scipy.optimize import linear_sum_assignment

from models.matching import match_clusters, pair_distance, rank_clusters, squared_distances, unmatched


def test_nearest_sums_the_distance_of_each_audio_cluster_to_its_nearest_visual_one():
    rng = np.random.default_rng(0)
    audio, visual = rng.normal(size=(3, 2, 4)), rng.normal(size=(3, 5, 4))
    expected = [sum(min(((a - v) ** 2).sum() for v in visual[b]) for a in audio[b]) for b in range(3)]
    between = squared_distances(torch.tensor(audio), torch.tensor(visual))
    assert between.shape == (3, 2, 5)
    np.testing.assert_allclose(pair_distance(between), expected)
    for of_pair, found in zip(between, unmatched(between, "nearest"), strict=True):
        assert found.tolist() == [column not in of_pair.argmin(1).tolist() for column in range(5)]


@pytest.mark.parametrize(("num_audio", "num_visual"), [(1, 1), (1, 4), (2, 2), (2, 4), (3, 4), (4, 4)])
def test_one_to_one_is_scipys_linear_sum_assignment_and_the_others_follow_by_distance(num_audio, num_visual):
    between = torch.rand(6, 7, num_audio, num_visual, dtype=torch.float64)
    distance = pair_distance(between, "one_to_one")
    assert distance.shape == (6, 7)
    for i, j in itertools.product(range(6), range(7)):
        rows, columns = linear_sum_assignment(between[i, j])
        assert distance[i, j].item() == pytest.approx(between[i, j].numpy()[rows, columns].sum())
        left = unmatched(between[i], "one_to_one")[j].nonzero().flatten().tolist()
        assert left == sorted(set(range(num_visual)) - set(columns.tolist()))
        others = sorted(left, key=lambda column: between[i, j, :, column].min())
        order, matched = match_clusters(between[i, j])
        assert order.tolist() == [*columns, *others]  # the maps agree with training
        assert matched.tolist() == between[i, j][rows, columns].tolist()


def test_with_more_audio_than_visual_clusters_the_worst_ones_stay_alone():
    order, matched = match_clusters(torch.tensor([[0.2, 0.9], [5.0, 4.0], [0.6, 0.1]]))
    assert order.tolist() == [0, 1] and matched.tolist() == pytest.approx([0.2, 0.1])


def test_one_to_one_can_be_trained_after_its_first_use_in_inference_mode():
    between = torch.rand(4, 2, 5, requires_grad=True)
    with torch.inference_mode():
        pair_distance(between, "one_to_one")
    pair_distance(between, "one_to_one").sum().backward()
    assert between.grad.sum() == 4 * 2


def test_clusters_of_the_same_number_are_ranked_by_their_distance_and_the_nearest_ones_sound():
    between = torch.tensor(
        [[[0.5, 0.0, 0.0], [9.0, 0.2, 9.0], [9.0, 9.0, 0.9]], [[0.9, 0, 0], [0, 0.9, 0], [0, 0, 0.1]]]
    )
    orders, nearest = rank_clusters(between, 2)
    assert orders.tolist() == [[1, 0, 2], [2, 0, 1]]
    torch.testing.assert_close(nearest, torch.tensor([[0.2, 0.5], [0.1, 0.9]]))
