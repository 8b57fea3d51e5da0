"""Scores of whole runs, worked out by hand."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from common.errors import UserError
from metrics.maps.annotations import Annotations, Boxes, parse_frame
from metrics.maps.evaluate import FrameScore, Scores, score_baselines, score_ceiling, score_run
from metrics.maps.figures import per_class, per_video, summary
from metrics.maps.protocol import OURS


def boxes(*corners: tuple[float, ...], classes: tuple[str, ...] | None = None) -> Boxes:
    return Boxes(np.array(corners, float), classes or tuple("1" * len(corners)))


def music(frames: dict[str, Boxes]) -> Annotations:
    return Annotations("music", Path("boxes.json"), frames={parse_frame(key): value for key, value in frames.items()})


def map_of(corners: tuple[float, ...]) -> np.ndarray:
    """A map [1, 224, 224] of a box, at full size so that resizing loses nothing."""
    x1, y1, x2, y2 = (round(224 * value) for value in corners)
    heat = np.zeros((1, 224, 224), np.float32)
    heat[0, y1:y2, x1:x2] = 1
    return heat


LEFT, RIGHT, TOP, ALL = (0, 0, 0.5, 1), (0.5, 0, 1, 1), (0, 0, 1, 0.5), (0, 0, 1, 1)
A, B, C = (f"{name}/frame_000/00000" for name in "abc")
LEFT_MAP, RIGHT_MAP, TOP_MAP = map(map_of, (LEFT, RIGHT, TOP))
BOTH_MAPS = np.concatenate([LEFT_MAP, RIGHT_MAP])


def column(scores: Scores, name: str) -> list[float]:
    return [getattr(frame, name) for frame in scores.frames.values()]


def score_one(maps: np.ndarray, a_cluster: int, truth: Boxes, threshold: float = 0.5) -> FrameScore:
    return score_run({A: maps}, a_cluster, music({A: truth}), replace(OURS, threshold=threshold)).frames[A]


def test_figures_by_hand():
    truth = music(dict.fromkeys((A, B, C), boxes(LEFT)))
    scores = score_run({A: LEFT_MAP, B: TOP_MAP, C: RIGHT_MAP}, 1, truth)
    assert column(scores, "iou") == pytest.approx([1, 1 / 3, 0])
    assert column(scores, "pointing") == [1, 0.5, 0]  # the top half is at its maximum, half of it is left
    # AUC by frame: 1, 0.325 (thresholds 0 ... 0.3, and half of the step behind) and 0.025.
    expected = {"mean_iou": 4 / 9, "iou_at_0.3": 2 / 3, "iou_at_0.5": 1 / 3, "auc": (1 + 0.325 + 0.025) / 3}
    assert summary(scores) == pytest.approx({"frames": 3, **expected, "pointing": 0.5, "area_ratio": 1})
    assert scores.by_frame()[B] == {"iou": pytest.approx(1 / 3), "pointing": 0.5, "area_ratio": 1}


def test_one_matched_map_is_scored_above_the_threshold_with_the_union_of_the_boxes():
    maps = np.concatenate([LEFT_MAP + 0.4 * RIGHT_MAP, RIGHT_MAP])
    assert score_one(maps, 1, boxes(LEFT)).iou == 1
    assert score_one(maps, 1, boxes(LEFT), threshold=0.3).iou == 0.5
    assert score_one(maps, 1, boxes(LEFT, RIGHT, classes=("1", "2"))).iou == 0.5


def test_duets_by_hand():
    # Maps 0 and 1 show objects 1 and 0. Map 0 covers half of its object. Map 2 is silent, and quiet in one half.
    maps = {A: np.concatenate([map_of((0.5, 0, 1, 0.5)), LEFT_MAP, TOP_MAP])}
    scores = score_run(maps, 2, music({A: boxes(LEFT, RIGHT, classes=("7", "12"))}))
    # IoU: maximum of both maps with the union of both boxes.
    assert scores.by_frame()[A] == {"iou": 0.75, "pointing": 1, "area_ratio": 0.75, "ciou": 0.75, "nsa": 0.5}
    found, classes = summary(scores), per_class(scores)
    assert [classes[name]["area_ratio"] for name in ("7", "12")] == [1, 0.5]
    assert (found["ciou"], found["ciou_at_0.3"], found["nsa"]) == (0.75, 1, 0.5)
    assert found["ciou_auc"] == pytest.approx(0.775)
    assert [(name, v["objects"], v["mean_iou"]) for name, v in classes.items()] == [("7", 1, 1), ("12", 1, 0.5)]


def test_boxes_of_one_class_are_one_object_and_a_third_object_has_no_map():
    truth = boxes((0, 0, 0.25, 1), (0.25, 0, 0.5, 1), RIGHT, classes=("1", "1", "2"))
    scores = score_run({A: BOTH_MAPS}, 2, music({A: truth}))
    assert scores.frames[A].ciou == 1 and summary(scores)["nsa"] is None
    three = score_one(BOTH_MAPS, 2, boxes(LEFT, RIGHT, ALL, classes=("1", "2", "")))
    assert [three.ciou, three.pointing] == pytest.approx([2 / 3] * 2)
    single = score_one(BOTH_MAPS, 2, boxes(RIGHT))  # it gets the better map
    assert (single.ciou, single.iou) == (1, 0.5)


def test_baselines_by_hand():
    truth = music(dict.fromkeys((A, B), boxes(LEFT)))
    found = score_baselines(dict.fromkeys((A, B), np.ones((2, 7, 7), np.float32)), truth, seed=11)
    assert column(found["whole frame"], "iou") == column(found["whole frame"], "pointing") == [0.5, 0.5]
    disc = np.pi * 65**2
    np.testing.assert_allclose(column(found["centred disc"], "iou"), disc / 2 / (224 * 112 + disc / 2), rtol=0.01)
    assert column(found["centred disc"], "pointing") == pytest.approx([0.5, 0.5])
    noise = np.random.default_rng(11).random((2, 7, 7), np.float32)  # the grid of the run
    assert found["random map"].frames == score_run({A: noise[:1], B: noise[1:]}, 1, truth).frames


def test_the_ceiling_is_the_box_on_the_grid_of_the_maps_in_duets_each_as_a_map_of_its_own():
    truth = music({A: boxes(LEFT), B: boxes((0, 0, 0.75, 1))})
    found = score_ceiling(dict.fromkeys((A, B), np.zeros((3, 2, 2))), truth)
    assert found.frames[A].iou > 0.98  # its cells are 1 or 0
    # Cells of 1 and 0.5: half of the maximum reaches the middle of the right cell, and the edge of the frame beyond it.
    assert found.frames[B].iou == 0.75
    duet = score_ceiling({A: np.zeros((3, 2, 2))}, music({A: boxes(LEFT, RIGHT, classes=("1", "2"))}), several=True)
    assert duet.frames[A].ciou > 0.98 and duet.frames[A].pointing == 1


def test_a_baseline_shows_every_object_with_the_same_map():
    truth = music({A: boxes(LEFT, TOP, (0.5, 0.5, 1, 1), classes=("1", "2", "3"))})
    found = score_baselines({A: np.ones((3, 7, 7), np.float32)}, truth, several=True)["whole frame"]
    assert [found.frames[A].ciou, found.frames[A].pointing] == pytest.approx([(0.5 + 0.5 + 0.25) / 3] * 2)
    assert summary(found)["nsa"] is None


def test_flickr_is_scored_with_the_consensus_and_without_objects():
    votes = replace(boxes(LEFT, LEFT, TOP, classes=("", "", "")), are_votes=True)
    # Left: 1; top right: 0.5 on a quarter. A map of the right half: 0.125 of 0.625 + 0.25, in fractions of the frame.
    scores = score_run(
        {A: np.concatenate([RIGHT_MAP] * 2)}, 2, Annotations("flickr", Path("there"), clips={"a": votes}), OURS
    )
    assert scores.by_frame()[A] == {"iou": pytest.approx(0.125 / (0.625 + 0.25)), "pointing": 0.5, "area_ratio": 2 / 3}


def test_figures_of_each_video_and_each_class():
    key2 = "a/frame_001/00030"
    one, two, both = ("2",), ("10",), ("2", "10")
    truth = {B: boxes(LEFT, classes=one), A: boxes(LEFT, LEFT, classes=both), key2: boxes(LEFT, classes=two)}
    scores = score_run({B: LEFT_MAP, A: LEFT_MAP, key2: RIGHT_MAP}, 1, music(truth))
    videos, classes = per_video(scores), per_class(scores)
    assert [(name, v["frames"], v["mean_iou"]) for name, v in videos.items()] == [("a", 2, 0.5), ("b", 1, 1)]
    assert [(name, v["frames"], v["mean_iou"]) for name, v in classes.items()] == [("2", 2, 1), ("10", 2, 0.5)]


def test_maps_may_have_different_sizes():
    maps = {A: np.ones((2, 7, 7), np.float32), B: LEFT_MAP, C: np.zeros((2, 7, 7), np.float32)}
    scores = score_run(maps, 1, music(dict.fromkeys((A, B, C), boxes(LEFT))))
    assert [*scores.frames] == [A, B, C] and column(scores, "iou") == [0.5, 1, 0]


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
