"""Scores of one frame: IoU, cIoU, pointing, area under the curve, the match of objects and maps, and baseline maps.

All maps and masks have SIZE x SIZE pixels. Boxes are fractions of the width and height of the frame.
"""

import functools
import math
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from PIL import Image

SIZE = 224  # pixels, as in all published evaluations
CURVE = np.arange(21) / 20  # IoU thresholds 0, 0.05, ..., 1
F_THRESHOLDS = np.linspace(0, 1 - 1e-10, 255)  # as in AVSBench
F_BETA2 = 0.3
TIED = 1e-6  # pixels that differ by less, relative to the maximum, share it: resizing rounds the values of a plateau
QUIET = 0.2  # absolute, not a part of the maximum
DISC_RADIUS = 65  # pixels


class Prediction(NamedTuple):
    """What a map predicts, bool [SIZE, SIZE] each."""

    area: np.ndarray  # the pixels that reach the threshold
    peak: np.ndarray  # the maximum: one pixel, or several that are tied


def resized(maps: np.ndarray, height: int = SIZE, width: int = SIZE) -> np.ndarray:
    """Maps [..., h, w] -> float32 [..., height, width], bilinear with half-pixel centers."""
    if maps.shape[-2:] == (height, width):
        return np.asarray(maps, np.float32)
    rows, columns = _weights(maps.shape[-2], height), _weights(maps.shape[-1], width)
    return np.swapaxes(rows, 0, 1) @ np.asarray(maps, np.float32) @ columns


@functools.cache
def _weights(cells: int, pixels: int) -> np.ndarray:
    """The weight of each cell for each pixel, float32 [cells, pixels]: the resized unit vectors."""
    scale = float(np.float32(cells / pixels))
    position = ((np.arange(pixels) + 0.5) * scale - 0.5).astype(np.float32)  # rounded as in PyTorch's `interpolate`
    return np.array([np.interp(position, np.arange(cells), unit) for unit in np.eye(cells)], np.float32)


