"""The frames of a run as programs show them: which there are, their pixels, and their boxes and scores."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from common.cli import command
from common.errors import SampleError, UserError
from data.layout import boxes_file, frame_file, video_frames_dir
from data.read import open_frame
from metrics.maps.annotations import KEY_FORM, Annotations, Boxes, Frame, parse_frame, read_annotations
from metrics.maps.evaluate import Scores, score_run
from metrics.maps.matching import match_frames
from metrics.maps.runs import Run


@dataclass(frozen=True)
class ScoredFrames:
    """Boxes and scores of the annotated frames of a run."""

    boxes: dict[str, Boxes] = field(default_factory=dict)  # key -> boxes
    scores: dict[str, dict[str, float]] = field(default_factory=dict)  # key -> name -> score
    annotations: Annotations | None = None  # where the boxes come from. None without scores.
    run_scores: Scores | None = None  # the scores of the whole run. None without scores.
    reason: str = ""  # why there are no scores


def score_frames(run: Run, boxes: Path | None, data_dir: Path, needed_by: str = "") -> ScoredFrames:
    """Score the frames of a run with the boxes that the user named, else with ``boxes.json`` of the data set.

    Raises:
        UserError: there are no scores although the user named boxes or an option, `needed_by`, that needs them.
    """
    path = boxes or boxes_file(data_dir)
    if boxes is None and not path.exists():
        if needed_by:
            raise UserError(f"{needed_by} needs boxes, and there is no {path}: name a file with --boxes")
        return ScoredFrames(reason=f"There is no {path}. Name another file of boxes with --boxes.")
    annotations = read_annotations(path)
    try:
        scores = score_run(run.maps, run.a_cluster, annotations)
        frame_boxes, _ = match_frames(run.maps.keys(), annotations, scores.protocol.second)
    except UserError as error:
        if boxes or needed_by:
            raise UserError(f"{run.path}: {error}") from error
        return ScoredFrames(reason=f"These maps cannot be scored: {error}.")
    return ScoredFrames(frame_boxes, scores.by_frame(), annotations, scores)


def boxes_of_set(data_dir: Path) -> dict[Frame, Boxes]:
    """The boxes in ``boxes.json`` of a data set, if there is one."""
    path = boxes_file(data_dir)
    return read_annotations(path).frames if path.exists() else {}


def main_score(scores: dict[str, float]) -> float:
    """The score that ranks frames: CIoU if several sources sound, else IoU."""
    return scores.get("ciou", scores["iou"])


def frames_of(run: Run) -> dict[str, Frame]:
    """The frame of each key."""
    frames = {key: parse_frame(key) for key in run.maps}
    if wrong := [key for key, frame in frames.items() if frame is None]:
        raise UserError(f"{run.path}: the key {wrong[0]!r:.100} does not have the form {KEY_FORM}")
    return frames


def read_frame(frame: Frame, data_dir: Path) -> np.ndarray:
    """The pixels of a frame, uint8 [H, W, 3]."""
    path = video_frames_dir(data_dir) / frame.video / frame_file(frame.second, frame.index)
    if not path.exists():
        folder = path.parent.parent  # cut_video.py skips a video whose folder exists
        cutting = f"delete {folder} and run" if folder.exists() else "run"
        remedy = f"{cutting} {command('data/cut_video.py', data_dir)}, or name the data set of the maps with --data_dir"
        raise SampleError(f"the frame {path} does not exist: {remedy}")
    return np.asarray(open_frame(path))


def v_cluster_of(run: Run) -> int:
    """The number of maps of a frame."""
    return len(next(iter(run.maps.values())))


def require_drawable(maps: np.ndarray, run: Run) -> None:
    """Raise SampleError if the maps of a frame cannot be drawn."""
    if len(maps) < run.a_cluster or 0 in maps.shape:
        raise SampleError(f"its maps have the shape {maps.shape}, too small for {run.a_cluster} audio clusters")
    if len(maps) != v_cluster_of(run):
        raise SampleError(f"it has {len(maps)} maps, but the first frame has {v_cluster_of(run)}")
    if not np.isfinite(maps).all():
        raise SampleError("its maps have values that are not finite")


def map_titles(run: Run) -> list[str]:
    """A title for each map of a frame."""
    others = [f"map {number}" for number in range(run.a_cluster, v_cluster_of(run))]
    matched = [f"map of sound {number}" for number in range(run.a_cluster)]
    return [*(matched if run.a_cluster > 1 else ["matched map"]), *others]
