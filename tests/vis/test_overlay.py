"""A map over its frame: the colour lies where the map is hot, and a box where it was drawn."""

import numpy as np
import pytest
import torch
from torch.nn.functional import interpolate

from vis.overlay import BLACK, HOTTEST, WHITE, color_table, heat_picture, overlay, relative, with_boxes

SIZES = [(256, 341), (341, 256), (97, 240), (16, 9)]  # landscape, portrait, a strip, hardly more than the map


def noise(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3)).astype(np.uint8)


@pytest.mark.parametrize(("height", "width"), SIZES)
@pytest.mark.parametrize("hot", [(0, 0), (2, 5), (8, 3)])
def test_the_hot_spot_lies_where_the_map_has_its_maximum(height, width, hot):
    heat = np.zeros((9, 7), np.float32)
    heat[hot] = 1
    frame = np.full((height, width, 3), 128, np.uint8)
    change = np.abs(overlay(frame, heat).astype(int) - 128).max(2)
    rows, columns = np.nonzero(change == change.max())
    assert (rows.mean() / height * 9 - 0.5, columns.mean() / width * 7 - 0.5) == pytest.approx(hot, abs=0.5)
    far = interpolate(torch.tensor(heat)[None, None], (height, width), mode="bilinear")[0, 0].numpy() == 0
    assert far.mean() > 0.5 and (change[far] == 0).all()  # the rest of the frame is as it was


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_it_is_the_weighted_mean_of_frame_and_colour(height, width):
    frame, heat = noise(height, width), np.random.default_rng(1).random((9, 7)).astype(np.float32)
    for strength in (0.0, 0.3, 1.0):
        level = interpolate(torch.tensor(heat)[None, None].double(), (height, width), mode="bilinear")[0, 0].numpy()
        opacity = strength * level[..., None]
        expected = (1 - opacity) * frame + opacity * color_table("magma")[np.rint(level * 255).astype(int)]
        found = overlay(frame, heat, "magma", strength)
        assert found.dtype == np.uint8 and found.shape == frame.shape
        assert np.abs(found - expected).max() < 2.5


def test_the_colours_are_matplotlibs():
    import matplotlib

    heat = np.linspace(0, 1, 256, dtype=np.float32)[None]
    expected = matplotlib.colormaps["inferno"](np.linspace(0, HOTTEST, 256))[:, :3] * 255
    assert np.abs(heat_picture(heat, 1, 256, "inferno")[0] - expected).max() <= 1
    # At full strength and heat nothing of the frame is left.
    np.testing.assert_allclose(overlay(noise(4, 4), np.ones((2, 2)), "inferno", 1.0)[0, 0], expected[-1], atol=1)


def test_the_hotter_the_more_of_the_colour_shows():
    # Jet ends in dark red, so that with all of it the hottest place would be less red than what is around it.
    for grey in (0, 60, 128, 200, 255):
        ramp = overlay(np.full((1, 256, 3), grey, np.uint8), np.linspace(0, 1, 256)[None])[0].astype(int)
        towards_red = ramp[:, 0] - ramp[:, 2]
        assert towards_red[-1] == towards_red.max() and np.abs(ramp[-1] - grey).max() == np.abs(ramp - grey).max()


def test_a_map_without_heat_leaves_the_frame_and_what_is_beyond_0_and_1_counts_as_these():
    frame = noise(20, 30)
    np.testing.assert_array_equal(overlay(frame, np.zeros((3, 3))), frame)
    np.testing.assert_array_equal(overlay(frame, np.full((3, 3), -7.0)), frame)
    np.testing.assert_array_equal(overlay(frame, np.full((3, 3), 5.0)), overlay(frame, np.ones((3, 3))))


def test_parts_of_the_maximum_and_of_a_map_without_one():
    np.testing.assert_allclose(relative(np.array([[0.1, 0.2]])), [[0.5, 1]])
    np.testing.assert_array_equal(relative(np.zeros((2, 2))), np.zeros((2, 2)))


def test_a_box_is_a_white_line_between_black_ones_on_the_boxs_edge():
    frame = noise(128, 256)
    before = frame.copy()
    drawn = with_boxes(frame, np.array([[0.25, 0.5, 0.75, 0.875]]))  # pixels 64 to 192, 64 to 112
    assert (drawn[64, 64:192] == WHITE).all() and (drawn[111, 64:192] == WHITE).all()
    assert (drawn[64:112, 64] == WHITE).all() and (drawn[64:112, 191] == WHITE).all()
    for line in (drawn[63, 63:193], drawn[65, 65:191], drawn[112, 63:193], drawn[63:113, 63], drawn[63:113, 192]):
        assert (line == BLACK).all()
    np.testing.assert_array_equal(drawn[66:110, 66:190], frame[66:110, 66:190])
    np.testing.assert_array_equal(drawn[:63], frame[:63])
    np.testing.assert_array_equal(frame, before)


def test_boxes_at_the_frames_edges_of_no_size_and_none():
    frame = noise(30, 40)
    whole = with_boxes(frame, np.array([[0, 0, 1, 1]]))
    for edge in (whole[0], whole[-1], whole[:, 0], whole[:, -1]):
        assert (edge == WHITE).all()
    np.testing.assert_array_equal(whole[2:-2, 2:-2], frame[2:-2, 2:-2])
    for point in ([0.5, 0.5, 0.5, 0.5], [1, 1, 1, 1], [0, 0, 0, 0]):
        changed = np.argwhere((with_boxes(frame, np.array([point])) != frame).any(2))
        assert len(changed) <= 16
    np.testing.assert_array_equal(with_boxes(frame, np.empty((0, 4))), frame)


def test_boxes_that_overlap_are_both_whole():
    drawn = with_boxes(noise(100, 100), np.array([[0.1, 0.1, 0.6, 0.6], [0.3, 0.3, 0.9, 0.9]]))
    assert (drawn[10, 10:60] == WHITE).all() and (drawn[10:60, 59] == WHITE).all()
    assert (drawn[30, 30:90] == WHITE).all() and (drawn[30:90, 30] == WHITE).all()