def predict(heat: np.ndarray, threshold: float | str, strict: bool = False, pixels: int = 0) -> Prediction:
    """The pixels of a map [SIZE, SIZE] that reach a threshold, or with `strict` those above it.

    Args:
        heat: the map. None of its pixels reaches a part of its maximum if that is not above 0.
        threshold: a part of the maximum of the map; "median", the brighter half of its pixels; "adaptive", as many
            pixels as the truth has; "majority", 0.5: where a cluster has more of a position than all others together.
        strict: whether a predicted pixel is above the threshold.
        pixels: the pixels of the truth, for "adaptive". 0 stands for half of all.
    """
    maximum = heat.max()
    if threshold == "majority":
        level = 0.5
    elif threshold in ("median", "adaptive"):
        below = heat.size - (pixels if threshold == "adaptive" and pixels else heat.size // 2)
        level = np.partition(heat, below, axis=None)[below]
    else:
        level = threshold * maximum if maximum > 0 else np.inf
    return Prediction(heat > level if strict else heat >= level, (maximum > 0) & (heat >= maximum * (1 - TIED)))


def box_pixels(box: np.ndarray, whole_pixels: bool = False) -> tuple[slice, slice]:
    """Rows and columns of the pixels whose centers lie in a box. A box smaller than a pixel has the pixel around it.

    With `whole_pixels` the edges are rounded down to pixels, as published scorers do: a small box can have none.
    """
    x1, y1, x2, y2 = map(float, box)
    if whole_pixels:
        return slice(int(y1 * SIZE), int(y2 * SIZE)), slice(int(x1 * SIZE), int(x2 * SIZE))
    return _pixels(y1, y2), _pixels(x1, x2)


def _pixels(start: float, stop: float) -> slice:
    first, last = math.ceil(start * SIZE - 0.5), math.floor(stop * SIZE - 0.5)
    if last < first:
        first = last = min(int((start + stop) / 2 * SIZE), SIZE - 1)
    return slice(first, last + 1)


def count_boxes(boxes: Iterable[np.ndarray], whole_pixels: bool = False) -> np.ndarray:
    """How many of the boxes [N, 4] contain each pixel, int [SIZE, SIZE]."""
    counts = np.zeros((SIZE, SIZE), int)
    for box in boxes:
        counts[box_pixels(box, whole_pixels)] += 1
    return counts


def union_mask(boxes: np.ndarray, whole_pixels: bool = False) -> np.ndarray:
    """The pixels that lie in at least one of the boxes [N, 4], bool [SIZE, SIZE]."""
    return count_boxes(boxes, whole_pixels) > 0


def consensus_map(boxes: np.ndarray, whole_pixels: bool = False) -> np.ndarray:
    """min(1, votes / 2), float64 [SIZE, SIZE], each box [N, 4] a vote (Senocak et al., CVPR 2018)."""
    return np.minimum(1, count_boxes(boxes, whole_pixels) / 2)


def iou(area: np.ndarray, truth: np.ndarray) -> float:
    """Intersection over union of a predicted mask and a true one; 0 if both are empty.

    With a consensus as truth it is cIoU: the consensus inside the predicted area, over the whole consensus plus the
    predicted pixels without votes.
    """
    either = truth.sum() + np.count_nonzero(area & (truth == 0))
    return float((truth * area).sum() / either) if either else 0.0


def f_scores(heat: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """F-score of AVSBench, (1 + b) P R / (b P + R) with b = 0.3, at 255 thresholds from 0 to 1, float64 [255].

    0 where nothing is predicted right. NaN if the mask is empty: such frames have no F-score.
    """
    if not truth.any():
        return np.full(len(F_THRESHOLDS), np.nan)
    predicted, right = (
        values.size - np.searchsorted(np.sort(values, axis=None), F_THRESHOLDS) for values in (heat, heat[truth])
    )
    # P = right / predicted and R = right / truth, so F is 0/0 nowhere
    return (1 + F_BETA2) * right / (F_BETA2 * np.count_nonzero(truth) + predicted)


def area_ratio(area: np.ndarray, truth: np.ndarray) -> float:
    """Area of a mask as a multiple of the area of another; NaN if that is empty."""
    return np.count_nonzero(area) / (np.count_nonzero(truth) or math.nan)


def on_grid(mask: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """The share of each cell of a grid that a mask [SIZE, SIZE] covers, float32 [rows, columns]."""
    return np.asarray(Image.fromarray(mask.astype(np.float32)).resize((columns, rows), Image.Resampling.BOX))


def pointing(peak: np.ndarray, truth: np.ndarray) -> float:
    """1 if the maximum of a map lies in the mask, else 0. Of tied pixels, the share that lies in the mask.

    This share is the hit rate of a random one of them. Saturated maps have many tied pixels: to count the first would
    reward the order of reading, to count any would reward a map that is at its maximum everywhere.
    """
    tied = np.count_nonzero(peak)
    return np.count_nonzero(peak & truth) / tied if tied else 0.0


def curve_areas(ious: np.ndarray) -> np.ndarray:
    """The share of each frame in the AUC, float64 [N]: their mean is the AUC.

    The AUC is the area under the share of frames that reach an IoU of 0, 0.05, ..., 1, by trapezoids.
    """
    reached = np.asarray(ious)[:, None] >= CURVE
    return (reached[:, 1:] + reached[:, :-1].astype(float)) @ np.diff(CURVE) / 2


def match_objects(ious: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Objects and their maps, int [N] each, from the IoU [objects, maps] of all pairs.

    CIoU (Hu et al., "Discriminative Sounding Objects Localization via Self-supervised Audiovisual Matching", NeurIPS
    2020) is the mean IoU over the objects of a frame, each with a map of its own. There each map belongs to a class.
    Clusters have no class, so the one-to-one match with the largest sum of IoU assigns them. If there are fewer maps
    than objects, some objects have none.
    """
    from scipy.optimize import linear_sum_assignment  # here, as it takes longer to load than one source to score

    return linear_sum_assignment(ious, maximize=True)


def quiet_share(silent: np.ndarray, strict: bool = False) -> float:
    """NSA of Hu et al.: the share of pixels below 0.2 in the silent maps [maps, H, W] of a frame.

    With `strict`, 0.2 itself counts as well: a pixel that sounds is above it, as in `predict`.

    The assignment of a frame sums to 1 over its clusters. So the map of the background is high where nothing sounds,
    and this NSA cannot be compared with the published NSA of class maps.
    """
    return np.count_nonzero(silent <= QUIET if strict else silent < QUIET) / silent.size


def centred_disc() -> np.ndarray:
    """A map [SIZE, SIZE] of the middle of the frame: people film what sounds.

    It is 1 in the disc. Around it, it falls from below 0.05, so that its brighter half is a larger disc.
    """
    offset = np.arange(SIZE) + 0.5 - SIZE / 2
    radius = np.hypot(offset[:, None], offset)
    return np.where(radius <= DISC_RADIUS, 1, 0.05 * (1 - radius / SIZE)).astype(np.float32)
