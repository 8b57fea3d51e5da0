"""A run: its ``dmc.pkl``, and the ``dmc.csv`` beside it; and sentences on its frames that are scored."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from common.errors import UserError
from data.dmc_pkl import AUDIO_CHOICES, csv_path, read_distances, read_dmc
from metrics.maps.annotations import Annotations
from metrics.maps.evaluate import Scores
from metrics.maps.matching import Counts


@dataclass(frozen=True)
class Run:
    """The maps of a run, and the distance from each audio cluster to its matched visual cluster."""

    path: Path  # of the dmc.pkl
    maps: dict[str, np.ndarray]  # key -> float32 [v_cluster, h, w]
    distances: dict[str, np.ndarray] | None  # key -> float64 [a_cluster]; None without dmc.csv

    @property
    def audio(self) -> str:
        """The audio of the run, by its name: see `path_for_audio`."""
        last = self.path.stem.rpartition("_")[2]
        return last if last in AUDIO_CHOICES else "own"

    @property
    def a_cluster(self) -> int:
        """Number of audio clusters, and so of matched maps; 1 without ``dmc.csv``."""
        return len(next(iter(self.distances.values()))) if self.distances else 1


def read_run(path: Path) -> Run:
    """Read a ``dmc.pkl`` and the ``dmc.csv`` beside it, if there is one."""
    maps = read_dmc(path)
    if not maps:
        raise UserError(f"{path} contains no maps")
    distances = csv_path(path)
    if not distances.exists():
        return Run(path, maps, None)
    run = Run(path, maps, read_distances(distances))
    if others := run.distances.keys() ^ maps.keys():
        raise UserError(
            f"{distances} is not of {path}: only one of them has {min(others)!r:.100}. Evaluate again, or remove "
            f"{distances}"
        )
    return run


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
