"""Scores all frames of a run against annotations."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from common.errors import UserError
from metrics.annotations import NO_CLASS, Annotations, Boxes, parse_frame
from metrics.matching import Counts, match_frames
from metrics.scores import (
    area_ratio,
    area_under_curve,
    centred_disc,
    consensus_iou,
    consensus_map,
    iou,
    match_objects,
    matched_values,
    on_grid,
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
    area_ratio: float  # area that the map predicts, as a multiple of the area of the boxes


class FrameScore(NamedTuple):
    """The scores of a frame. `ciou` and `nsa` are None if objects are not scored."""

    parts: list[Part]
    area_ratio: float  # area that the map predicts, as a multiple of the area of the boxes
    iou: float  # with the union of the boxes; cIoU with the consensus for Flickr-SoundNet
    pointing: float  # 1 if the maximum lies in a box; the mean over the objects if objects are scored
    ciou: float | None = None  # mean IoU over the objects
    nsa: float | None = None  # None for a frame without silent maps


@dataclass(frozen=True)
class Scores:
    """The scores of the frames of a run."""

    frames: dict[str, FrameScore]  # by the key of the map
    counts: Counts

    def by_frame(self) -> dict[str, dict[str, float]]:
        """Key -> name -> score."""
        return {
            key: {name: value for name, value in frame._asdict().items() if name != "parts" and value is not None}
            for key, frame in self.frames.items()
        }


def score_run(
    maps: Mapping[str, np.ndarray], a_cluster: int, annotations: Annotations, threshold: float = THRESHOLD
) -> Scores:
    """Score the maps of a run on every annotated frame.

    With several audio clusters and annotated objects (MUSIC), CIoU and pointing use the own map of each object. The
    IoU uses the pixelwise maximum of the matched maps and the union of the boxes. Row j < a_cluster of the maps
    [v_cluster, h, w] is the map of audio cluster j.
    """
    boxes, counts = match_frames(maps.keys(), annotations)
    rules = Rules(threshold, annotations.are_votes, has_objects(a_cluster, annotations))
    return Scores(_score_frames(maps, a_cluster, boxes, rules), counts)


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
        "whole frame": dict.fromkeys(boxes, np.ones((1, 1, 1), np.float32)),
        "centred disc": dict.fromkeys(boxes, centred_disc()[None]),
        "random map": {key: rng.random((1, *maps[key].shape[1:]), np.float32) for key in boxes},
    }
    rules = Rules(threshold, annotations.are_votes, several)
    return {name: Scores(_score_frames(same, 1, boxes, rules), counts) for name, same in baselines.items()}


def score_ceiling(maps: Mapping[str, np.ndarray], annotations: Annotations, several: bool = False) -> Scores:
    """Score the boxes themselves as maps of the size of the run's, with `several` each object's as a map of its own."""
    boxes, counts = match_frames(maps.keys(), annotations)
    rules = Rules(THRESHOLD, annotations.are_votes, several)
    frames = {}
    for key, truth in boxes.items():
        shown = [corners for _, corners in truth.objects()] if several else [truth.corners]
        ceiling = np.stack([on_grid(union_mask(corners), *maps[key].shape[1:]) for corners in shown])
        frames[key] = _score_frame(ceiling, len(ceiling), truth, rules)
    return Scores(frames, counts)


def has_objects(a_cluster: int, annotations: Annotations) -> bool:
    """Whether each object is scored: this needs several audio clusters, and annotations that tell objects apart."""
    return a_cluster > 1 and not annotations.of_clips


def summary(scores: Scores) -> Figures:
    """The figures over all frames."""
    return _summary([*scores.frames.values()])


def per_video(scores: Scores) -> dict[str, Figures]:
    """NAME -> the figures of `summary` over the frames of the video; sorted."""
    videos = defaultdict(list)
    for key, frame in scores.frames.items():
        videos[parse_frame(key).video].append(frame)
    return {name: _summary(videos[name]) for name in sorted(videos)}


def per_class(scores: Scores) -> dict[str, Figures]:
    """Class -> figures of its objects if objects are scored, else of the frames that show it; sorted."""
    classes = defaultdict(list)
    for frame in scores.frames.values():
        unit = "frames" if frame.ciou is None else "objects"
        for part in frame.parts:
            classes[part.class_name].append(part)
    # Numbers first, in their order: of those without zeros in front the longer one is larger.
    in_order = sorted(classes, key=lambda name: (0, len(name), name) if name.isdecimal() else (1, 0, name))
    return {name: _figures(unit, classes[name]) for name in in_order}


def _summary(frames: Sequence[FrameScore]) -> Figures:
    found = _figures("frames", frames)
    if frames[0].ciou is not None:
        cious = np.array([frame.ciou for frame in frames])
        nsas = [frame.nsa for frame in frames if frame.nsa is not None]
        found |= {"ciou": float(cious.mean()), "ciou_at_0.3": share_at(cious, 0.3), "ciou_auc": area_under_curve(cious)}
        found["nsa"] = float(np.mean(nsas)) if nsas else None
    return found


def _figures(unit: str, scored: Sequence[FrameScore | Part]) -> Figures:
    ious = np.array([one.iou for one in scored])
    return {
        unit: len(ious),
        "mean_iou": float(ious.mean()),
        "iou_at_0.3": share_at(ious, 0.3),
        "iou_at_0.5": share_at(ious, 0.5),
        "auc": area_under_curve(ious),
        "pointing": float(np.mean([one.pointing for one in scored])),
        "area_ratio": float(np.median([one.area_ratio for one in scored])),
    }


def _score_frames(
    maps: Mapping[str, np.ndarray], a_cluster: int, boxes: Mapping[str, Boxes], rules: Rules
) -> dict[str, FrameScore]:
    for key in boxes:
        shape = maps[key].shape
        if len(shape) != 3 or shape[0] < a_cluster or 0 in shape:
            raise UserError(f"the map {key!r} has the shape {shape}, too small for {a_cluster} audio clusters")
        if not np.isfinite(maps[key]).all():
            raise UserError(f"the map {key!r} has values that are not finite")
    return {key: _score_frame(maps[key], a_cluster, boxes[key], rules) for key in boxes}


def _score_frame(maps: np.ndarray, a_cluster: int, boxes: Boxes, rules: Rules) -> FrameScore:
    heats = resized(maps if rules.objects else maps[:a_cluster])  # [rows, SIZE, SIZE]
    matched, silent = heats[:a_cluster], heats[a_cluster:]
    whole = predict(matched.max(0), rules.threshold)
    union = union_mask(boxes.corners)
    frame_iou = consensus_iou(whole.area, consensus_map(boxes.corners)) if rules.consensus else iou(whole.area, union)
    ratio = area_ratio(whole.area, union)
    if not rules.objects:
        hit = pointing(whole.peak, union)
        classes = dict.fromkeys(name or NO_CLASS for name in boxes.classes)
        return FrameScore([Part(name, frame_iou, hit, ratio) for name in classes], ratio, frame_iou, hit)

    sources = [predict(heat, rules.threshold) for heat in matched]
    names, corners = zip(*boxes.objects(), strict=True)
    masks = [union_mask(own) for own in corners]
    ious = np.array([[iou(source.area, mask) for source in sources] for mask in masks])  # [objects, maps]
    hits = np.array([[pointing(source.peak, mask) for source in sources] for mask in masks])
    chosen = np.zeros(len(masks), int) if a_cluster == 1 else match_objects(ious)  # a baseline shows all with one map
    own_ious, own_hits = matched_values(ious, chosen), matched_values(hits, chosen)
    ratios = np.array([[area_ratio(source.area, mask) for source in sources] for mask in masks])
    own_ratios = matched_values(ratios, chosen)
    parts = list(map(Part, names, own_ious.tolist(), own_hits.tolist(), own_ratios.tolist()))
    nsa = quiet_share(silent) if len(silent) else None
    return FrameScore(parts, ratio, frame_iou, float(own_hits.mean()), float(own_ious.mean()), nsa)
