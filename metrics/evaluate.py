"""Scores all frames of a run against annotations: the function that programs import.

from metrics.annotations import read_annotations
from metrics.evaluate import score_run, summary
from metrics.runs import read_run

run = read_run("dmc.pkl")
print(summary(score_run(run.maps, run.a_cluster, read_annotations("boxes.json"))))
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from common.errors import UserError
from metrics.annotations import NO_CLASS, Annotations, Boxes
from metrics.baselines import CENTRED_DISC, RANDOM_MAP, WHOLE_FRAME, centred_disc, random_maps, whole_frame
from metrics.frame_keys import parse_frame
from metrics.matching import Counts, match_frames
from metrics.scores import (
    Prediction,
    area_under_curve,
    consensus_iou,
    consensus_map,
    iou,
    pointing,
    predict,
    resized,
    share_at,
    union_mask,
)
from metrics.sources import assign, of_assigned, quiet_share

THRESHOLD = 0.5  # of a map's maximum
BATCH = 16  # frames that are resized at once; more would not stay in the cache


class Answer(NamedTuple):
    """What a run says about a frame.

    Attributes:
        whole: where anything sounds.
        sources: one a sound cluster, or a single one that stands for every source; None if there are not several.
        nsa: share of quiet area in the silent maps; None where there are none.
    """

    whole: Prediction
    sources: list[Prediction] | None = None
    nsa: float | None = None


class FrameScore(NamedTuple):
    """Scores of a frame; `parts` has (class, IoU, pointing) of each object, or of the frame for each of its classes."""

    iou: float
    pointing: float
    ciou: float | None
    nsa: float | None
    parts: list[tuple[str, float, float]]


@dataclass(frozen=True)
class Scores:
    """Scores of all frames, and of their parts: the objects, where there are several sources.

    Attributes:
        keys: of the N frames that were scored.
        iou: float64 [N], with the union of the boxes (of Flickr-SoundNet cIoU with the consensus).
        pointing: float64 [N], 1 where the maximum lies in a box; the mean over the objects where several sound.
        ciou: float64 [N], mean IoU over the objects; None if there are not several sources.
        nsa: float64 [N], NaN where no cluster is silent; None if there are not several sources.
        part_frame: int [M], number of the frame that a part is of.
        part_class: its class.
        part_iou: float64 [M].
        part_pointing: float64 [M].
        counts: what was found and what was not.
    """

    keys: tuple[str, ...]
    iou: np.ndarray
    pointing: np.ndarray
    ciou: np.ndarray | None
    nsa: np.ndarray | None
    part_frame: np.ndarray
    part_class: tuple[str, ...]
    part_iou: np.ndarray
    part_pointing: np.ndarray
    counts: Counts

    def by_frame(self) -> dict[str, dict[str, float]]:
        """Key -> the scores of that frame by their names."""
        columns = {"iou": self.iou, "pointing": self.pointing, "ciou": self.ciou, "nsa": self.nsa}
        there = {name: values.tolist() for name, values in columns.items() if values is not None}
        return {key: {name: values[i] for name, values in there.items()} for i, key in enumerate(self.keys)}


def score_run(
    maps: Mapping[str, np.ndarray], a_cluster: int, annotations: Annotations, threshold: float = THRESHOLD
) -> Scores:
    """Score the maps of a run on every annotated frame.

    With several sound clusters and annotations of objects (MUSIC), CIoU, NSA and pointing are of each object's own
    map, while the IoU is that of the pixelwise maximum of the matched maps with the union of the boxes.

    Args:
        maps: key -> float [v_cluster, h, w]; row j < a_cluster is the map of sound cluster j.
        a_cluster: sound clusters.
        annotations: see `metrics.annotations`.
        threshold: part of its maximum from which on a map predicts a pixel.

    Raises:
        UserError: a map has too few rows or values that are not finite, or none has an annotation.
    """
    boxes, counts = match_frames(maps.keys(), annotations)
    several = has_objects(a_cluster, annotations)
    return _gather(_answers(maps, boxes, a_cluster, several, threshold), boxes, annotations, counts)


def score_baselines(
    maps: Mapping[str, np.ndarray],
    annotations: Annotations,
    threshold: float = THRESHOLD,
    seed: int = 10,
    several: bool = False,
) -> dict[str, Scores]:
    """Score what needs no learning on the frames that `score_run` scores.

    Args:
        maps: those of a run; only their keys and the size of their grids matter.
        annotations: see `metrics.annotations`.
        threshold: as of the run.
        seed: of the random map.
        several: score each object too, with the same map for each.

    Returns:
        by the names in `metrics.baselines`.
    """
    boxes, counts = match_frames(maps.keys(), annotations)

    def same(heat: np.ndarray) -> Iterator[tuple[str, Answer]]:
        prediction = predict(heat, threshold)
        answer = Answer(prediction, [prediction] if several else None)
        return ((key, answer) for key in boxes)

    rng = np.random.default_rng(seed)
    noise = {key: random_maps(1, maps[key].shape[1:], rng) for key in boxes}
    return {
        WHOLE_FRAME: _gather(same(whole_frame()), boxes, annotations, counts),
        CENTRED_DISC: _gather(same(centred_disc()), boxes, annotations, counts),
        RANDOM_MAP: _gather(_answers(noise, boxes, 1, several, threshold), boxes, annotations, counts),
    }


def has_objects(a_cluster: int, annotations: Annotations) -> bool:
    """Whether objects are scored one by one: several sounds, and annotations that tell objects apart."""
    return a_cluster > 1 and annotations.format == "music"


def summary(scores: Scores, rows: np.ndarray | None = None) -> dict[str, float | int | None]:
    """The figures of the table, over all frames or those at `rows`."""
    chosen = slice(None) if rows is None else rows
    found = _figures("frames", scores.iou[chosen], scores.pointing[chosen])
    if scores.ciou is not None:
        ciou = scores.ciou[chosen]
        found |= {"ciou": float(ciou.mean()), "ciou_at_0.3": share_at(ciou, 0.3), "ciou_auc": area_under_curve(ciou)}
        nsa = scores.nsa[chosen] if scores.nsa is not None else np.array([])
        nsa = nsa[~np.isnan(nsa)]
        found["nsa"] = float(nsa.mean()) if len(nsa) else None
    return found


def per_video(scores: Scores) -> dict[str, dict[str, float | int | None]]:
    """`summary` of each video, by NAME, sorted."""
    rows: dict[str, list[int]] = {}
    for row, key in enumerate(scores.keys):
        rows.setdefault(parse_frame(key).video, []).append(row)
    return {name: summary(scores, np.array(rows[name])) for name in sorted(rows)}


def per_class(scores: Scores) -> dict[str, dict[str, float | int | None]]:
    """Figures of each class, sorted: of the frames that show it, or, where several sound, of its objects alone."""
    rows: dict[str, list[int]] = {}
    for row, name in enumerate(scores.part_class):
        rows.setdefault(name, []).append(row)
    in_order = sorted(rows, key=lambda name: (0, int(name), name) if name.isdecimal() else (1, 0, name))
    what = "frames" if scores.ciou is None else "objects"
    return {name: _figures(what, scores.part_iou[rows[name]], scores.part_pointing[rows[name]]) for name in in_order}


def _figures(what: str, ious: np.ndarray, hits: np.ndarray) -> dict[str, float | int | None]:
    return {
        what: len(ious),
        "mean_iou": float(ious.mean()),
        "iou_at_0.3": share_at(ious, 0.3),
        "iou_at_0.5": share_at(ious, 0.5),
        "auc": area_under_curve(ious),
        "pointing": float(hits.mean()),
    }


def _answers(
    maps: Mapping[str, np.ndarray], keys: Iterable[str], a_cluster: int, several: bool, threshold: float
) -> Iterator[tuple[str, Answer]]:
    """What the maps of each key say, in batches of maps of the same shape."""
    by_shape: dict[tuple[int, ...], list[str]] = {}
    for key in keys:
        shape = maps[key].shape
        if len(shape) != 3 or shape[0] < a_cluster or 0 in shape:
            raise UserError(f"the map {key!r} has the shape {shape}, too small for {a_cluster} sound clusters")
        if not np.isfinite(maps[key]).all():
            raise UserError(f"the map {key!r} holds values that are no finite numbers")
        by_shape.setdefault(shape, []).append(key)
    for shape, alike in by_shape.items():
        rows = shape[0] if several else a_cluster  # the silent ones count for NSA only
        for start in range(0, len(alike), BATCH):
            batch = alike[start : start + BATCH]
            stack = resized(np.stack([maps[key][:rows] for key in batch]))  # [B, rows, SIZE, SIZE]
            for key, heats in zip(batch, stack, strict=True):
                yield key, _answer(heats, a_cluster, several, threshold)


def _answer(heats: np.ndarray, a_cluster: int, several: bool, threshold: float) -> Answer:
    matched, silent = heats[:a_cluster], heats[a_cluster:]
    whole = predict(matched[0] if a_cluster == 1 else matched.max(0), threshold)
    if not several:
        return Answer(whole)
    sources = [whole] if a_cluster == 1 else [predict(heat, threshold) for heat in matched]
    return Answer(whole, sources, quiet_share(silent) if len(silent) else None)


def _score_frame(answer: Answer, boxes: Boxes, consensus: bool) -> FrameScore:
    whole, sources, nsa = answer
    union = union_mask(boxes.corners)
    frame_iou = consensus_iou(whole.area, consensus_map(boxes.corners)) if consensus else iou(whole.area, union)
    if sources is None:
        hit = pointing(whole.peak, union)
        classes = dict.fromkeys(name or NO_CLASS for name in boxes.classes)
        return FrameScore(frame_iou, hit, None, None, [(name, frame_iou, hit) for name in classes])

    names, corners = zip(*boxes.objects().values(), strict=True)
    masks = [union_mask(own) for own in corners]
    ious = np.array([[iou(source.area, mask) for source in sources] for mask in masks])  # [objects, maps]
    hits = np.array([[pointing(source.peak, mask) for source in sources] for mask in masks])
    chosen = np.zeros(len(masks), int) if len(sources) == 1 else assign(ious)
    own_ious, own_hits = of_assigned(ious, chosen), of_assigned(hits, chosen)
    parts = list(zip(names, own_ious.tolist(), own_hits.tolist(), strict=True))
    return FrameScore(frame_iou, float(own_hits.mean()), float(own_ious.mean()), nsa, parts)


def _gather(
    answers: Iterable[tuple[str, Answer]], boxes: Mapping[str, Boxes], annotations: Annotations, counts: Counts
) -> Scores:
    consensus = annotations.format == "flickr"
    frames = {key: _score_frame(answer, boxes[key], consensus) for key, answer in answers}
    in_order = [frames[key] for key in boxes]
    parts = [(number, *part) for number, frame in enumerate(in_order) for part in frame.parts]
    several = in_order[0].ciou is not None
    return Scores(
        keys=tuple(boxes),
        iou=np.array([frame.iou for frame in in_order]),
        pointing=np.array([frame.pointing for frame in in_order]),
        ciou=np.array([frame.ciou for frame in in_order]) if several else None,
        nsa=np.array([np.nan if frame.nsa is None else frame.nsa for frame in in_order]) if several else None,
        part_frame=np.array([number for number, *_ in parts]),
        part_class=tuple(name for _, name, *_ in parts),
        part_iou=np.array([value for *_, value, _ in parts]),
        part_pointing=np.array([value for *_, value in parts]),
        counts=counts,
    )
