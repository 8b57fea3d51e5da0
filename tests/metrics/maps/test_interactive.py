"""Interactive IoU: a frame is right if the map of every source is, and one place for all is worth nothing."""

import json

import numpy as np
import pytest

from common.errors import UserError
from metrics.maps.annotations import read_annotations
from metrics.maps.interactive import interact
from metrics.maps.protocol import OURS

LEFT, RIGHT = np.eye(2)[:, None, :].repeat(224, 1).repeat(112, 2)  # [224, 224] each, where the objects are
THIRD = LEFT * (np.arange(224) < 75)  # IoU 75 / 112 with the left object
SMALL = LEFT * (np.arange(224) < 30)  # IoU 30 / 112


@pytest.fixture
def annotations(tmp_path):
    """Four videos with an object in each half; the left one has category 9, the right one 10. The last has one."""
    boxes = [{"normbox": [x, 0, 0.5, 1], "category_id": n} for x, n in ((0.5, 10), (0, 9))]
    entries = {f"{video}/frame_000/00000.jpg": {"bbox": boxes[1:] if video == "d" else boxes} for video in "abcd"}
    (tmp_path / "boxes.json").write_text(json.dumps(entries))
    return read_annotations(tmp_path / "boxes.json")


def figures(annotations, *pairs):
    maps = {f"{video}/frame_000/00000": np.stack(pair) for video, pair in zip("abcd", pairs, strict=False)}
    return interact(maps, annotations, OURS, seed=0)


def test_the_figures_of_three_frames_are_those_computed_by_hand(annotations):
    found = figures(annotations, (LEFT, RIGHT), (THIRD, RIGHT), (SMALL, RIGHT), (LEFT, RIGHT))
    assert found["frames"] == 3  # d has a box of one source only
    assert found["iiou_at_0.5"] == pytest.approx(2 / 3) and found["interactive_pointing"] == 1
    # The share of thresholds 0, 0.05, ... that are reached, the first and the last one counted half.
    areas = [1, 13.5 / 20, 5.5 / 20]  # IoU 1, 0.67, 0.268
    assert found["iauc"] == pytest.approx(np.mean(areas))
    low, high = found["intervals"]["iiou_at_0.5"]
    assert 0 <= low <= 2 / 3 <= high <= 1


@pytest.mark.parametrize("pair", [(LEFT, LEFT), (RIGHT, LEFT), (np.ones((224, 224)), np.zeros((224, 224)))])
def test_one_place_for_all_sources_exchanged_places_and_no_place_get_0(annotations, pair):
    found = figures(annotations, pair)
    assert found["iiou_at_0.5"] == 0 and found["interactive_pointing"] == 0


def test_frames_without_a_box_for_each_source_are_refused(annotations):
    with pytest.raises(UserError, match=r"no frame has a box in .*boxes\.json for each of its sources"):
        figures(annotations, (LEFT, RIGHT, LEFT))
