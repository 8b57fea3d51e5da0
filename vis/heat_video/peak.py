"""Where a map is hottest: its peak, and the box around the region that belongs to it."""

from typing import NamedTuple

import numpy as np
from scipy import ndimage

from metrics.evaluate import THRESHOLD
from metrics.scores import SIZE, predict, resized

TOP = 0.98  # part of the maximum that is as good as it
BLUR = 1 / 28  # of the picture's sides: half a cell of a map of 14 x 14


class Peak(NamedTuple):
    """Where a map is hottest, in fractions of the picture.

    Attributes:
        peak: x, y.
        box: x1, y1, x2, y2, of the region around the peak.
    """

    peak: tuple[float, float]
    box: tuple[float, float, float, float]


def find_peak(heat: np.ndarray) -> Peak | None:
    """The peak, and the box of what a score counts as predicted and hangs together with it. None of an empty map.

    Maps are often flat where they are hottest, and their maximum leaps about there from frame to frame. The peak is in
    the midst of what is hottest in the map a little blurred.

    Args:
        heat: float [h, w], 0 or more.
    """
    area, _ = predict(resized(heat), THRESHOLD)
    if not area.any():
        return None
    blurred = np.where(area, resized(ndimage.gaussian_filter(heat, [side * BLUR for side in heat.shape])), 0)
    y, x = _midst(blurred >= TOP * blurred.max())
    regions, _ = ndimage.label(area)
    rows, columns = (np.flatnonzero((regions == regions[y, x]).any(axis)) for axis in (1, 0))
    box = (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)
    return Peak(((x + 0.5) / SIZE, (y + 0.5) / SIZE), tuple(float(edge) / SIZE for edge in box))


def _midst(area: np.ndarray) -> tuple[int, int]:
    """Row and column of the pixel of an area that is nearest to its middle."""
    places = np.argwhere(area)
    y, x = places[np.square(places - places.mean(0)).sum(1).argmin()]
    return int(y), int(x)
