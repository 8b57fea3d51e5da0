"""The benchmark of preprocessing: a whole small run, and its ratios."""

import json

import pytest

from benchmarks import preprocessing
from common.errors import UserError

SMALL = "--videos 2 --seconds 2 --long_videos 1 --long_seconds 2 --repeats 1 --num_threads 2".split()


@pytest.mark.slow
def test_a_whole_run_has_a_row_for_each_program_and_leaves_only_the_videos(tmp_path, capfd):
    path = tmp_path / "figures.json"
    assert preprocessing.main([*SMALL, "--data", str(tmp_path / "data"), "--json", str(path)]) == 0
    results, said = json.loads(path.read_text()), capfd.readouterr().out
    for (title, of_set), seconds in zip(results["sets"].items(), (4, 2), strict=True):
        for kind, program in preprocessing.PROGRAMS.items():
            expected = (4 if kind == "frames" else 1) * seconds
            assert next(iter(of_set[kind])) == program and of_set[kind][program]["files"] == expected
            for name, figure in of_set[kind].items():
                assert abs(figure["files"] - expected) <= expected / 4, (title, name)  # ffmpeg may end a frame later
                assert figure["median"] > 0 and name in said
    assert all(line in said for line in results["missing"])
    assert {folder.name for folder in (tmp_path / "data").iterdir()} == {"long_1x2", "short_2x2"}
    assert not [file for end in ("jpg", "npy", "wav") for file in (tmp_path / "data").rglob(f"[0-9]*.{end}")]


def test_the_faster_ffmpeg_counts():
    medians = {"cut_video.py": 3.0, "ffmpeg, 2 processes": 2.0, "ffmpeg, 2 threads": 2.5, "OpenCV loop": 6.0}
    figures = {name: {"median": middle} for name, middle in medians.items()}
    expected = {"cut_video.py / ffmpeg": 1.5, "OpenCV loop / cut_video.py": 2.0}
    assert preprocessing.ratios("frames", figures) == expected
    assert preprocessing.ratios("audio", {"cut_audio.py": {"median": 2.0}}) == {}


def test_contenders_that_are_not_installed_are_left_out(tmp_path, monkeypatch):
    media_set = preprocessing.MediaSet("none", tmp_path, 1)
    for installed, counts in ((False, (1, 1)), (True, (4, 3))):
        monkeypatch.setattr(preprocessing, "has", lambda _, installed=installed: installed)
        found = [list(preprocessing.contenders(kind, media_set, 2)) for kind in preprocessing.PROGRAMS]
        assert [names[0] for names in found] == ["cut_video.py", "cut_audio.py"]
        assert tuple(map(len, found)) == counts


def test_a_command_that_fails_is_named_with_its_reason():
    with pytest.raises(UserError, match="exit status 3: it is broken"):
        preprocessing.run_quietly(["sh", "-c", "echo it is broken >&2; exit 3"])
