"""The peak of a map and its box, against hand-made maps."""

import numpy as np
import pytest

from vis.heat_video.peak import find_peak


def bump(size: int, x: float, y: float, width: float) -> np.ndarray:
    """A round bump in a map of size x size cells; all in fractions of the frame."""
    at = (np.arange(size) + 0.5) / size
    return np.exp(-((at[None] - x) ** 2 + (at[:, None] - y) ** 2) / (2 * width**2)).astype(np.float32)


@pytest.mark.parametrize(("x", "y"), [(0.5, 0.5), (0.2, 0.7), (0.83, 0.31)])
def test_peak_and_box_lie_on_a_bump(x, y):
    found = find_peak(bump(36, x, y, 0.08))
    assert found.peak == pytest.approx((x, y), abs=0.02)
    half = 0.08 * np.sqrt(2 * np.log(2))  # half of the maximum
    assert found.box == pytest.approx((x - half, y - half, x + half, y + half), abs=0.02)


def test_the_box_is_of_the_connected_region_only():
    heat = bump(36, 0.2, 0.2, 0.06) + 0.8 * bump(36, 0.8, 0.8, 0.06)
    assert max(find_peak(heat).box) < 0.35
    joined = np.maximum(heat, 0.7 * np.tri(36, k=1, dtype=np.float32) * np.tri(36, k=1, dtype=np.float32).T)  # a bridge
    assert max(find_peak(joined).box) > 0.8


def test_the_peak_of_a_plateau_is_its_middle():
    heat = np.zeros((28, 28), np.float32)
    heat[4:20, 8:16] = 1
    assert find_peak(heat).peak == pytest.approx((12 / 28, 12 / 28), abs=0.01)


def test_the_peak_of_a_ring_lies_on_the_ring():
    ring = bump(56, 0.5, 0.5, 0.2) - bump(56, 0.5, 0.5, 0.12)
    ring = ring.clip(min=0) / ring.max()
    x, y = find_peak(ring).peak
    assert ring[int(y * 56), int(x * 56)] >= 0.5


def test_the_box_stays_inside_the_frame():
    found = find_peak(bump(9, 0.0, 1.0, 0.1))
    assert found.box[0] == 0 and found.box[3] == 1 and min(found.box) >= 0 and max(found.box) <= 1


def test_an_empty_map_has_no_peak():
    assert find_peak(np.zeros((9, 9), np.float32)) is None
