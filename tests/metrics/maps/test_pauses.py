"""Silent heat and delay against a plain loop, on maps whose heat follows the sound late, or not at all."""

import json

import numpy as np
import pytest

from metrics.maps.annotations import read_annotations
from metrics.maps.pauses import follow

LEFT, RIGHT = [0, 0, 0.5, 1], [0.5, 0, 0.5, 1]
SOUNDS = {"a": "110011110000", "b": "111100001111", "c": "111111111111"}  # of the left object in each frame


def keys_of(video):
    return [f"{video}/frame_{number // 4:03d}/{number * 7:05d}" for number in range(len(SOUNDS[video]))]


@pytest.fixture
def annotations(tmp_path):
    """Videos whose left object plays and rests. The right one always plays."""
    entries = {}
    for video, sounds in SOUNDS.items():
        for key, sound in zip(keys_of(video), sounds, strict=True):
            left, right = ({"normbox": box, "category_id": n} for n, box in enumerate((LEFT, RIGHT), 1))
            entry = {"bbox": [left, right], "resting": []} if sound == "1" else {"bbox": [right], "resting": [left]}
            entries[f"{key}.jpg"] = entry
    (tmp_path / "boxes.json").write_text(json.dumps(entries))
    return read_annotations(tmp_path / "boxes.json")


def maps_with(heat_of):
    """Maps whose left half has the heat of a video's frame, and whose right half always has 1."""
    return {
        key: np.array([[[heat_of(video, number), 1.0]], [[0.0, 0.0]]], np.float32).repeat(224, 1).repeat(112, 2)
        for video in SOUNDS
        for number, key in enumerate(keys_of(video))
    }


@pytest.mark.parametrize("late", [-2, 0, 1, 3])
def test_the_delay_of_heat_that_follows_the_sound_late_is_found(annotations, late):
    def heat(video, number):
        source = min(max(number - late, 0), len(SOUNDS[video]) - 1)
        return 0.2 + 0.6 * (SOUNDS[video][source] == "1")

    found = follow(maps_with(heat), 1, annotations, seed=0)
    assert found["objects"] == 2  # the right objects and that of c never rest
    assert found["delay"] == late / 4 and found["delay_correlation"] == pytest.approx(1)
    pairs = [(SOUNDS[v][n], heat(v, n)) for v in "ab" for n in range(12)]
    resting, sounding = (np.mean([value for sound, value in pairs if sound == state]) for state in "01")
    assert found["silent_heat"] == pytest.approx(resting / sounding)
    assert found["intervals"]["delay"] == [late / 4] * 2


@pytest.mark.parametrize(("level", "silent_heat"), [(0.7, 1), (0, None)])
def test_maps_that_do_not_depend_on_the_sound_follow_nothing(annotations, level, silent_heat):
    found = follow(maps_with(lambda video, number: level), 1, annotations, seed=0)
    assert found["silent_heat"] == (silent_heat and pytest.approx(silent_heat)) and found["delay_correlation"] == 0


def test_only_matched_maps_count_and_a_frame_a_second_has_delays_of_whole_seconds(annotations):
    maps = maps_with(lambda video, number: float(SOUNDS[video][max(0, number - 4)] == "1"))
    firsts = {key: maps[key] for video in SOUNDS for key in keys_of(video)[::4]}
    found = follow(firsts, 1, annotations, seed=0)
    assert found["delay"] == 1 and found["silent_heat"] is not None
    assert follow({key: value[::-1] for key, value in firsts.items()}, 1, annotations, seed=0)["silent_heat"] is None


def test_intervals_are_those_of_resampled_videos(annotations):
    levels = {"a": 0.5, "b": 0.25, "c": 1}  # of a resting object
    found = follow(
        maps_with(lambda video, number: 1.0 if SOUNDS[video][number] == "1" else levels[video]), 1, annotations, seed=0
    )
    assert found["silent_heat"] == pytest.approx((6 * 0.5 + 4 * 0.25) / 10)
    assert found["intervals"]["silent_heat"] == pytest.approx([0.25, 0.5])  # both draws of one video occur


def test_videos_without_rests_have_no_figures(annotations):
    assert follow({key: np.ones((1, 7, 7)) for key in keys_of("c")}, 1, annotations, seed=0) == {"objects": 0}
