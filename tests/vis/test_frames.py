"""The frames of a run: which can be drawn, which have scores, and the reason if not."""

import json
import re
import shutil

import numpy as np
import pytest

from common.errors import SampleError, UserError
from metrics.maps.runs import Run, read_run
from tests.fixtures.report_set import KEYS, NAMES, SIZE, make_report_set, make_run, pickled
from vis.frames import frames_of, map_titles, read_frame, require_drawable, score_frames


@pytest.fixture(scope="module")
def report_set(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    make_report_set(folder / "set")
    make_run(folder / "run")
    return folder


@pytest.fixture
def run(report_set) -> Run:
    return read_run(report_set / "run/dmc.pkl")


@pytest.mark.parametrize(
    ("boxes", "reason"),
    [(None, r"here is no .*boxes\.json"), ("other/frame_000/00000.jpg", "none of 16 maps has an annotation")],
)
def test_without_usable_boxes_there_is_a_reason_or_an_error_if_scores_are_needed(run, tmp_path, boxes, reason):
    if boxes:
        (tmp_path / "boxes.json").write_text(json.dumps({boxes: {"bbox": []}}))
    scored = score_frames(run, None, tmp_path)
    assert not scored.scores and scored.run_scores is None and re.search(reason, scored.reason)
    with pytest.raises(UserError, match=reason):
        score_frames(run, None, tmp_path, needed_by="--choose best")
    with pytest.raises(UserError, match=r"boxes\.json"):
        score_frames(run, tmp_path / "boxes.json", tmp_path)


def test_a_frame_that_cannot_be_read_is_named_with_the_remedy(run, report_set, tmp_path):
    data_dir = shutil.copytree(report_set / "set", tmp_path / "set")
    gone, broken, other = (frames_of(run)[key] for key in (*KEYS[:2], KEYS[-1]))
    assert read_frame(gone, data_dir).shape == (*reversed(SIZE), 3)
    (data_dir / "video_frames" / f"{KEYS[0]}.jpg").unlink()
    (data_dir / "video_frames" / f"{KEYS[1]}.jpg").write_bytes(b"no image")
    shutil.rmtree(data_dir / "video_frames" / NAMES[3])
    # The first video has other frames, so cut_video.py alone would skip it.
    first = rf"delete {data_dir / 'video_frames' / NAMES[0]} and run python3 data/cut_video.py .* --data_dir"
    for frame, reason in ((gone, first), (broken, "data/cut_video.py"), (other, "not exist: run python3 data/cut_vid")):
        with pytest.raises(SampleError, match=reason):
            read_frame(frame, data_dir)


@pytest.mark.parametrize(
    ("maps", "reason"),
    [
        (np.full((3, 4, 5), np.nan), "not finite"),
        (np.ones((2, 4, 5)), "it has 2 maps, but the first frame has 3"),
        (np.ones((0, 4, 5)), "too small for 1 audio clusters"),
        (np.ones((3, 0, 5)), "too small"),
    ],
)
def test_maps_that_cannot_be_drawn_are_named(run, maps, reason):
    require_drawable(np.ones((3, 4, 5)), run)
    with pytest.raises(SampleError, match=reason):
        require_drawable(maps, run)


def test_a_key_of_another_form_is_named(tmp_path):
    with pytest.raises(UserError, match="the key 'frame'"):
        frames_of(read_run(pickled(tmp_path / "dmc.pkl", {"frame": np.ones((1, 1, 1))})))


def test_matched_maps_have_titles_of_their_own(run, tmp_path):
    assert map_titles(run) == ["matched map", "map 1", "map 2"]
    assert map_titles(read_run(make_run(tmp_path, 2))) == ["map of sound 0", "map of sound 1", "map 2"]
