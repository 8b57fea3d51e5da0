"""How well one map shows one place: what it predicts, intersection over union, pointing, area under the curve.

All maps and masks are SIZE x SIZE pixels, and all fractions are of a frame's width and height.
"""

import functools
import math
from typing import NamedTuple

import numpy as np
import sklearn.metrics
import torch
from torch.nn.functional import interpolate

SIZE = 224  # pixels at which everything is counted, as in all published evaluations
CURVE = np.arange(21) / 20  # thresholds 0, 0.05, ..., 1 of the curve under which the area is taken
TIED = 1e-6  # relative difference below which pixels share the maximum: resizing a plateau rounds its values


class Prediction(NamedTuple):
    """What a map says, bool [SIZE, SIZE] each."""

    area: np.ndarray  # where it is at least the threshold
    peak: np.ndarray  # where it has its maximum: one pixel, or several that are tied


def resized(maps: np.ndarray, height: int = SIZE, width: int = SIZE) -> np.ndarray:
    """Maps at a number of pixels, that of all scores by default: bilinear with half-pixel centres.

    Args:
        maps: float [..., h, w].
        height: of the result.
        width: of the result.

    Returns:
        float32 [..., height, width].
    """
    rows, columns = _weights(maps.shape[-2], height), _weights(maps.shape[-1], width)
    return np.swapaxes(rows, 0, 1) @ np.asarray(maps, np.float32) @ columns  # as `interpolate`, faster


@functools.cache
def _weights(cells: int, pixels: int) -> np.ndarray:
    """How much each cell counts for each pixel, float32 [cells, pixels]: the resized unit vectors."""
    return interpolate(torch.eye(cells)[None], pixels, mode="linear", align_corners=False)[0].numpy()


def predict(heat: np.ndarray, threshold: float) -> Prediction:
    """What a map predicts: the pixels of at least `threshold` times its maximum; nothing if it is 0 everywhere.

    Args:
        heat: float [SIZE, SIZE].
        threshold: part of the maximum, above 0.
    """
    maximum = heat.max()
    if maximum <= 0:
        nothing = np.zeros(heat.shape, bool)
        return Prediction(nothing, nothing)
    return Prediction(heat >= threshold * maximum, heat >= maximum * (1 - TIED))


def box_pixels(box: np.ndarray) -> tuple[slice, slice]:
    """Rows and columns of the pixels whose centres lie in a box; of a box without any, the pixel that it lies in.

    Args:
        box: [x1, y1, x2, y2], fractions of the frame in 0 ... 1.
    """
    x1, y1, x2, y2 = map(float, box)
    return _pixels(y1, y2), _pixels(x1, x2)


def _pixels(start: float, stop: float) -> slice:
    first, last = math.ceil(start * SIZE - 0.5), math.floor(stop * SIZE - 0.5)
    if last < first:
        first = last = min(int((start + stop) / 2 * SIZE), SIZE - 1)
    return slice(first, last + 1)


def union_mask(boxes: np.ndarray) -> np.ndarray:
    """Pixels that lie in at least one of the boxes.

    Args:
        boxes: [N, 4], see `box_pixels`.

    Returns:
        bool [SIZE, SIZE].
    """
    mask = np.zeros((SIZE, SIZE), bool)
    for box in boxes:
        mask[box_pixels(box)] = True
    return mask


def consensus_map(boxes: np.ndarray) -> np.ndarray:
    """min(1, votes / 2): how many annotators' boxes hold a pixel, two being agreement (Senocak et al., CVPR 2018).

    Args:
        boxes: [N, 4], one of each annotator, see `box_pixels`.

    Returns:
        float64 [SIZE, SIZE].
    """
    votes = np.zeros((SIZE, SIZE))
    for box in boxes:
        votes[box_pixels(box)] += 1
    return np.minimum(1, votes / 2)


def iou(area: np.ndarray, truth: np.ndarray) -> float:
    """Intersection over union of two masks, 0 where both are empty."""
    both = np.count_nonzero(area & truth)
    either = np.count_nonzero(area | truth)
    return both / either if either else 0.0


def consensus_iou(area: np.ndarray, consensus: np.ndarray) -> float:
    """cIoU: consensus within the prediction, over all consensus and the predicted pixels that nobody marked.

    The intersection over union where the consensus is 0 or 1 everywhere.

    Args:
        area: bool [SIZE, SIZE].
        consensus: float [SIZE, SIZE], see `consensus_map`.
    """
    total = consensus.sum() + np.count_nonzero(area & (consensus == 0))
    return float(consensus[area].sum() / total) if total else 0.0


def pointing(peak: np.ndarray, truth: np.ndarray) -> float:
    """1 if a map's maximum lies in the mask, 0 if not; of pixels that share the maximum, the part that does.

    That part is how often a random one of them would hit. Saturated maps have many: counting the first of them, or
    any, would reward a reading order, or a map that is at its maximum everywhere.
    """
    tied = np.count_nonzero(peak)
    return np.count_nonzero(peak & truth) / tied if tied else 0.0


def share_at(ious: np.ndarray, threshold: float) -> float:
    """Share of frames whose IoU is at least `threshold`; ``IoU@0.5``."""
    return float(np.mean(np.asarray(ious) >= threshold))


def area_under_curve(ious: np.ndarray) -> float:
    """AUC: area under the share of frames with at least an IoU, over IoU 0, 0.05, ..., 1 (trapezoids)."""
    return float(sklearn.metrics.auc(CURVE, [share_at(ious, threshold) for threshold in CURVE]))
