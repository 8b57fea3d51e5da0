"""A run: its ``dmc.pkl``, the ``dmc.csv`` beside it, and the ROC AUC of its distances against negative audio."""

import csv
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import sklearn.metrics

from common.errors import UserError
from data.dmc_pkl import csv_path, path_for_audio, read_dmc
from data.negative_audio import AUDIO_CHOICES

NEGATIVES = tuple(audio for audio in AUDIO_CHOICES if audio != "own")


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
    """Read a ``dmc.pkl`` and the ``dmc.csv`` beside it, if there is one.

    Raises:
        UserError: a file cannot be read or is malformed, or there are no maps.
    """
    path = Path(path)
    maps = read_dmc(path)
    if not maps:
        raise UserError(f"{path} contains no maps")
    distances = csv_path(path)
    if distances == path:
        raise UserError(f"{path}: name the file of maps, dmc.pkl. The distances are read from the file beside it")
    return Run(path, maps, read_distances(distances) if os.path.lexists(distances) else None)


def read_distances(path: Path) -> dict[str, np.ndarray]:
    """Read a ``dmc.csv``: key -> float64 [a_cluster].

    Raises:
        UserError: the file cannot be read or is malformed. The message names the line.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            lines = list(csv.reader(file))
    except OSError as error:
        raise UserError(f"the distances {path} cannot be read ({error.strerror})") from error
    except (ValueError, csv.Error) as error:
        raise UserError(f"{path} is not CSV ({error})") from error
    header = lines[0] if lines else []
    if len(header) < 2 or header != ["key", *(f"distance_{j}" for j in range(len(header) - 1))]:
        raise UserError(f"{path} does not begin with the line key,distance_0,...")
    if len(lines) == 1:
        raise UserError(f"{path} contains no distances")
    distances: dict[str, np.ndarray] = {}
    for number, (key, *texts) in ((number, line) for number, line in enumerate(lines[1:], 2) if line):
        try:
            row = np.array([float(text) for text in texts])
        except ValueError as error:
            raise UserError(f"{path}, line {number} ({key}): {error}") from error
        if len(row) != len(header) - 1 or not np.isfinite(row).all():
            raise UserError(f"{path}, line {number} ({key}): expected {len(header) - 1} finite distances")
        distances[key] = row
    return distances


def negatives(paths: Sequence[Path]) -> dict[Path, dict[str, Path]]:
    """The negative-audio runs of each run: ``{dmc.pkl: {"noise": dmc_noise.pkl}}``. Runs without any are left out.

    `location_dmc.py --audio` writes them beside the run. Files of the same name in other folders are other trainings.
    """
    given = {Path(path).resolve(): Path(path) for path in paths}
    found: dict[Path, dict[str, Path]] = {}
    for path, own in given.items():
        beside = {audio: path_for_audio(path, audio) for audio in NEGATIVES}
        if present := {audio: given[other] for audio, other in beside.items() if other in given}:
            found[own] = present
    return found


def roc_auc(own: Mapping[str, np.ndarray], other: Mapping[str, np.ndarray]) -> tuple[float, int]:
    """ROC AUC of the distances with own against negative audio, and the number of frames that both runs have.

    It is the probability that a frame is nearer to its own audio than a frame to negative audio; a tie counts half, and
    0.5 is chance. The distance of a frame is D, the root of the sum of squares over its audio clusters.

    Args:
        own: key -> [a_cluster], distances with the own audio.
        other: key -> [a_cluster], distances with negative audio.

    Raises:
        UserError: no frame is in both.
    """
    shared = [key for key in own if key in other]
    if not shared:
        raise UserError("the two runs share no frame")
    distances = [np.linalg.norm(run[key]) for run in (own, other) for key in shared]
    is_other = np.repeat([0, 1], len(shared))
    return float(sklearn.metrics.roc_auc_score(is_other, distances)), len(shared)
