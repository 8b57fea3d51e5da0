"""Does the heat leave an object that rests, and when? For sets whose objects play and rest in turn.

``boxes.json`` of `data/make_demo.py --pauses 1` has the boxes of what sounds at a frame, and of what rests. The heat of
an object is the mean of the map in its box.
"""

from collections import defaultdict
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from metrics.annotations import Annotations, Frame, parse_frame
from metrics.figures import Figures
from metrics.matching import FRAMES_PER_SECOND
from metrics.scores import resized, union_mask

LAGS = range(-FRAMES_PER_SECOND, FRAMES_PER_SECOND + 1)  # that are tried for the delay, in extracted frames

Times = dict[int, "Moment"]  # by the number of the extracted frame: 4 of a second


class Moment(NamedTuple):
    """An object in a frame."""

    heat: float
    sounds: bool


def follow(maps: Mapping[str, np.ndarray], a_cluster: int, annotations: Annotations) -> Figures:
    """The figures of a run over all objects that both sound and rest.

    silent_heat: the mean heat of resting objects, as a multiple of that of sounding ones. 0: it always leaves them.
    1: the maps do not depend on what sounds.
    delay: the shift in seconds by which the heat best follows the sound, and the correlation at this shift. If that is
    near 0, the heat does not follow it, and the delay means nothing.
    """
    objects = [times for times in _objects(maps, a_cluster, annotations).values() if _changes(times)]
    if not objects:
        return {"objects": 0}
    moments = [moment for times in objects for moment in times.values()]
    resting, sounding = (
        np.mean([moment.heat for moment in moments if moment.sounds == sounds]) for sounds in (False, True)
    )
    correlations = {lag: _correlation(objects, lag) for lag in LAGS}
    best = max(LAGS, key=lambda lag: correlations[lag])
    return {
        "objects": len(objects),
        "silent_heat": float(resting / sounding) if sounding else None,
        "delay": best / FRAMES_PER_SECOND,
        "delay_correlation": correlations[best],
    }


def _objects(maps: Mapping[str, np.ndarray], a_cluster: int, annotations: Annotations) -> dict[tuple[str, str], Times]:
    """The moments of each object, by its video and class."""
    found: dict[tuple[str, str], Times] = defaultdict(dict)
    for key, number in _numbered(maps).items():
        heat = resized(maps[key][:a_cluster]).max(0)
        frame = parse_frame(key)
        for boxes, sounds in ((annotations.frames.get(frame), True), (annotations.resting.get(frame), False)):
            for name, corners in boxes.objects() if boxes else ():
                found[frame.video, name][number] = Moment(float(heat[union_mask(corners)].mean()), sounds)
    return found


def _numbered(maps: Mapping[str, np.ndarray]) -> dict[str, int]:
    """The number of each frame in its video: of second 13, the k-th extracted frame has 4 * 13 + k."""
    seconds: dict[tuple[str, int], list[tuple[Frame, str]]] = defaultdict(list)
    for key in maps:
        frame = parse_frame(key)
        seconds[frame.video, frame.second].append((frame, key))
    return {
        key: FRAMES_PER_SECOND * second + rank
        for (_, second), frames in seconds.items()
        for rank, (_, key) in enumerate(sorted(frames))
    }


def _changes(times: Times) -> bool:
    return len({moment.sounds for moment in times.values()}) == 2


def _correlation(objects: list[Times], lag: int) -> float:
    """Correlation of the heat with the sound `lag` frames before, of all objects, each about its own means; 0 of none.

    Objects differ in their heat: that one is hotter than another says nothing about time.
    """
    pairs = []
    for times in objects:
        own = np.array([(times[n].heat, times[n - lag].sounds) for n in times if n - lag in times])
        pairs.extend(own - own.mean(0) if len(own) else ())
    heat, sound = np.array(pairs).T if pairs else np.zeros((2, 1))
    size = np.linalg.norm(heat) * np.linalg.norm(sound)
    return float(heat @ sound / size) if size else 0.0
