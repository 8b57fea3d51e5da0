"""Does the heat leave an object that rests, and when? For sets whose objects play and rest in turn.

``boxes.json`` of `data/make_demo.py --pauses 1` has the boxes of what sounds at a frame, and of what rests. The heat of
an object is the mean of the map in its box.
"""

from collections import defaultdict
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from data.lists import identity_of
from metrics.maps.annotations import Annotations, parse_frame
from metrics.maps.figures import Figures, with_intervals
from metrics.maps.matching import FRAMES_PER_SECOND
from metrics.maps.scores import resized, union_mask

LAGS = range(-FRAMES_PER_SECOND, FRAMES_PER_SECOND + 1)  # that are tried for the delay, in extracted frames

Times = dict[int, "Moment"]  # by the number of the extracted frame: 4 of a second


class Moment(NamedTuple):
    """An object in a frame."""

    heat: float
    sounds: bool


def follow(maps: Mapping[str, np.ndarray], a_cluster: int, annotations: Annotations, seed: int) -> Figures:
    """The figures of a run over all objects that both sound and rest, with "intervals" over videos.

    silent_heat: the mean heat of resting objects, as a multiple of that of sounding ones. 0: it always leaves them.
    1: the maps do not depend on what sounds.
    delay: the shift in seconds by which the heat best follows the sound, and the correlation at this shift. If that is
    near 0, the heat does not follow it, and the delay means nothing.
    """
    objects = {
        name: times
        for name, times in _objects(maps, a_cluster, annotations).items()
        if len({moment.sounds for moment in times.values()}) == 2
    }
    if not objects:
        return {"objects": 0}
    sums = np.array([_sums(times) for times in objects.values()])
    videos = np.unique([identity_of(video) for video, _ in objects], return_inverse=True)[1]
    by_video = np.zeros((videos.max() + 1, sums.shape[1]))
    np.add.at(by_video, videos, sums)
    return {"objects": len(objects), **with_intervals(lambda weights: _figures(weights @ by_video), videos, seed)}


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
    ranks: dict[tuple[str, int], int] = defaultdict(int)
    found = {}
    for key in sorted(maps, key=parse_frame):
        video, second, _ = parse_frame(key)
        found[key] = FRAMES_PER_SECOND * second + ranks[video, second]
        ranks[video, second] += 1
    return found


def _sums(times: Times) -> list[float]:
    """What the figures need of an object: heat and number of its moments, resting and sounding, and for each lag the
    products of the heat with the sound `lag` frames before, of the heat, and of the sound.

    Objects differ in their heat: that one is hotter than another says nothing about time. So all are about their means.
    """
    heat, sounds = np.array([*times.values()]).T
    found = [heat @ (1 - sounds), (1 - sounds).sum(), heat @ sounds, sounds.sum()]
    for lag in LAGS:
        pairs = np.array([(times[n].heat, times[n - lag].sounds) for n in times if n - lag in times] or [(0, 0)])
        heat, sounds = (pairs - pairs.mean(0)).T
        found += [heat @ sounds, heat @ heat, sounds @ sounds]
    return found


def _figures(sums: np.ndarray) -> dict[str, np.ndarray]:
    """The figures [R] from the sums [R, 4 + 3 * lags] of resamples."""
    resting, sounding = sums[:, 0] / sums[:, 1], sums[:, 2] / sums[:, 3]
    products, heat, sound = np.moveaxis(sums[:, 4:].reshape(len(sums), len(LAGS), 3), 2, 0)
    size = np.sqrt(heat * sound)
    correlations = np.divide(products, size, out=np.zeros_like(size), where=size > 0)  # [R, lags]
    return {
        "silent_heat": np.divide(resting, sounding, out=np.full_like(resting, np.nan), where=sounding > 0),
        "delay": np.array(LAGS)[correlations.argmax(1)] / FRAMES_PER_SECOND,
        "delay_correlation": correlations.max(1),
    }
