"""Several things that sound: which map is whose, how well each is shown, and how quiet the maps of the rest are.

CIoU (Hu et al., "Discriminative Sounding Objects Localization via Self-supervised Audiovisual Matching", NeurIPS 2020)
is the mean IoU over the sounding objects of a frame, each with its own map. There a map is of a class, and the class
says whose it is; clusters have no class, so here each object takes the map that makes the mean the largest.

NSA, from the same paper, is the share of the area below 0.2 in the maps of what is silent. The assignments of a frame
sum to 1 over its clusters, so the map of its background is high wherever nothing sounds, by construction: NSA here is
not to be compared with that published for class maps.
"""

import numpy as np
from scipy.optimize import linear_sum_assignment

QUIET = 0.2  # absolute, not a part of the maximum


def assign(ious: np.ndarray) -> np.ndarray:
    """The one-to-one match of objects and maps with the largest sum of IoU.

    Args:
        ious: [objects, maps].

    Returns:
        int [objects], the map of each object, -1 for one that is left without.
    """
    chosen = np.full(len(ious), -1)
    objects, maps = linear_sum_assignment(ious, maximize=True)
    chosen[objects] = maps
    return chosen


def of_assigned(values: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Each object's value with its own map, 0 for an object without one.

    Args:
        values: [objects, maps].
        chosen: int [objects], see `assign`.
    """
    own = values[np.arange(len(values)), chosen]
    return np.where(chosen >= 0, own, 0.0)


def quiet_share(silent: np.ndarray) -> float:
    """NSA of a frame: share of the pixels below 0.2 in its silent maps.

    Args:
        silent: float [maps, H, W], at least one map.
    """
    return np.count_nonzero(silent < QUIET) / silent.size
