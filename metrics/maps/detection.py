"""Does the distance tell a frame's own audio from other audio? The figures of SLAVC's extended test sets.

Mo and Morgado, "A Closer Look at Weakly-Supervised Audio-Visual Source Localization", NeurIPS 2022: every scored frame
comes with its own audio, a positive, and with other audio, a negative. A frame whose distance is at most a threshold is
detected. A detected positive is right if the IoU of its map is at least 0.5. Detected negatives and detected positives
in the wrong place are false positives, positives that are not detected false negatives.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from common.errors import UserError
from metrics.maps.evaluate import Scores
from metrics.maps.figures import Figures, videos_of, with_intervals

RIGHT = 0.5  # IoU

Distances = Mapping[str, np.ndarray]


class Samples(NamedTuple):
    """Positives and negatives by distance, the nearest first."""

    distance: np.ndarray  # float64 [N]
    own: np.ndarray  # bool [N], its own audio: a positive
    right: np.ndarray  # bool [N], a positive with its map in the right place
    video: np.ndarray  # int [N]


def collect(own: Distances, others: Sequence[Distances], right: Mapping[str, bool]) -> Samples:
    """The frames in `right` with their own audio, and with each other audio that has them.

    The distance of a frame is D, the root of the sum of squares over its audio clusters.
    """
    shared = [[key for key in right if key in own and key in other] for other in others]
    if not all(shared):
        raise UserError("the two runs share no frame")
    positives = list(dict.fromkeys(key for keys in shared for key in keys))
    found = [(np.linalg.norm(own[key]), True, right[key], key) for key in positives]
    found += [
        (np.linalg.norm(other[key]), False, False, key)
        for other, keys in zip(others, shared, strict=True)
        for key in keys
    ]
    *columns, keys = zip(*sorted(found, key=lambda sample: sample[0]), strict=True)
    return Samples(*map(np.array, columns), videos_of(keys))


def universal_threshold(own: Distances, others: Sequence[Distances]) -> float:
    """The distance up to which audio counts as a frame's own: the one with the largest F1, for all places as right.

    It is chosen without boxes, on other videos than those that it is applied to, as it would have to be in use.
    """
    return figures_at(collect(own, others, dict.fromkeys(own, True)))["distance"]


def detect(own: Distances, others: Sequence[Distances], scores: Scores, threshold: float | None, seed: int) -> Figures:
    """The figures of `figures_at` over the scored frames, with their "intervals" over videos."""
    samples = collect(own, others, {key: frame.iou >= RIGHT for key, frame in scores.frames.items()})

    def figures(weights: np.ndarray) -> dict[str, np.ndarray]:
        found = [figures_at(samples, threshold, row[samples.video]) for row in weights]
        return {name: np.array([one[name] for one in found]) for name in (found[0] if found else ())}

    return {"frames": int(samples.own.sum()), **with_intervals(figures, samples.video, seed)}


def figures_at(samples: Samples, threshold: float | None = None, weights: np.ndarray | None = None) -> Figures:
    """ROC AUC, AP, the maximal F1 and its distance, LocAcc; with a `threshold` from elsewhere also the F1 there.

    AP is the area under the upper envelope of precision over recall. SLAVC's scorer computes it at 200 to 400 distances
    and leaves out the first, and F1 at about ten; here all distances count. `weights` say how often each sample does.
    """
    weights = np.ones(len(samples.own), int) if weights is None else weights
    last = np.append(np.diff(samples.distance) > 0, True)  # equal distances are detected together
    detected, positives, right = (
        np.append(0, np.cumsum(weights * chosen)[last]) for chosen in (True, samples.own, samples.right)
    )
    negatives, missed = detected - positives, positives[-1] - positives
    recall = right / np.maximum(1, right + missed)
    envelope = np.maximum.accumulate((right / np.maximum(1, detected))[::-1])[::-1]
    f1 = 2 * right / (right + detected + missed)
    distance = np.append(0, samples.distance[last])
    heights = (positives[1:] + positives[:-1]) / 2  # of trapezoids
    found = {
        "roc_auc": float(np.diff(negatives) @ heights / (positives[-1] * negatives[-1])),
        "ap": float(envelope[1:] @ np.diff(recall)),
        "max_f1": float(f1.max()),
        "distance": float(distance[f1.argmax()]),
        "loc_acc": float(right[-1] / positives[-1]),
    }
    if threshold is not None:
        found["universal_f1"] = float(f1[np.searchsorted(distance[1:], threshold, "right")])
    return found
