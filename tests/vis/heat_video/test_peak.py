"""The peak of a map and its box, against hand-made maps."""

import numpy as np
import pytest

from vis.heat_video.peak import find_peak


def bump(size: int, x: float, y: float, width: float) -> np.ndarray:
    """A round bump in a map of size x size cells; all in fractions of the picture."""
    at = (np.arange(size) + 0.5) / size
    return np.exp(-((at[None] - x) ** 2 + (at[:, None] - y) ** 2) / (2 * width**2)).astype(np.float32)


@pytest.mark.parametrize(("x", "y"), [(0.5, 0.5), (0.2, 0.7), (0.83, 0.31)])
def test_peak_and_box_of_a_bump_are_where_it_is(x, y):
    found = find_peak(bump(36, x, y, 0.08))
    assert found.peak == pytest.approx((x, y), abs=0.02)
    half = 0.08 * np.sqrt(2 * np.log(2))  # where it has fallen to half
    assert found.box == pytest.approx((x - half, y - half, x + half, y + half), abs=0.02)


def test_the_box_leaves_out_a_second_region_that_does_not_touch_the_first():
    heat = bump(36, 0.2, 0.2, 0.06) + 0.8 * bump(36, 0.8, 0.8, 0.06)
    assert max(find_peak(heat).box) < 0.35
    joined = np.maximum(heat, 0.7 * np.tri(36, k=1, dtype=np.float32) * np.tri(36, k=1, dtype=np.float32).T)  # a bridge
    assert max(find_peak(joined).box) > 0.8


def test_the_peak_of_a_plateau_is_in_its_midst():
    heat = np.zeros((28, 28), np.float32)
    heat[4:20, 8:16] = 1
    assert find_peak(heat).peak == pytest.approx((12 / 28, 12 / 28), abs=0.01)


def test_the_peak_lies_in_what_is_hot_also_where_a_hole_is_in_its_midst():
    ring = bump(56, 0.5, 0.5, 0.2) - bump(56, 0.5, 0.5, 0.12)
    ring = ring.clip(min=0) / ring.max()
    x, y = find_peak(ring).peak
    assert ring[int(y * 56), int(x * 56)] >= 0.5


def test_a_map_at_the_edge_keeps_its_box_inside_the_picture():
    found = find_peak(bump(9, 0.0, 1.0, 0.1))
    assert found.box[0] == 0 and found.box[3] == 1 and min(found.box) >= 0 and max(found.box) <= 1


def test_an_empty_map_has_neither():
    assert find_peak(np.zeros((9, 9), np.float32)) is None
