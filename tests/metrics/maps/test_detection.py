"""Own against other audio, beside scikit-learn and a loop written from SLAVC's definitions."""

import numpy as np
import pytest
import sklearn.metrics

from common.errors import UserError
from metrics.maps.detection import Samples, collect, detect, figures_at, universal_threshold
from metrics.maps.evaluate import FrameScore, Scores
from metrics.maps.matching import Counts
from metrics.maps.protocol import OURS

RNG = np.random.default_rng(0)


def samples(count: int = 60, all_right: bool = False) -> Samples:
    distance = np.sort(RNG.integers(0, 25, count) / 4)  # many are equal
    own = RNG.random(count) < 0.5
    own[:2] = True, False
    return Samples(distance, own, own & (all_right | (RNG.random(count) < 0.6)), RNG.integers(0, 5, count))


@pytest.mark.parametrize("weighted", [False, True])
def test_figures_are_those_of_scikit_learn_if_all_places_are_right(weighted):
    one = samples(all_right=True)
    weights = RNG.integers(0, 4, 60) if weighted else np.ones(60, int)
    found = figures_at(one, weights=weights)
    assert found["roc_auc"] == pytest.approx(
        sklearn.metrics.roc_auc_score(one.own, -one.distance, sample_weight=weights)
    )
    used = weights > 0
    precision, recall, thresholds = sklearn.metrics.precision_recall_curve(
        one.own[used], -one.distance[used], sample_weight=weights[used]
    )
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-12)
    assert found["max_f1"] == pytest.approx(f1.max())
    assert found["distance"] == -thresholds[f1[:-1].argmax()]
    assert found["ap"] == pytest.approx(np.maximum.accumulate(precision)[:-1] @ -np.diff(recall))
    assert found["loc_acc"] == 1


def test_a_detection_in_the_wrong_place_is_a_false_positive_and_a_positive_without_detection_a_false_negative():
    one = samples()
    curve, before, ap = [], 0.0, 0.0
    for threshold in np.unique(one.distance):
        true = false = missed = 0
        for distance, own, right, _ in zip(*one, strict=True):
            detected = distance <= threshold
            true += detected and right
            false += detected and not right
            missed += own and not detected
        curve.append((true / (true + false), true / (true + missed), threshold))
    for number, (_, recall, _) in enumerate(curve):
        ap += (recall - before) * max(precision for precision, *_ in curve[number:])
        before = recall
    f1 = [2 * p * r / (p + r) if p + r else 0 for p, r, _ in curve]
    found = figures_at(one, threshold=3.1)
    assert found["ap"] == pytest.approx(ap) and found["max_f1"] == pytest.approx(max(f1))
    assert found["distance"] == curve[int(np.argmax(f1))][2]
    assert found["loc_acc"] == one.right.sum() / one.own.sum()
    below = [value for value, (*_, threshold) in zip(f1, curve, strict=True) if threshold <= 3.1]
    assert found["universal_f1"] == pytest.approx(below[-1])
    assert figures_at(one, threshold=-1)["universal_f1"] == 0


def test_frames_are_compared_by_all_audio_clusters_and_only_those_of_both_runs():
    own = {"a/frame_000/0": np.array([3.0, 4.0]), "b/frame_000/0": np.array([1.0, 0.0]), "c/frame_000/0": np.ones(2)}
    other = {"b/frame_000/0": np.array([0.0, 5.0]), "a/frame_000/0": np.array([0.0, 6.0])}
    right = dict.fromkeys(own, True)
    # D: own 5, 1, other 6, 5. Pairs: 6 > 5, 6 > 1, 5 > 1, and 5 = 5 for a half.
    assert figures_at(collect(own, [other], right))["roc_auc"] == 3.5 / 4
    assert collect(own, [other, other], right).own.sum() == 2 and len(collect(own, [other, other], right).own) == 6
    with pytest.raises(UserError, match="share no frame"):
        collect(own, [{"d/frame_000/0": np.ones(2)}], right)


def test_the_universal_threshold_needs_no_boxes_and_is_applied_as_it_is():
    def distances(*values: float) -> dict[str, np.ndarray]:
        return {f"{name}/frame_000/0": np.array([value]) for name, value in zip("abcd", values, strict=True)}

    limit = universal_threshold(distances(1, 2, 3, 6), [distances(5, 7, 8, 9), distances(4, 7, 8, 9)])
    assert limit == 3
    frames = {key: FrameScore([], 1, iou, 0) for key, iou in zip(distances(0, 0, 0, 0), (1, 1, 0, 1), strict=True)}
    found = detect(distances(1, 2, 3, 4), [distances(2.5, 3.5, 8, 9)], Scores(frames, Counts(), OURS), limit, seed=0)
    # Up to 3: a and b are right, c is in the wrong place, one negative is detected, d is missed.
    assert found["universal_f1"] == pytest.approx(2 * 2 / (2 * 2 + 2 + 1)) and found["frames"] == 4
    low, high = found["intervals"]["universal_f1"]
    assert low < found["universal_f1"] < high
