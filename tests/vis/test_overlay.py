"""Maps and boxes over frames: the color lies on the maximum, and a box lies on its edges."""

import matplotlib
import numpy as np
import pytest
import torch
from torch.nn.functional import interpolate

from vis.overlay import BLACK, END_OF_COLORMAP, STRENGTH, WHITE, color_table, colorize, draw_boxes, overlay, relative

SIZES = [(256, 341), (97, 240), (16, 9)]  # a landscape, a strip, hardly more than the map


def noise(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3)).astype(np.uint8)


@pytest.mark.parametrize(("height", "width"), SIZES)
@pytest.mark.parametrize("colormap", ["jet", "autumn"])
def test_an_overlay_is_the_weighted_mean_of_frame_and_color_and_zeros_change_nothing(height, width, colormap):
    frame = noise(height, width)
    heat = np.random.default_rng(1).uniform(-1, 1, (9, 7)).clip(0).astype(np.float32)
    heat[-5:] = 0
    level = interpolate(torch.tensor(heat)[None, None].double(), (height, width), mode="bilinear")[0, 0].numpy()
    opacity = STRENGTH * level[..., None]
    expected = (1 - opacity) * frame + opacity * color_table(colormap)[np.rint(level * 255).astype(int)]
    found = overlay(frame, heat, colormap)
    assert found.dtype == np.uint8 and found.shape == frame.shape
    assert np.abs(found - expected).max() < 4  # a level is rounded before and after it is enlarged
    assert (level == 0).mean() > 0.3 and (found == frame)[level == 0].all()


def test_the_colors_are_those_of_matplotlib():
    expected = matplotlib.colormaps["jet"](np.linspace(0, END_OF_COLORMAP, 256))[:, :3] * 255
    assert np.abs(colorize(np.linspace(0, 1, 256)[None], 1, 256)[0] - expected).max() <= 1


@pytest.mark.parametrize("grey", [0, 60, 128, 200, 255])
def test_larger_values_show_more_color(grey):
    # Jet ends in dark red: with all of it, the maximum would be less red than its surroundings.
    ramp = overlay(np.full((1, 256, 3), grey, np.uint8), np.linspace(0, 1, 256)[None])[0].astype(int)
    red = ramp[:, 0] - ramp[:, 2]
    assert red[-1] == red.max() and np.abs(ramp[-1] - grey).max() == np.abs(ramp - grey).max()


def test_maps_are_clipped_to_0_and_1():
    frame = noise(20, 30)
    for empty in (0.0, -7.0):
        np.testing.assert_array_equal(overlay(frame, np.full((3, 3), empty)), frame)
    np.testing.assert_array_equal(overlay(frame, np.full((3, 3), 5.0)), overlay(frame, np.ones((3, 3))))


def test_maps_are_relative_to_their_maximum_if_there_is_one():
    np.testing.assert_allclose(relative(np.array([[0.1, 0.2]])), [[0.5, 1]])
    np.testing.assert_array_equal(relative(np.zeros((2, 2))), np.zeros((2, 2)))


def test_a_box_is_a_white_line_between_black_ones():
    frame = noise(128, 256)
    before = frame.copy()
    drawn = draw_boxes(frame, np.array([[0.25, 0.5, 0.75, 0.875]]))  # pixels 64 to 192, 64 to 112
    for line in (drawn[64, 64:192], drawn[111, 64:192], drawn[64:112, 64], drawn[64:112, 191]):
        assert (line == WHITE).all()
    for line in (drawn[63, 63:193], drawn[65, 65:191], drawn[112, 63:193], drawn[63:113, 63], drawn[63:113, 192]):
        assert (line == BLACK).all()
    np.testing.assert_array_equal(drawn[66:110, 66:190], frame[66:110, 66:190])
    np.testing.assert_array_equal(drawn[:63], frame[:63])
    np.testing.assert_array_equal(frame, before)


def test_the_line_of_a_box_that_is_smaller_than_it_stays_within_the_box():
    frame = np.full((1080, 1920, 3), 128, np.uint8)  # its lines have 5 pixels
    drawn = draw_boxes(frame, np.array([[0.25, 0.5, 0.25 + 3 / 1920, 0.5 + 3 / 1080]]))
    assert (drawn == WHITE).all(2).sum() <= 16 and (drawn != frame).any(2).sum() <= 36


def test_boxes_may_fill_the_frame_overlap_be_empty_or_missing():
    drawn = draw_boxes(noise(100, 100), np.array([[0.1, 0.1, 0.6, 0.6], [0.3, 0.3, 0.9, 0.9]]))
    for line in (drawn[10, 10:60], drawn[10:60, 59], drawn[30, 30:90], drawn[30:90, 30]):
        assert (line == WHITE).all()
    frame = noise(30, 40)
    whole = draw_boxes(frame, np.array([[0, 0, 1, 1]]))
    for edge in (whole[0], whole[-1], whole[:, 0], whole[:, -1]):
        assert (edge == WHITE).all()
    np.testing.assert_array_equal(whole[2:-2, 2:-2], frame[2:-2, 2:-2])
    for point in ([0.5, 0.5, 0.5, 0.5], [1, 1, 1, 1], [0, 0, 0, 0]):
        assert (draw_boxes(frame, np.array([point])) != frame).any(2).sum() <= 16
    np.testing.assert_array_equal(draw_boxes(frame, np.empty((0, 4))), frame)
