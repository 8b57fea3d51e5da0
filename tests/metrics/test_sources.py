"""Several sources: which map is whose, and how quiet the others are, by hand."""

import itertools

import numpy as np

from metrics.sources import assign, of_assigned, quiet_share


def test_the_match_is_the_best_in_sum_not_the_best_of_the_first_object():
    # Greedily the first object would take map 0 and leave 0.1 to the second.
    assert assign(np.array([[0.6, 0.5], [0.5, 0.1]])).tolist() == [1, 0]


def test_the_match_is_the_best_of_all_orders():
    rng = np.random.default_rng(0)
    for objects, maps in itertools.product((1, 2, 3), (2, 3)):
        ious = rng.random((objects, maps))
        padded = np.pad(ious, ((0, 3 - objects), (0, 3 - maps)))
        best = max(sum(padded[i, j] for i, j in enumerate(order)) for order in itertools.permutations(range(3)))
        assert np.isclose(of_assigned(ious, assign(ious)).sum(), best)


def test_an_object_that_no_map_is_left_for_counts_0():
    ious = np.array([[0.2], [0.8], [0.3]])
    chosen = assign(ious)
    assert chosen.tolist() == [-1, 0, -1]
    assert of_assigned(ious, chosen).tolist() == [0, 0.8, 0]
    assert of_assigned(1 - ious, chosen).tolist() == [0, 1 - 0.8, 0]


def test_quiet_share_counts_pixels_below_an_absolute_value():
    silent = np.array([[[0.1, 0.19], [0.21, 0.9]], [[0.0, 0.0], [0.0, 0.5]]])
    assert quiet_share(silent) == 5 / 8
