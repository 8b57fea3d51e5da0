"""A run: its ``dmc.pkl``, the ``dmc.csv`` beside it, and the ROC AUC of its distances against negative audio."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import sklearn.metrics

from common.errors import UserError
from data.dmc_pkl import csv_path, path_for_audio, read_distances, read_dmc
from data.negative_audio import NEGATIVE_AUDIO


@dataclass(frozen=True)
class Run:
    """The maps of a run, and the distance from each audio cluster to its matched visual cluster."""

    path: Path  # of the dmc.pkl
    maps: dict[str, np.ndarray]  # key -> float32 [v_cluster, h, w]
    distances: dict[str, np.ndarray] | None  # key -> float64 [a_cluster]; None without dmc.csv

    @property
    def a_cluster(self) -> int:
        """Number of audio clusters, and so of matched maps; 1 without ``dmc.csv``."""
        return len(next(iter(self.distances.values()))) if self.distances else 1


def read_run(path: Path) -> Run:
    """Read a ``dmc.pkl`` and the ``dmc.csv`` beside it, if there is one."""
    path = Path(path)
    maps = read_dmc(path)
    if not maps:
        raise UserError(f"{path} contains no maps")
    distances = csv_path(path)
    if distances == path:
        raise UserError(f"{path}: name the file of maps, dmc.pkl. The distances are read from the file beside it")
    return Run(path, maps, read_distances(distances) if os.path.lexists(distances) else None)


def negatives(runs: Iterable[Run]) -> list[tuple[Run, str, Run]]:
    """Each run with each of its negative-audio runs: (run, "noise", the same training with noise).

    `location_dmc.py --audio` writes them beside the run. Files of the same name in other folders are other trainings.
    """
    given = {run.path.resolve(): run for run in runs}
    return [
        (run, audio, given[beside])
        for path, run in given.items()
        for audio in NEGATIVE_AUDIO
        if (beside := path_for_audio(path, audio)) in given
    ]


def roc_auc(own: Mapping[str, np.ndarray], other: Mapping[str, np.ndarray]) -> tuple[float, int]:
    """ROC AUC of the distances with own against negative audio, and the number of frames that both runs have.

    It is the probability that a frame is nearer to its own audio than a frame to negative audio; a tie counts half, and
    0.5 is chance. The distance of a frame is D, the root of the sum of squares over its audio clusters.
    """
    shared = [key for key in own if key in other]
    if not shared:
        raise UserError("the two runs share no frame")
    distances = [np.linalg.norm(run[key]) for run in (own, other) for key in shared]
    is_other = np.repeat([0, 1], len(shared))
    return float(sklearn.metrics.roc_auc_score(is_other, distances)), len(shared)
