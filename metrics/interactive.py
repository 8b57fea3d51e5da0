"""Interactive IoU: does the map follow the source that is heard, or does it show the same place for all?

Senocak et al., "Aligning Sight and Sound: Advanced Sound Source Localization Through Audio-Visual Alignment", 2024: a
frame with several sources is tested with each of them alone. It is right if the map of every source is. Their figures
are of IS3, with the brighter half of the pixels as prediction.
"""

from collections.abc import Mapping

import numpy as np

from common.errors import UserError
from data.layout import category_order
from metrics.annotations import Annotations
from metrics.figures import Figures, interval_ends, resampled, videos_of
from metrics.matching import match_frames
from metrics.protocol import Protocol
from metrics.scores import curve_areas, iou, pointing, predict, resized, union_mask


def interact(maps: Mapping[str, np.ndarray], annotations: Annotations, protocol: Protocol, seed: int) -> Figures:
    """The figures of a run with ``--audio swap``, over the frames in which every source has a box.

    Args:
        maps: key -> [sources, h, w], the map of each source alone, in the order of their categories.
    """
    boxes, _ = match_frames(maps.keys(), annotations, protocol.second)
    worst = {}
    for key, truth in boxes.items():
        objects = sorted(truth.objects(), key=lambda one: category_order(one[0]))
        if len(objects) == len(maps[key]):
            worst[key] = _worst(resized(maps[key]), [corners for _, corners in objects], protocol)
    if not worst:
        raise UserError(f"no frame has a box in {annotations.path} for each of its sources")
    ious, hits = np.array([*worst.values()]).T
    values = {"iiou_at_0.5": ious >= 0.5, "iauc": curve_areas(ious), "interactive_pointing": hits}
    videos = videos_of(worst)
    weights = resampled(videos, seed)
    draws = {name: weights @ np.bincount(videos, one) / (weights @ np.bincount(videos)) for name, one in values.items()}
    means = {name: float(one.mean()) for name, one in values.items()}
    return {"frames": len(worst), **means, "intervals": interval_ends(draws)}


def _worst(heats: np.ndarray, objects: list[np.ndarray], protocol: Protocol) -> tuple[float, float]:
    """The smallest IoU and the smallest pointing of the maps [sources, SIZE, SIZE], each with its own object."""
    found = []
    for heat, corners in zip(heats, objects, strict=True):
        truth = union_mask(corners, protocol.whole_pixels)
        area, peak = predict(heat, protocol.threshold, protocol.strict, np.count_nonzero(truth))
        found.append((iou(area, truth), pointing(peak, truth)))
    return tuple(np.min(found, axis=0))
