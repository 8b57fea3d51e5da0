"""The choice of frames for the page, and how small their data become."""

import numpy as np
import pytest

from metrics.maps.annotations import Boxes, Frame
from tests.fixtures.media import noise
from vis.page.clips import RATE, as_mp3
from vis.page.gallery import MAX_BYTES, MAX_CELLS, class_of, map_levels, small_jpeg, spread_over_videos


def test_300_cards_take_less_than_30_mb_even_of_noise():
    jpeg, width, height = small_jpeg(np.random.default_rng(0).integers(0, 256, (720, 1280, 3)).astype(np.uint8))
    assert (width, height) == (569, 320) and len(jpeg) <= MAX_BYTES
    maps = map_levels(np.random.default_rng(0).random((10, 40, 50)).astype(np.float32))
    clip = as_mp3(noise(1, RATE, level=1.0))
    assert 4 / 3 * (len(jpeg) + maps.nbytes + len(clip)) + 3000 < 30e6 / 300


@pytest.mark.parametrize(
    ("size", "expected"),
    [((240, 320), (320, 240)), ((1280, 720), (320, 569)), ((2000, 1000), (302, 604)), ((400, 8000), (1910, 95))],
)
def test_large_frames_are_scaled_down(size, expected):
    _, width, height = small_jpeg(np.zeros((*size, 3), np.uint8))
    assert (width, height) == expected


def test_large_maps_are_scaled_down_and_empty_ones_stay_empty():
    large = np.zeros((2, 64, 20), np.float32)
    large[0, :32] = 0.5
    levels = map_levels(large)
    assert levels.shape == (2, MAX_CELLS, 20) and levels.dtype == np.uint8
    assert (levels[0, :15] == 255).all() and (levels[0, 17:] == 0).all() and (levels[1] == 0).all()


def test_frames_are_spread_over_the_videos_by_seed():
    sizes = {"a": 100, "b": 3, "c": 50}
    frames = {f"{name}{i}": Frame(name, i // 4, i) for name, size in sizes.items() for i in range(size)}
    chosen = spread_over_videos(frames, 13, 10)
    counts = [sum(frames[key].video == name for key in chosen) for name in sizes]
    assert len(set(chosen)) == 13 and counts == [5, 3, 5]
    assert [frames[key] for key in chosen] == sorted(frames[key] for key in chosen)
    assert chosen == spread_over_videos(frames, 13, 10) != spread_over_videos(frames, 13, 11)
    assert len(spread_over_videos(frames, 0, 10)) == len(spread_over_videos(frames, 999, 10)) == 153
    assert len({frames[key].video for key in spread_over_videos(frames, 2, 10)}) == 2


def test_the_class_is_the_label_else_the_classes_of_the_boxes():
    boxes = Boxes(np.zeros((3, 4)), ("3", "flute", "3"))
    assert class_of("v", {"v": "flute violin"}, boxes) == "flute violin"
    assert class_of("v", {}, boxes) == "class 3, flute"
    assert class_of("v", {}, None) == ""
