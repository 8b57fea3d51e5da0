"""Scores of one map: cases worked out by hand, and functions written another way."""

import numpy as np
import pytest
import sklearn.metrics
import torch

from metrics.maps import scores
from metrics.maps.scores import SIZE, box_pixels, iou, match_objects, pointing, predict


def mask(rows: slice, columns: slice) -> np.ndarray:
    found = np.zeros((SIZE, SIZE), bool)
    found[rows, columns] = True
    return found


LEFT = mask(slice(None), slice(0, 112))


@pytest.mark.parametrize("shape", [(3, 2, 14, 14), (1, 1, 7, 7), (2, 1, 1, 1), (1, 3, 9, 16), (1, 1, 300, 224)])
def test_maps_are_resized_like_pytorch_without_aligned_corners(shape):
    maps = np.random.default_rng(0).random(shape).astype(np.float32)
    tensor = torch.from_numpy(maps)
    expected = torch.nn.functional.interpolate(tensor, (SIZE, SIZE), mode="bilinear", align_corners=False)
    assert scores.resized(maps).dtype == np.float32
    np.testing.assert_allclose(scores.resized(maps), expected, atol=1e-6)


@pytest.mark.parametrize("grid", [(14, 14), (7, 28), (1, 4), (224, 224)])
def test_the_share_of_a_cell_is_the_mean_that_adaptive_pooling_gives(grid):
    drawn = np.random.default_rng(0).random((SIZE, SIZE)) < 0.3
    expected = torch.nn.functional.adaptive_avg_pool2d(torch.from_numpy(drawn).float()[None], grid)[0]
    np.testing.assert_allclose(scores.on_grid(drawn, *grid), expected, atol=1e-6)
    assert scores.on_grid(drawn, 18, 18).mean() == pytest.approx(drawn.mean(), abs=1e-3)  # cells of 12.4 pixels a side


def test_a_map_predicts_the_pixels_that_reach_the_threshold():
    heat = np.zeros((SIZE, SIZE))
    heat[0, :4] = 0.8, 0.4, 0.39, 0.2
    for threshold, count in ((0.5, 2), (0.25, 4), (1, 1)):
        assert np.argwhere(predict(heat, threshold).area).tolist() == [[0, column] for column in range(count)]
    assert np.argwhere(predict(heat, 0.5).peak).tolist() == [[0, 0]]


def test_a_threshold_is_a_part_of_the_maximum_the_median_the_area_of_the_truth_or_a_majority():
    heat = np.arange(SIZE * SIZE, dtype=np.float32).reshape(SIZE, SIZE) / (SIZE * SIZE)
    for threshold, pixels, count in (
        (0.75, 0, 12544),  # 0.75 of 50175 is 37631.25, so 37632 is the first to reach it
        ("median", 0, 25088),
        ("adaptive", 300, 300),
        ("adaptive", 0, 25088),
        ("majority", 0, 25088),
    ):
        area = predict(heat, threshold, pixels=pixels).area
        assert np.count_nonzero(area) == count and area[-1, -1]
        above = np.count_nonzero(predict(heat, threshold, strict=True, pixels=pixels).area)
        assert above == count - (threshold != 0.75)  # one pixel is equal to each of the others


@pytest.mark.parametrize(("value", "all_or_none", "score"), [(0.0, 0, 0), (-1.0, 0, 0), (0.7, 1, 0.5)])
def test_a_constant_map_predicts_all_if_it_is_positive_else_nothing(value, all_or_none, score):
    area, peak = predict(scores.resized(np.full((14, 14), value)), 0.5)
    assert (area == all_or_none).all() and (peak == all_or_none).all()
    assert iou(area, LEFT) == pointing(peak, LEFT) == score
    if not all_or_none:
        assert iou(area, np.zeros((SIZE, SIZE))) == iou(area, area) == 0


def test_a_box_contains_the_pixels_whose_centers_lie_in_it():
    assert box_pixels([0, 0, 1, 1]) == (slice(0, 224), slice(0, 224))
    assert box_pixels([0.25, 0.5, 0.75, 1]) == (slice(112, 224), slice(56, 168))
    edges = [10.4 / 224, 20.6 / 224, 30.4 / 224, 40.6 / 224]  # x 10.4 ... 30.4: centers 10.5 ... 29.5
    assert box_pixels(edges) == (slice(21, 41), slice(10, 30))


@pytest.mark.parametrize(
    ("box", "pixel"),
    [([0.5, 0.5, 0.5, 0.5], (112, 112)), ([1, 0, 1, 0], (0, 223)), ([0.0495, 0.8, 0.05, 0.8], (179, 11))],
)
def test_a_box_smaller_than_a_pixel_contains_the_pixel_around_it(box, pixel):
    assert np.argwhere(scores.union_mask(np.array([box]))).tolist() == [list(pixel)]


