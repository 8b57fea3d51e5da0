"""Scores of whole runs, worked out by hand."""

from pathlib import Path

import numpy as np
import pytest

from common.errors import UserError
from metrics.annotations import Annotations, Boxes, parse_frame
from metrics.evaluate import per_class, per_video, score_baselines, score_run, summary

Frames = dict[str, Boxes]


def boxes(*corners: list[float], classes: tuple[str, ...] | None = None) -> Boxes:
    return Boxes(np.array(corners, float), classes or tuple("1" * len(corners)))


def music(frames: Frames) -> Annotations:
    return Annotations("music", Path("boxes.json"), frames={parse_frame(key): value for key, value in frames.items()})


def clips(form: str, named: Frames) -> Annotations:
    return Annotations(form, Path("there"), clips=named)


def map_of(*corners: float) -> np.ndarray:
    """A map of a box, at full size so that resizing loses nothing."""
    x1, y1, x2, y2 = (round(224 * value) for value in corners)
    heat = np.zeros((224, 224), np.float32)
    heat[y1:y2, x1:x2] = 1
    return heat


LEFT, RIGHT, TOP, ALL = (0, 0, 0.5, 1), (0.5, 0, 1, 1), (0, 0, 1, 0.5), (0, 0, 1, 1)
A, B, C = (f"{name}/frame_000/00000" for name in "abc")


def test_figures_by_hand():
    maps = {A: map_of(*LEFT)[None], B: map_of(*TOP)[None], C: map_of(*RIGHT)[None]}
    truth = music(dict.fromkeys((A, B, C), boxes(LEFT)))
    scores = score_run(maps, 1, truth)
    np.testing.assert_allclose(scores.iou, [1, 1 / 3, 0])
    np.testing.assert_allclose(scores.pointing, [1, 0.5, 0])  # the top half is at its maximum, half of it is left
    found = summary(scores)
    assert found["mean_iou"] == pytest.approx(4 / 9) and found["pointing"] == pytest.approx(0.5)
    assert found["iou_at_0.3"] == pytest.approx(2 / 3) and found["iou_at_0.5"] == pytest.approx(1 / 3)
    # By frame 1, 0.325 (thresholds 0 ... 0.3, and half of the step behind) and 0.025.
    assert found["auc"] == pytest.approx((1 + 0.325 + 0.025) / 3)
    assert scores.by_frame()[B] == {"iou": pytest.approx(1 / 3), "pointing": 0.5}


def test_one_matched_map_is_scored_above_the_threshold_with_the_union_of_the_boxes():
    heat = map_of(*LEFT) + 0.4 * map_of(*RIGHT)
    maps = {A: np.stack([heat, map_of(*RIGHT)])}
    assert score_run(maps, 1, music({A: boxes(LEFT)})).iou == [1]
    assert score_run(maps, 1, music({A: boxes(LEFT)}), threshold=0.3).iou == [0.5]
    assert score_run(maps, 1, music({A: boxes(LEFT, RIGHT, classes=("1", "2"))})).iou == [0.5]


def test_duets_by_hand():
    # Maps 0 and 1 show objects 1 and 0. Map 0 covers half of its object. Map 2 is silent, and quiet in one half.
    heats = np.stack([map_of(0.5, 0, 1, 0.5), map_of(*LEFT), map_of(*TOP)])
    scores = score_run({A: heats}, 2, music({A: boxes(LEFT, RIGHT, classes=("7", "12"))}))
    assert scores.ciou == [0.75] and scores.pointing == [1] and scores.nsa == [0.5]
    assert scores.iou == [0.75]  # maximum of both maps with the union of both boxes
    found = summary(scores)
    assert (found["ciou"], found["ciou_at_0.3"], found["nsa"]) == (0.75, 1, 0.5)
    assert found["ciou_auc"] == pytest.approx(0.775)
    classes = per_class(scores)
    assert list(classes) == ["7", "12"]
    assert (classes["7"]["objects"], classes["7"]["mean_iou"], classes["12"]["mean_iou"]) == (1, 1, 0.5)


def test_boxes_of_one_class_are_one_object_and_a_third_object_has_no_map():
    heats = np.stack([map_of(*LEFT), map_of(*RIGHT)])
    one = boxes((0, 0, 0.25, 1), (0.25, 0, 0.5, 1), RIGHT, classes=("1", "1", "2"))
    scores = score_run({A: heats}, 2, music({A: one}))
    assert scores.ciou == [1] and np.isnan(scores.nsa).all() and summary(scores)["nsa"] is None
    three = boxes(LEFT, RIGHT, ALL, classes=("1", "2", ""))
    scores = score_run({A: heats}, 2, music({A: three}))
    np.testing.assert_allclose([scores.ciou, scores.pointing], 2 / 3)
    scores = score_run({A: heats}, 2, music({A: boxes(RIGHT)}))  # a single object gets the better map
    assert scores.ciou == [1] and scores.iou == [0.5]


