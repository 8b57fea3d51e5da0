"""Sentences on the frames that are scored."""

from data.dmc_pkl import csv_path
from metrics.annotations import Annotations
from metrics.evaluate import Scores
from metrics.matching import Counts
from metrics.runs import Run


def frames_text(runs: dict[str, Run], scores: dict[str, Scores], annotations: Annotations) -> list[str]:
    """Lines on the scored frames: one for all runs, or one for each run if they differ."""
    lines = [
        f"There is no {csv_path(run.path)}: {name} counts as maps of one audio cluster."
        for name, run in runs.items()
        if run.distances is None
    ]
    first, *others = scores.values()
    if all(other.frames.keys() == first.frames.keys() and other.counts == first.counts for other in others):
        return [*lines, _count_text(first.counts, annotations)]
    lines.append(f"The runs differ in their frames. The baselines use the frames of {next(iter(runs))}.")
    return [*lines, *(f"{name}: {_count_text(one.counts, annotations)}" for name, one in scores.items())]


def _count_text(counts: Counts, annotations: Annotations) -> str:
    text = f"{counts.frames_scored} frames scored"
    if annotations.format == "music":
        text += f", {counts.matched_by_rank} of them matched by rank within the second"
    text += (
        f"; {counts.annotations_without_map} annotations without a map, "
        f"{counts.maps_without_annotation} maps without an annotation"
    )
    if counts.annotated_without_box:
        text += f"; {counts.annotated_without_box} annotated without a box, not scored"
    more = []
    if counts.annotations_between_frames:
        more.append(f"{counts.annotations_between_frames} annotated frames between the extracted frames")
    if counts.videos_without_map:
        more.append(f"{counts.videos_without_map} videos without any map")
    return f"{text}." + (f" {annotations.path} also contains {' and '.join(more)}." if more else "")
