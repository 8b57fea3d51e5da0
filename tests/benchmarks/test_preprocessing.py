"""The benchmark of preprocessing: a whole tiny run, and what its ratios are of."""

import json
import shutil

import pytest

from benchmarks import preprocessing
from common.errors import UserError

TINY = "--videos 2 --seconds 2 --long_videos 1 --long_seconds 2 --repeats 1 --num_threads 2".split()


def test_a_whole_run_has_a_row_for_each_program_and_leaves_the_videos_only(tmp_path, capfd):
    pytest.importorskip("librosa")
    path = tmp_path / "figures.json"
    assert preprocessing.main([*TINY, "--data", str(tmp_path / "data"), "--json", str(path)]) == 0
    results = json.loads(path.read_text())
    said = capfd.readouterr().out
    assert len(results["sets"]) == 2
    for title, of_set in results["sets"].items():
        for kind, program in preprocessing.KINDS.items():
            assert next(iter(of_set[kind])) == program
            expected = (4 if kind == "pictures" else 1) * (4 if title.startswith("2") else 2)
            assert of_set[kind][program]["files"] == expected
            for name, figure in of_set[kind].items():
                assert abs(figure["files"] - expected) <= expected / 4  # ffmpeg's filter may end a frame later
                assert figure["median"] > 0 and name in said and len(figure["runs"]) == 1
    named = bool(shutil.which("ffmpeg")) + preprocessing.has("cv2")
    assert len(results["missing"]) == 2 - named and all(line in said for line in results["missing"])
    for data_dir in (tmp_path / "data").iterdir():
        assert not list(data_dir.rglob("others/*/*")) and not list(data_dir.rglob("*.jpg"))
    assert sorted(folder.name for folder in (tmp_path / "data").iterdir()) == ["long_1x2", "short_2x2"]


def test_the_faster_ffmpeg_counts():
    medians = {"cut_video.py": 3.0, "ffmpeg, 2 processes": 2.0, "ffmpeg, 2 threads": 2.5, "OpenCV loop": 6.0}
    figures = {name: {"median": middle} for name, middle in medians.items()}
    assert preprocessing.yardsticks("pictures", figures) == {
        "cut_video.py / ffmpeg": 1.5,
        "OpenCV loop / cut_video.py": 2.0,
    }
    sounds = {"cut_audio.py": {"median": 2.0}, "librosa loop": {"median": 16.0}}
    assert preprocessing.yardsticks("sounds", sounds) == {"librosa loop / cut_audio.py": 8.0}
    assert preprocessing.yardsticks("sounds", {"cut_audio.py": {"median": 2.0}}) == {}


def test_what_is_not_installed_is_named_and_left_out(tmp_path, monkeypatch):
    monkeypatch.setattr(preprocessing, "has", lambda name: False)
    media_set = preprocessing.MediaSet("none", tmp_path, 1)
    for kind, program in preprocessing.KINDS.items():
        assert list(preprocessing.contenders(kind, media_set, 2)) == [program]
    assert len(preprocessing.missing()) == 3


def test_a_command_that_fails_is_named_with_its_reason():
    with pytest.raises(UserError, match="exit status 3: it is broken"):
        preprocessing.run_quietly(["sh", "-c", "echo it is broken >&2; exit 3"])
