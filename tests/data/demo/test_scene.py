"""The frames and boxes of demo videos: tight boxes, smooth motion, little overlap, silent distractors."""

import dataclasses

import numpy as np
import pytest

from data.demo.plan import plan_videos
from data.demo.scene import HEIGHT, WIDTH, build_scene, render_background, render_frame, visible_boxes
from tests.fixtures.demo_sets import CROWDS, SOLOS


@pytest.fixture(scope="module")
def scenes():
    return {settings: [build_scene(settings, plan) for plan in plan_videos(settings)] for settings in (SOLOS, CROWDS)}


def changed_pixels(frame, background):
    return np.abs(frame.astype(int) - background).max(-1) > 45


def all_boxes(scene):
    """Boxes of all frames, [frames, instruments, 4]."""
    return np.array([visible_boxes(scene, index) for index in range(len(scene.pan))])


def test_a_box_holds_its_instrument_tightly(scenes):
    for scene in scenes[SOLOS]:
        for index in range(0, len(scene.pan), 9):
            frame, ((left, top, right, bottom),) = render_frame(scene, index)
            changed = changed_pixels(frame, render_background(scene, index))
            rows, columns = np.flatnonzero(changed.any(1)), np.flatnonzero(changed.any(0))
            outside = np.array([left - columns[0], top - rows[0], columns[-1] + 1 - right, rows[-1] + 1 - bottom])
            assert -5 <= outside.min() <= outside.max() <= 2  # a dark rim may not stand out on a dark background


def test_instruments_move_smoothly_and_their_boxes_lie_in_the_frame(scenes):
    for scene in scenes[SOLOS]:
        boxes = all_boxes(scene)[:, 0]
        assert boxes.min() >= 0 and (boxes[:, 2:] <= (WIDTH, HEIGHT)).all()
        assert np.ptp(boxes[:, 0] + boxes[:, 2]) + np.ptp(boxes[:, 1] + boxes[:, 3]) > 6
        assert np.abs(np.diff(boxes, axis=0)).max() < 18


def test_instruments_are_small_and_large_and_the_edge_cuts_some_off():
    settings = dataclasses.replace(SOLOS, videos=60)
    boxes = np.array([visible_boxes(build_scene(settings, plan), 0)[0] for plan in plan_videos(settings)])
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(1) / (WIDTH * HEIGHT)
    cut = (boxes[:, :2] == 0).any(1) | (boxes[:, 2:] == (WIDTH, HEIGHT)).any(1)
    assert 2 <= cut.sum() <= 12
    assert 0.07 < areas[~cut].min() < 0.11 and 0.28 < areas.max() < 0.36


def test_the_instruments_of_a_duet_hardly_overlap(scenes):
    for scene in scenes[CROWDS]:
        for first, second in all_boxes(scene):
            sides = np.maximum(np.minimum(first[2:], second[2:]) - np.maximum(first[:2], second[:2]), 0)
            assert sides.prod() <= 0.1 * min((first[2:] - first[:2]).prod(), (second[2:] - second[:2]).prod())


def test_distractors_are_visible_without_a_box_and_cover_no_instrument(scenes):
    for scene in scenes[CROWDS]:
        frame, boxes = render_frame(scene, 0)
        background = render_background(scene, 0)
        outside = changed_pixels(frame, background)
        for left, top, right, bottom in boxes:
            outside[top - 2 : bottom + 2, left - 2 : right + 2] = False
        assert outside.sum() > 1000
        without = render_frame(dataclasses.replace(scene, distractors=()), 0)[0]
        instruments = changed_pixels(without, background)
        assert (frame == without).all(-1)[instruments].mean() > 0.97  # rims are translucent