def test_baselines_by_hand():
    truth = music(dict.fromkeys((A, B), boxes(LEFT)))
    maps = {key: np.ones((2, 7, 7), np.float32) for key in (A, B)}
    found = score_baselines(maps, truth)
    assert found["whole frame"].iou.tolist() == found["whole frame"].pointing.tolist() == [0.5, 0.5]
    disc = np.pi * 65**2
    expected = (disc / 2) / (224 * 112 + disc / 2)
    np.testing.assert_allclose(found["centred disc"].iou, expected, rtol=0.01)
    np.testing.assert_allclose(found["centred disc"].pointing, 0.5)
    noise = np.random.default_rng(10).random((2, 7, 7), np.float32)  # the grid of the run
    again = score_run({A: noise[:1], B: noise[1:]}, 1, truth)
    np.testing.assert_array_equal(found["random map"].iou, again.iou)


def test_a_baseline_shows_every_object_with_the_same_map():
    truth = music({A: boxes(LEFT, TOP, (0.5, 0.5, 1, 1), classes=("1", "2", "3"))})
    found = score_baselines({A: np.ones((3, 7, 7), np.float32)}, truth, several=True)["whole frame"]
    np.testing.assert_allclose([found.ciou, found.pointing], (0.5 + 0.5 + 0.25) / 3)
    assert summary(found)["nsa"] is None


def test_flickr_is_scored_with_the_consensus_and_without_objects():
    votes = boxes(LEFT, LEFT, TOP, classes=("", "", ""))
    # Left: 1; top right: 0.5 on a quarter. A map of the right half: 0.125 of 0.625 + 0.25, in fractions of the frame.
    found = score_run({A: np.stack([map_of(*RIGHT)] * 2)}, 2, clips("flickr", {"a": votes}))
    np.testing.assert_allclose(found.iou, [0.125 / (0.625 + 0.25)])
    assert found.ciou is None and found.pointing == [0.5]


def test_vggss_is_scored_on_the_middle_frame_by_class():
    maps = {f"a/frame_000/{index:05d}": map_of(*(LEFT if index == 7 else RIGHT))[None] for index in (0, 7, 14)}
    scores = score_run(maps, 1, clips("vggss", {"a": boxes(LEFT, classes=("dog",))}))
    assert scores.keys == ("a/frame_000/00007",) and scores.iou == [1]
    assert per_class(scores)["dog"]["frames"] == 1


def test_figures_of_each_video_and_each_class():
    key2 = "a/frame_001/00030"
    maps = {B: map_of(*LEFT)[None], A: map_of(*LEFT)[None], key2: map_of(*RIGHT)[None]}
    one, two, both = ("2",), ("10",), ("2", "10")
    truth = {B: boxes(LEFT, classes=one), A: boxes(LEFT, LEFT, classes=both), key2: boxes(LEFT, classes=two)}
    scores = score_run(maps, 1, music(truth))
    videos, classes = per_video(scores), per_class(scores)
    assert [(name, v["frames"], v["mean_iou"]) for name, v in videos.items()] == [("a", 2, 0.5), ("b", 1, 1)]
    assert [(name, v["frames"], v["mean_iou"]) for name, v in classes.items()] == [("2", 2, 1), ("10", 2, 0.5)]


def test_maps_may_have_different_sizes():
    maps = {A: np.ones((2, 7, 7), np.float32), B: map_of(*LEFT)[None], C: np.zeros((2, 7, 7), np.float32)}
    scores = score_run(maps, 1, music(dict.fromkeys((A, B, C), boxes(LEFT))))
    assert scores.keys == (A, B, C) and scores.iou.tolist() == [0.5, 1, 0]


@pytest.mark.parametrize(
    ("bad", "a_cluster", "message"),
    [
        (np.array([[[1, np.nan]]]), 1, "has values that are not finite"),
        (np.array([[[1, np.inf]]]), 1, "has values that are not finite"),
        (np.ones((1, 7, 7)), 2, "has the shape"),
        (np.ones((1, 0, 7)), 1, "has the shape"),
    ],
)
def test_a_map_of_values_that_are_not_finite_or_of_too_few_rows_is_reported(bad, a_cluster, message):
    with pytest.raises(UserError, match=f"'{B}' {message}"):
        score_run({A: np.ones((2, 7, 7)), B: bad}, a_cluster, music(dict.fromkeys((A, B), boxes(LEFT))))
