"""Interactive IoU: does the map follow the source that is heard, or does it show the same place for all?

Senocak et al., "Aligning Sight and Sound: Advanced Sound Source Localization Through Audio-Visual Alignment", 2024: a
frame with several sources is tested with each of them alone. It is right if the map of every source is. Their figures
are of IS3, with the brighter half of the pixels as prediction.
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from common.errors import UserError
from data.layout import category_order
from metrics.maps.annotations import Annotations
from metrics.maps.evaluate import FrameScore, Scores, score_map
from metrics.maps.figures import Figures, summary
from metrics.maps.matching import match_frames
from metrics.maps.protocol import Protocol
from metrics.maps.scores import resized, union_mask

NAMES = {"iou_at_0.5": "iiou_at_0.5", "auc": "iauc", "pointing": "interactive_pointing"}  # figure of the worst source


def interact(maps: Mapping[str, np.ndarray], annotations: Annotations, protocol: Protocol, seed: int) -> Figures:
    """The figures of a run with ``--audio swap``, over the frames in which every source has a box.

    Args:
        maps: key -> [sources, h, w], the map of each source alone, in the order of their categories.
    """
    boxes, counts = match_frames(maps.keys(), annotations, protocol.second)
    frames = {}
    for key, truth in boxes.items():
        objects = sorted(truth.objects(), key=lambda one: category_order(one[0]))
        if len(objects) == len(maps[key]):
            masks = [union_mask(corners, protocol.whole_pixels) for _, corners in objects]
            found = [score_map(heat, mask, protocol) for heat, mask in zip(resized(maps[key]), masks, strict=True)]
            iou, hit, area_ratio = np.min(found, axis=0).tolist()
            frames[key] = FrameScore([], area_ratio, iou, hit)
    if not frames:
        raise UserError(f"no frame has a box in {annotations.path} for each of its sources")
    figures = summary(Scores(frames, counts, replace(protocol, figures=tuple(NAMES))), seed)
    intervals = {NAMES[name]: ends for name, ends in figures["intervals"].items()}
    return {"frames": len(frames), **{NAMES[name]: figures[name] for name in NAMES}, "intervals": intervals}
