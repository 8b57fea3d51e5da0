"""A run: its ``dmc.pkl``, and the ``dmc.csv`` beside it."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from common.errors import UserError
from data.dmc_pkl import AUDIO_CHOICES, csv_path, read_distances, read_dmc


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
