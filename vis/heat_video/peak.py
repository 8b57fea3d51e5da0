"""The peak of a map and the box around it."""

from typing import Any, NamedTuple

import numpy as np
from scipy import ndimage

from metrics.maps.protocol import OURS
from metrics.maps.scores import SIZE, predict, resized

NEAR_MAXIMUM = 0.98  # values of at least this part of the maximum count as maximal
BLUR = 1 / 28  # of the sides of the frame: half a cell of a map of 14 x 14
DIGITS = 4  # of fractions in the JSON file


class Peak(NamedTuple):
    """The peak of a map, x, y, and the box of its region, x1, y1, x2, y2, as fractions of the frame."""

    peak: tuple[float, float]
    box: tuple[float, float, float, float]

    def as_json(self) -> dict[str, Any]:
        """The peak for the JSON file. Its box is x, y, width, height, as in ``boxes.json``."""
        x1, y1, x2, y2 = self.box
        box = (x1, y1, x2 - x1, y2 - y1)
        return {"peak": [round(value, DIGITS) for value in self.peak], "normbox": [round(side, DIGITS) for side in box]}


def find_peak(heat: np.ndarray) -> Peak | None:
    """The peak of a map, float [h, w], and the box of the connected predicted region around it. None for zeros.

    Maps are often flat near their maximum, so that its place jumps from frame to frame. The peak is therefore the
    middle of the largest values of the slightly blurred map.
    """
    area, _ = predict(resized(heat), OURS.threshold)
    if not area.any():
        return None
    blurred = np.where(area, resized(ndimage.gaussian_filter(heat, [side * BLUR for side in heat.shape])), 0)
    y, x = _middle(blurred >= NEAR_MAXIMUM * blurred.max())
    regions, _ = ndimage.label(area)
    rows, columns = ndimage.find_objects(regions)[regions[y, x] - 1]
    box = (columns.start, rows.start, columns.stop, rows.stop)
    return Peak(((x + 0.5) / SIZE, (y + 0.5) / SIZE), tuple(edge / SIZE for edge in box))


def _middle(area: np.ndarray) -> tuple[int, int]:
    """Row and column of the pixel of an area that is nearest to its centroid."""
    pixels = np.argwhere(area)
    y, x = pixels[np.square(pixels - pixels.mean(0)).sum(1).argmin()]
    return int(y), int(x)
