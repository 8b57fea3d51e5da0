"""Scores all frames of a run against annotations."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain
from typing import NamedTuple

import numpy as np

from common.errors import UserError
from metrics.annotations import NO_CLASS, Annotations, Boxes, parse_frame
from metrics.matching import Counts, match_frames
from metrics.scores import (
    CENTRED_DISC,
    RANDOM_MAP,
    WHOLE_FRAME,
    area_under_curve,
    centred_disc,
    consensus_iou,
    consensus_map,
    iou,
    match_objects,
    matched_values,
    pointing,
    predict,
    quiet_share,
    resized,
    share_at,
    union_mask,
)

THRESHOLD = 0.5  # of the maximum of a map

Figures = dict[str, float | int | None]  # the keys are those of `metrics.table.FIGURES`


class Rules(NamedTuple):
    """The rules by which frames are scored."""

    threshold: float  # part of its maximum from which a map predicts a pixel
    consensus: bool  # cIoU with the consensus of the annotators instead of IoU with the union of the boxes
    objects: bool  # each object is also scored with a map of its own


class Part(NamedTuple):
    """The score of an object if objects are scored; else the score of a frame, once for each of its classes."""

    class_name: str
    iou: float
    pointing: float


class FrameScore(NamedTuple):
    """The scores of a frame."""

    iou: float
    pointing: float
    ciou: float
    nsa: float
    parts: list[Part]


@dataclass(frozen=True)
class Scores:
    """The scores of N frames, float64 [N] each. `ciou` and `nsa` are None if objects are not scored."""

    keys: tuple[str, ...]  # [N]
    iou: np.ndarray  # with the union of the boxes; cIoU with the consensus for Flickr-SoundNet
    pointing: np.ndarray  # 1 if the maximum lies in a box; the mean over the objects if objects are scored
    ciou: np.ndarray | None  # mean IoU over the objects
    nsa: np.ndarray | None  # NaN for a frame without silent maps
    parts: list[Part]  # of all frames
    counts: Counts

    def by_frame(self) -> dict[str, dict[str, float]]:
        """Key -> name -> score."""
        columns = {"iou": self.iou, "pointing": self.pointing, "ciou": self.ciou, "nsa": self.nsa}
        rows = {name: values.tolist() for name, values in columns.items() if values is not None}
        return {key: {name: values[i] for name, values in rows.items()} for i, key in enumerate(self.keys)}


def score_run(
    maps: Mapping[str, np.ndarray], a_cluster: int, annotations: Annotations, threshold: float = THRESHOLD
) -> Scores:
    """Score the maps of a run on every annotated frame.

    With several audio clusters and annotated objects (MUSIC), CIoU and pointing use the own map of each object. The
    IoU uses the pixelwise maximum of the matched maps and the union of the boxes. Row j < a_cluster of the maps
    [v_cluster, h, w] is the map of audio cluster j.
    """
    boxes, counts = match_frames(maps.keys(), annotations)
    rules = Rules(threshold, annotations.format == "flickr", has_objects(a_cluster, annotations))
    return _score(maps, a_cluster, boxes, counts, rules)


def score_baselines(
    maps: Mapping[str, np.ndarray],
    annotations: Annotations,
    threshold: float = THRESHOLD,
    seed: int = 10,
    several: bool = False,
) -> dict[str, Scores]:
    """Score maps that nobody needs to learn. A method that does not beat them has learned nothing about audio.

    The maps of a run tell the frames to score and the shape of the random maps. `several` scores each object too, all
    with the same map.
    """
    boxes, counts = match_frames(maps.keys(), annotations)
    rng = np.random.default_rng(seed)
    baselines = {
        WHOLE_FRAME: dict.fromkeys(boxes, np.ones((1, 1, 1), np.float32)),
        CENTRED_DISC: dict.fromkeys(boxes, centred_disc()[None]),
        RANDOM_MAP: {key: rng.random((1, *maps[key].shape[1:]), np.float32) for key in boxes},
    }
    rules = Rules(threshold, annotations.format == "flickr", several)
    return {name: _score(same, 1, boxes, counts, rules) for name, same in baselines.items()}


def has_objects(a_cluster: int, annotations: Annotations) -> bool:
    """Whether each object is scored: this needs several audio clusters, and annotations that tell objects apart."""
    return a_cluster > 1 and annotations.format == "music"


def summary(scores: Scores, rows: list[int] | None = None) -> Figures:
    """The figures over all frames, or over those at `rows`."""
    chosen = slice(None) if rows is None else rows
    found = _figures("frames", scores.iou[chosen], scores.pointing[chosen])
    if scores.ciou is not None:
        ciou, nsa = scores.ciou[chosen], scores.nsa[chosen]
        nsa = nsa[~np.isnan(nsa)]
        found |= {"ciou": float(ciou.mean()), "ciou_at_0.3": share_at(ciou, 0.3), "ciou_auc": area_under_curve(ciou)}
        found["nsa"] = float(nsa.mean()) if len(nsa) else None
    return found


def per_video(scores: Scores) -> dict[str, Figures]:
    """NAME -> `summary` of the video, sorted."""
    rows = _rows_of([parse_frame(key).video for key in scores.keys])
    return {name: summary(scores, rows[name]) for name in sorted(rows)}


def per_class(scores: Scores) -> dict[str, Figures]:
    """Class -> figures of its objects if objects are scored, else of the frames that show it; sorted."""
    rows = _rows_of([part.class_name for part in scores.parts])
    in_order = sorted(rows, key=lambda name: (0, int(name), name) if name.isdecimal() else (1, 0, name))
    unit = "frames" if scores.ciou is None else "objects"
    ious = np.array([part.iou for part in scores.parts])
    hits = np.array([part.pointing for part in scores.parts])
    return {name: _figures(unit, ious[rows[name]], hits[rows[name]]) for name in in_order}


def _rows_of(names: list[str]) -> dict[str, list[int]]:
    rows = defaultdict(list)
    for row, name in enumerate(names):
        rows[name].append(row)
    return rows


def _figures(unit: str, ious: np.ndarray, hits: np.ndarray) -> Figures:
    return {
        unit: len(ious),
        "mean_iou": float(ious.mean()),
        "iou_at_0.3": share_at(ious, 0.3),
        "iou_at_0.5": share_at(ious, 0.5),
        "auc": area_under_curve(ious),
        "pointing": float(hits.mean()),
    }


def _score(
    maps: Mapping[str, np.ndarray], a_cluster: int, boxes: Mapping[str, Boxes], counts: Counts, rules: Rules
) -> Scores:
    for key in boxes:
        shape = maps[key].shape
        if len(shape) != 3 or shape[0] < a_cluster or 0 in shape:
            raise UserError(f"the map {key!r} has the shape {shape}, too small for {a_cluster} audio clusters")
        if not np.isfinite(maps[key]).all():
            raise UserError(f"the map {key!r} has values that are not finite")
    frames = [_score_frame(maps[key], a_cluster, boxes[key], rules) for key in boxes]
    ious, hits, cious, nsas, parts = zip(*frames, strict=True)
    of_objects = (np.array(cious), np.array(nsas)) if rules.objects else (None, None)
    return Scores(tuple(boxes), np.array(ious), np.array(hits), *of_objects, list(chain(*parts)), counts)


def _score_frame(maps: np.ndarray, a_cluster: int, boxes: Boxes, rules: Rules) -> FrameScore:
    heats = resized(maps if rules.objects else maps[:a_cluster])  # [rows, SIZE, SIZE]
    matched, silent = heats[:a_cluster], heats[a_cluster:]
    whole = predict(matched.max(0), rules.threshold)
    union = union_mask(boxes.corners)
    frame_iou = consensus_iou(whole.area, consensus_map(boxes.corners)) if rules.consensus else iou(whole.area, union)
    if not rules.objects:
        hit = pointing(whole.peak, union)
        classes = dict.fromkeys(name or NO_CLASS for name in boxes.classes)
        return FrameScore(frame_iou, hit, np.nan, np.nan, [Part(name, frame_iou, hit) for name in classes])

    sources = [whole] if a_cluster == 1 else [predict(heat, rules.threshold) for heat in matched]
    names, corners = zip(*boxes.objects(), strict=True)
    masks = [union_mask(own) for own in corners]
    ious = np.array([[iou(source.area, mask) for source in sources] for mask in masks])  # [objects, maps]
    hits = np.array([[pointing(source.peak, mask) for source in sources] for mask in masks])
    chosen = np.zeros(len(masks), int) if a_cluster == 1 else match_objects(ious)  # a baseline shows all with one map
    own_ious, own_hits = matched_values(ious, chosen), matched_values(hits, chosen)
    parts = list(map(Part, names, own_ious.tolist(), own_hits.tolist()))
    nsa = quiet_share(silent) if len(silent) else np.nan
    return FrameScore(frame_iou, float(own_hits.mean()), float(own_ious.mean()), nsa, parts)
