"""Scores all frames of a run against annotations, by the rules of a protocol."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from common.errors import UserError
from metrics.maps.annotations import NO_CLASS, Annotations, Boxes
from metrics.maps.matching import Counts, match_frames
from metrics.maps.protocol import OURS, Protocol, protocol_for
from metrics.maps.scores import (
    SIZE,
    area_ratio,
    centred_disc,
    consensus_map,
    f_scores,
    iou,
    match_objects,
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
    f_scores: np.ndarray | None = None  # of a mask, see `metrics.maps.scores.f_scores`


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
    return Scores(_score_frames(maps, a_cluster, boxes, protocol, objects), counts, protocol)


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
    return {
        name: Scores(_score_frames(same, 1, boxes, protocol, several), counts, protocol)
        for name, same in baselines.items()
    }


def score_ceiling(maps: Mapping[str, np.ndarray], annotations: Annotations, several: bool = False) -> Scores:
    """Score the boxes themselves as maps of the size of the run's, with `several` each object's as a map of its own."""
    boxes, counts = match_frames(maps.keys(), annotations)
    frames = {}
    for key, truth in boxes.items():
        shown = [corners for _, corners in truth.objects()] if several else [truth.corners]
        ceiling = np.stack([on_grid(union_mask(corners), *maps[key].shape[1:]) for corners in shown])
        frames[key] = _score_frame(ceiling, len(ceiling), truth, OURS, several)
    return Scores(frames, counts, OURS)


def has_objects(a_cluster: int, annotations: Annotations, protocol: Protocol = OURS) -> bool:
    """Whether each object is scored: `ours` needs several audio clusters, and annotations that tell objects apart."""
    return a_cluster > 1 and not annotations.of_clips if protocol.objects is None else protocol.objects


def score_map(
    heat: np.ndarray, truth: np.ndarray, protocol: Protocol, consensus: np.ndarray | None = None
) -> tuple[float, float, float]:
    """IoU (cIoU with a `consensus`), pointing, and area ratio of a map, with the pixels of the truth."""
    area, peak = predict(heat, protocol.threshold, protocol.strict, np.count_nonzero(truth))
    return iou(area, truth if consensus is None else consensus), pointing(peak, truth), area_ratio(area, truth)


def _score_frames(
    maps: Mapping[str, np.ndarray], a_cluster: int, boxes: Mapping[str, Boxes], protocol: Protocol, objects: bool
) -> dict[str, FrameScore]:
    for key in boxes:
        shape = maps[key].shape
        if len(shape) != 3 or shape[0] < a_cluster or 0 in shape:
            raise UserError(f"the map {key!r} has the shape {shape}, too small for {a_cluster} audio clusters")
        if not np.isfinite(maps[key]).all():
            raise UserError(f"the map {key!r} has values that are not finite")
    return {key: _score_frame(maps[key], a_cluster, boxes[key], protocol, objects) for key in boxes}


def _score_frame(maps: np.ndarray, a_cluster: int, boxes: Boxes, protocol: Protocol, objects: bool) -> FrameScore:
    heats = resized(maps if objects else maps[:a_cluster])  # [rows, SIZE, SIZE]
    matched, silent = heats[:a_cluster], heats[a_cluster:]
    heat = matched.max(0)
    if boxes.mask:
        truth = read_mask(boxes.mask)
        frame_iou, hit, ratio = score_map(heat, truth, protocol)
        if not truth.any():  # in AVSBench, this IoU is the share of the pixels that are not predicted
            frame_iou = 1 - float(predict(heat, protocol.threshold, protocol.strict).area.mean())
        return FrameScore([], ratio, frame_iou, hit, f_scores=f_scores(heat, truth))

    consensus = consensus_map(boxes.corners, protocol.whole_pixels) if boxes.are_votes else None
    truth = union_mask(boxes.corners, protocol.whole_pixels)
    frame_iou, hit, ratio = score_map(heat, truth, protocol, consensus)
    if not objects:
        classes = dict.fromkeys(name or NO_CLASS for name in boxes.classes)
        return FrameScore([Part(name, frame_iou, hit, ratio) for name in classes], ratio, frame_iou, hit)

    names, corners = zip(*boxes.objects(), strict=True)
    masks = [union_mask(own, protocol.whole_pixels) for own in corners]
    scores = np.array([[score_map(heat, mask, protocol) for heat in matched] for mask in masks])  # [objects, maps, 3]
    if a_cluster == 1:
        own = scores[:, 0]  # a baseline shows all with one map
    else:
        own = np.zeros((len(masks), 3))  # an object without a map counts 0
        rows, columns = match_objects(scores[..., 0])
        own[rows] = scores[rows, columns]
    parts = [Part(name, *values) for name, values in zip(names, own.tolist(), strict=True)]
    nsa = quiet_share(silent, protocol.strict) if len(silent) else None
    return FrameScore(parts, ratio, frame_iou, float(own[:, 1].mean()), float(own[:, 0].mean()), nsa)


def read_mask(path: Path) -> np.ndarray:
    """The pixels of a mask that are not black, bool [SIZE, SIZE]."""
    try:
        with Image.open(path) as image:
            return np.asarray(image.convert("L").resize((SIZE, SIZE), Image.Resampling.NEAREST)) > 0
    except (OSError, ValueError, SyntaxError) as error:
        raise UserError(f"the mask {path} cannot be read ({error})") from error
