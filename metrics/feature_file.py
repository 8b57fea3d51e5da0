"""``features.npz``: what a network gives for each second of some clips, beside what baselines give."""

from pathlib import Path
from typing import NamedTuple
from zipfile import BadZipFile

import numpy as np

from common.atomic import atomic_file
from common.errors import UserError


class Features(NamedTuple):
    """The arrays of the file; a row for each second."""

    names: np.ndarray  # str [n], of the clip or video
    seconds: np.ndarray  # int [n], number of the second within the clip
    labels: np.ndarray  # str [n], class of the clip, "" if it has none
    folds: np.ndarray  # int [n], published fold of the clip, 0 if there are none
    features: np.ndarray  # float32 [n, D], of the backbone, averaged over their positions
    centers: np.ndarray  # float32 [n, K, 512], of the clusters
    random: np.ndarray  # float32 [n, D], like `features`, of the same network with random weights
    statistics: np.ndarray  # float32 [n, C], mean and std of each mel band over time, or of each color over the frame


def write_features(path: Path, features: Features) -> None:
    """Write the file, whole or not at all."""
    with atomic_file(path) as partial, partial.open("wb") as file:
        np.savez(file, **features._asdict())


def read_features(path: Path) -> Features:
    """Read the file."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return Features(**{name: arrays[name] for name in Features._fields})
    except (OSError, ValueError, KeyError, EOFError, TypeError, AttributeError, BadZipFile) as error:
        raise UserError(f"{path} is no features.npz of metrics/features.py ({error})") from error
