"""Baselines that know more than the frame: where objects are in general, and where they are in training.

A method that is below one of them in a figure has not earned this figure by listening.
"""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import numpy as np

from data.dmc_pkl import read_dmc
from data.layout import list_path, object_prior_file
from data.lists import read_list
from metrics.maps.annotations import Annotations
from metrics.maps.figures import Figures
from metrics.maps.scores import count_boxes
from metrics.table import FIGURES

OBJECT_PRIOR = "object prior"
TRAINING_BOXES = "training boxes (uses labels)"
NO_MERITS = ("frames", "objects", "area_ratio", "nsa")  # figures of which more is not better
BELOW_MARK = "*"  # behind the name of a run that is below a baseline


def learned_baselines(
    data_dir: Path, keys: Collection[str], annotations: Annotations
) -> dict[str, dict[str, np.ndarray]]:
    """Baseline -> maps [1, h, w] of the frames `keys`, as far as the data set has what they need."""
    found = {}
    path = object_prior_file(data_dir)
    if path.exists():
        prior = read_dmc(path)
        if missing := sum(key not in prior for key in keys):
            print(f"{path} lacks {missing} of {len(keys)} frames, so it is no baseline: run metrics/object_prior.py")
        else:
            found[OBJECT_PRIOR] = {key: prior[key] for key in keys}
    training_list = list_path(data_dir, "train")
    names = set(read_list(training_list)) if training_list.exists() else set()
    truths = [*((frame.video, one) for frame, one in annotations.frames.items()), *annotations.clips.items()]
    boxes = [box for name, one in truths if name in names for box in one.corners]
    if boxes:
        counts = count_boxes(boxes)
        found[TRAINING_BOXES] = dict.fromkeys(keys, (counts / counts.max()).astype(np.float32)[None])
    return found


def better_baselines(run: Figures, baselines: Mapping[str, Figures]) -> dict[str, list[str]]:
    """The figures in which a run is below a baseline: baseline -> figures."""
    found = {
        name: [
            figure for figure, value in figures.items()
            if figure not in NO_MERITS and isinstance(value, float) and (run.get(figure) or 0) < value
        ]
        for name, figures in baselines.items()
    }  # fmt: skip
    return {name: figures for name, figures in found.items() if figures}


def below_text(path: str, below: Mapping[str, Sequence[str]]) -> str:
    """A sentence on the result of `better_baselines`."""
    parts = [f"{name} in {', '.join(map(FIGURES.get, figures))}" for name, figures in below.items()]
    return f"{BELOW_MARK} {path} is below {'; '.join(parts)}."
