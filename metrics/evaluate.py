"""Scores all frames of a run against annotations, by the rules of a protocol."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from common.errors import UserError
from metrics.annotations import NO_CLASS, Annotations, Boxes
from metrics.masks import read_mask
from metrics.matching import Counts, match_frames
from metrics.protocol import OURS, Protocol, protocol_for
from metrics.scores import (
    SIZE,
    area_ratio,
    centred_disc,
    consensus_iou,
    consensus_map,
    f_scores,
    iou,
    mask_iou,
    match_objects,
    matched_values,
    on_grid,
    pointing,
    predict,
    quiet_share,
    resized,
    union_mask,
)


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
    f_scores: np.ndarray | None = None  # of a mask, see `metrics.scores.f_scores`


@dataclass(frozen=True)
class Scores:
    """The scores of the frames of a run."""

    frames: dict[str, FrameScore]  # by the key of the map
    counts: Counts
    protocol: Protocol

    def by_frame(self) -> dict[str, dict[str, float]]:
        """Key -> name -> score."""
        return {
            key: {name: value for name, value in frame._asdict().items() if isinstance(value, float)}
            for key, frame in self.frames.items()
        }


def score_run(
    maps: Mapping[str, np.ndarray], a_cluster: int, annotations: Annotations, protocol: Protocol | None = None
) -> Scores:
    """Score the maps of a run on every annotated frame, by default with the protocol of the annotations' format.

    Where objects are scored, CIoU and pointing use the own map of each object. The IoU uses the pixelwise maximum of
    the matched maps and the union of the boxes. Row j < a_cluster of the maps [v_cluster, h, w] is the map of audio
    cluster j.
    """
    protocol = protocol or protocol_for(annotations)
    boxes, counts = match_frames(maps.keys(), annotations, protocol.second)
    objects = has_objects(a_cluster, annotations, protocol)
    return Scores(_score_frames(maps, a_cluster, boxes, _Rules(protocol, annotations, objects)), counts, protocol)


def score_baselines(
    maps: Mapping[str, np.ndarray],
    annotations: Annotations,
    protocol: Protocol | None = None,
    seed: int = 10,
    several: bool = False,
    others: Mapping[str, Mapping[str, np.ndarray]] | None = None,
) -> dict[str, Scores]:
    """Score maps that nobody needs to learn. A method that does not beat them has learned nothing about audio.

    The maps of a run tell the frames to score and the shape of the random maps. `several` scores each object too, all
    with the same map. `others` are the maps of more baselines.
    """
    protocol = protocol or protocol_for(annotations)
    boxes, counts = match_frames(maps.keys(), annotations, protocol.second)
    rng = np.random.default_rng(seed)
    baselines = {
        "whole frame": dict.fromkeys(boxes, np.ones((1, 1, 1), np.float32)),
        "centred disc": dict.fromkeys(boxes, centred_disc()[None]),
        "random map": {key: rng.random((1, *maps[key].shape[1:]), np.float32) for key in boxes},
        **(others or {}),
    }
    rules = _Rules(protocol, annotations, several)
    return {name: Scores(_score_frames(same, 1, boxes, rules), counts, protocol) for name, same in baselines.items()}


def score_ceiling(maps: Mapping[str, np.ndarray], annotations: Annotations, several: bool = False) -> Scores:
    """Score the boxes themselves as maps of the size of the run's, with `several` each object's as a map of its own."""
    boxes, counts = match_frames(maps.keys(), annotations)
    rules = _Rules(OURS, annotations, several)
    frames = {}
    for key, truth in boxes.items():
        shown = [corners for _, corners in truth.objects()] if several else [truth.corners]
        ceiling = np.stack([on_grid(union_mask(corners), *maps[key].shape[1:]) for corners in shown])
        frames[key] = _score_frame(ceiling, len(ceiling), truth, rules)
    return Scores(frames, counts, OURS)


def has_objects(a_cluster: int, annotations: Annotations, protocol: Protocol = OURS) -> bool:
    """Whether each object is scored: `ours` needs several audio clusters, and annotations that tell objects apart."""
    return a_cluster > 1 and not annotations.of_clips if protocol.objects is None else protocol.objects


class _Rules(NamedTuple):
    protocol: Protocol
    annotations: Annotations
    objects: bool  # each object is also scored with a map of its own


def _score_frames(
    maps: Mapping[str, np.ndarray], a_cluster: int, boxes: Mapping[str, Boxes], rules: _Rules
) -> dict[str, FrameScore]:
    for key in boxes:
        shape = maps[key].shape
        if len(shape) != 3 or shape[0] < a_cluster or 0 in shape:
            raise UserError(f"the map {key!r} has the shape {shape}, too small for {a_cluster} audio clusters")
        if not np.isfinite(maps[key]).all():
            raise UserError(f"the map {key!r} has values that are not finite")
    return {key: _score_frame(maps[key], a_cluster, boxes[key], rules) for key in boxes}


def _score_frame(maps: np.ndarray, a_cluster: int, boxes: Boxes, rules: _Rules) -> FrameScore:
    protocol = rules.protocol
    heats = resized(maps if rules.objects else maps[:a_cluster])  # [rows, SIZE, SIZE]
    matched, silent = heats[:a_cluster], heats[a_cluster:]
    heat = matched.max(0)
    if boxes.mask:
        return _score_mask(heat, read_mask(boxes.mask, SIZE), protocol)

    def score(heat: np.ndarray, truth: np.ndarray) -> tuple[float, float, float]:
        area, peak = predict(heat, protocol.threshold, protocol.strict, np.count_nonzero(truth))
        if rules.annotations.are_votes:
            found = consensus_iou(area, consensus_map(boxes.corners, protocol.whole_pixels))
        else:
            found = iou(area, truth)
        return found, pointing(peak, truth), area_ratio(area, truth)

    frame_iou, hit, ratio = score(heat, union_mask(boxes.corners, protocol.whole_pixels))
    if not rules.objects:
        classes = dict.fromkeys(name or NO_CLASS for name in boxes.classes)
        return FrameScore([Part(name, frame_iou, hit, ratio) for name in classes], ratio, frame_iou, hit)

    names, corners = zip(*boxes.objects(), strict=True)
    masks = [union_mask(own, protocol.whole_pixels) for own in corners]
    ious, hits, ratios = np.moveaxis([[score(heat, mask) for heat in matched] for mask in masks], -1, 0)
    chosen = np.zeros(len(masks), int) if a_cluster == 1 else match_objects(ious)  # a baseline shows all with one map
    own_ious, own_hits, own_ratios = (matched_values(values, chosen) for values in (ious, hits, ratios))
    parts = list(map(Part, names, own_ious.tolist(), own_hits.tolist(), own_ratios.tolist()))
    nsa = quiet_share(silent, protocol.strict) if len(silent) else None
    return FrameScore(parts, ratio, frame_iou, float(own_hits.mean()), float(own_ious.mean()), nsa)


def _score_mask(heat: np.ndarray, truth: np.ndarray, protocol: Protocol) -> FrameScore:
    area, peak = predict(heat, protocol.threshold, protocol.strict, np.count_nonzero(truth))
    ratio = area_ratio(area, truth)
    return FrameScore([], ratio, mask_iou(area, truth), pointing(peak, truth), f_scores=f_scores(heat, truth))