def test_the_edges_of_a_box_can_be_rounded_down_to_whole_pixels_so_that_a_small_one_has_none():
    edges = [10.4 / 224, 20.6 / 224, 30.4 / 224, 40.6 / 224]
    assert box_pixels(edges, whole_pixels=True) == (slice(20, 40), slice(10, 30))
    assert not scores.union_mask(np.array([[0.5, 0.5, 0.503, 0.503]]), whole_pixels=True).any()
    assert np.isnan(scores.area_ratio(LEFT, np.zeros_like(LEFT)))


def test_overlapping_boxes_count_once_in_the_union_and_up_to_twice_in_the_consensus():
    boxes = np.array([[0, 0, 0.5, 1], [0.25, 0, 0.75, 1], [0.25, 0, 0.5, 1]])
    assert np.count_nonzero(scores.union_mask(boxes)) == 168 * 224
    votes = scores.consensus_map(boxes)[0]
    assert (votes[:56] == 0.5).all() and (votes[56:112] == 1).all()  # three votes are no more than two
    assert (votes[112:168] == 0.5).all() and (votes[168:] == 0).all()


def test_consensus_iou_by_hand_and_as_iou_where_annotators_agree():
    consensus = np.zeros((SIZE, SIZE))
    consensus[0, :4] = 1, 1, 0.5, 0.5
    area = mask(slice(0, 1), slice(1, 6))  # in it: 1 + 0.5 + 0.5 of consensus, and 2 pixels without votes
    assert iou(area, consensus) == pytest.approx(2 / (3 + 2))
    area, truth = np.random.default_rng(0).random((2, SIZE, SIZE)) < 0.3
    expected = np.count_nonzero(area & truth) / np.count_nonzero(area | truth)
    assert iou(area, truth) == iou(area, truth.astype(float)) == pytest.approx(expected)


def test_tied_pixels_point_in_part_and_pixels_that_differ_only_by_rounding_are_tied():
    heat = np.zeros((SIZE, SIZE), np.float32)
    heat[7, 110:114] = 1  # columns 110, 111 lie in the left half
    assert pointing(predict(heat, 0.5).peak, LEFT) == 0.5
    heat[7, 110] = 1.001
    assert (pointing(predict(heat, 0.5).peak, LEFT), pointing(predict(heat, 0.5).peak, ~LEFT)) == (1, 0)
    heat[7, 110:114] = 0.7, np.nextafter(np.float32(0.7), np.float32(0)), 0.7, 0.6999
    assert np.argwhere(predict(heat, 0.5).peak)[:, 1].tolist() == [110, 111, 112]


def test_the_area_under_the_curve_is_the_sum_of_its_trapezoids():
    # Every frame reaches the threshold 0. Half of the step counts in which the share falls.
    # An IoU equal to a threshold reaches it: 6 * 0.05 would be above 3 / 10.
    ious = [1, 0, 0.5, 0.52, 0.99, 3 / 10]
    assert scores.curve_areas(ious) == pytest.approx([1, 0.025, 0.525, 0.525, 0.975, 0.325])
    shares = [np.mean(np.array(ious) >= threshold) for threshold in scores.CURVE]
    assert scores.curve_areas(ious).mean() == pytest.approx(sklearn.metrics.auc(scores.CURVE, shares))


def test_the_match_of_objects_and_maps_has_the_largest_sum():
    for ious, objects, maps in (
        ([[0.6, 0.5], [0.5, 0.1]], [0, 1], [1, 0]),  # greedily it would be 0, 1
        ([[0.1, 0.2, 0.9]], [0], [2]),
        ([[0.2], [0.8], [0.3]], [1], [0]),
    ):
        found = match_objects(np.array(ious))
        assert [one.tolist() for one in found] == [objects, maps]


def test_the_quiet_share_counts_pixels_below_an_absolute_value():
    silent = np.array([[[0.1, 0.19], [0.21, 0.9]], [[0.0, 0.0], [0.0, 0.5]]])
    assert scores.quiet_share(silent) == 5 / 8
    assert [scores.quiet_share(np.array([[[0.2]]]), strict) for strict in (False, True)] == [0, 1]


def test_the_disc_has_the_area_of_its_radius_and_lies_in_the_middle():
    disc = scores.centred_disc() == 1
    assert disc.sum() == pytest.approx(np.pi * scores.DISC_RADIUS**2, rel=0.005)
    assert (disc == disc[::-1]).all() and (disc == disc.T).all()
    assert disc[112, 112 + 64] and not disc[112, 112 + 65]


def test_the_brighter_half_of_the_disc_is_a_larger_disc_and_parts_of_its_maximum_are_the_disc():
    heat = scores.centred_disc()
    half = predict(heat, "median").area
    rows, columns = np.nonzero(half)
    assert half.mean() == pytest.approx(0.5, abs=0.005)
    assert np.hypot(rows - 111.5, columns - 111.5).max() == pytest.approx(SIZE / np.sqrt(2 * np.pi), abs=1)
    assert (predict(heat, 0.1, strict=True).area == (heat == 1)).all()
