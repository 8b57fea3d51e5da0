"""One run: its ``dmc.pkl``, the ``dmc.csv`` beside it, and how well its distances tell own sounds from others."""

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

NEGATIVES = tuple(
    sound for sound in AUDIO_CHOICES if sound != "own"
)  # what `location_dmc.py --audio` puts in its place


@dataclass(frozen=True)
class Run:
    """What a run left.

    Attributes:
        path: of its ``dmc.pkl``.
        maps: key -> float32 [v_cluster, h, w].
        distances: key -> float64 [a_cluster], how far each sound cluster is from its map's; None without ``dmc.csv``.
    """

    path: Path
    maps: dict[str, np.ndarray]
    distances: dict[str, np.ndarray] | None

    @property
    def a_cluster(self) -> int:
        """Sound clusters, and so the number of maps that are matched to one; 1 if no ``dmc.csv`` says so."""
        return len(next(iter(self.distances.values()))) if self.distances else 1


def read_run(path: Path) -> Run:
    """Read a ``dmc.pkl`` and, where there is one, the ``dmc.csv`` beside it.

    Raises:
        UserError: one of them is unreadable or malformed, or there are no maps.
    """
    path = Path(path)
    maps = read_dmc(path)
    if not maps:
        raise UserError(f"{path} holds no maps")
    beside = csv_path(path)
    if beside == path:
        raise UserError(f"{path}: give the file of maps, dmc.pkl; the distances are read from the file beside it")
    return Run(path, maps, read_distances(beside) if os.path.lexists(beside) else None)


def read_distances(path: Path) -> dict[str, np.ndarray]:
    """Read a ``dmc.csv``: key -> float64 [a_cluster].

    Raises:
        UserError: it is unreadable or malformed; the text names the line.
    """
    try:
        with Path(path).open(newline="", encoding="utf-8") as file:
            lines = list(csv.reader(file))
    except OSError as error:
        raise UserError(f"the distances {path} cannot be read ({error.strerror})") from error
    except (ValueError, csv.Error) as error:
        raise UserError(f"{path} is no CSV ({error})") from error
    header = lines[0] if lines else []
    if len(header) < 2 or header != ["key", *(f"distance_{j}" for j in range(len(header) - 1))]:
        raise UserError(f"{path} does not begin with the line key,distance_0,...")
    if len(lines) == 1:
        raise UserError(f"{path} holds no distances")
    distances: dict[str, np.ndarray] = {}
    for number, (key, *texts) in ((number, line) for number, line in enumerate(lines[1:], 2) if line):
        try:
            row = np.array([float(text) for text in texts])
        except ValueError as error:
            raise UserError(f"{path}, line {number} ({key}): {error}") from error
        if len(row) != len(header) - 1 or not np.isfinite(row).all():
            raise UserError(f"{path}, line {number} ({key}): there are not {len(header) - 1} finite distances")
        distances[key] = row
    return distances


def negatives(paths: Sequence[Path]) -> dict[Path, dict[str, Path]]:
    """Which of several runs are another one's with other sounds: ``{dmc.pkl: {"noise": dmc_noise.pkl}}``.

    They lie where `location_dmc.py --audio` puts them: folders of trainings hold files of the same names. Runs that
    none of the others is of are left out.
    """
    given = {Path(path).resolve(): Path(path) for path in paths}
    found: dict[Path, dict[str, Path]] = {}
    for path, own in given.items():
        beside = {audio: path_for_audio(path, audio) for audio in NEGATIVES}
        if its := {audio: given[other] for audio, other in beside.items() if other in given}:
            found[own] = its
    return found


def roc_auc(own: Mapping[str, np.ndarray], other: Mapping[str, np.ndarray]) -> tuple[float, int]:
    """How often a frame's own sound is nearer to it than another sound to one (a tie counts half): area under the ROC.

    The distance of a frame is D, the root of the sum of the squares over its sound clusters; frames of both files only.

    Args:
        own: key -> [a_cluster], distances with the own sounds.
        other: the same with other sounds.

    Returns:
        the area, 0.5 for distances that tell nothing, and the number of frames.

    Raises:
        UserError: no frame is in both.
    """
    shared = [key for key in own if key in other]
    if not shared:
        raise UserError("the two runs share no frame")
    distances = [np.linalg.norm(run[key]) for run in (own, other) for key in shared]
    is_other = np.repeat([0, 1], len(shared))
    return float(sklearn.metrics.roc_auc_score(is_other, distances)), len(shared)
