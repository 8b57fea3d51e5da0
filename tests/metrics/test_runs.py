"""Runs, their distances and their negative audio; and the table of their figures."""

from pathlib import Path

import numpy as np
import pytest
import sklearn.metrics

from common.errors import UserError
from data.dmc_pkl import csv_path, read_distances, write_dmc
from metrics.runs import Run, negatives, read_run, roc_auc
from metrics.table import figures_table


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("key,distance_0\na,0.5\nb,x\n", r"line 3 \('b'\): could not convert"),
        ("key,distance_0\na,nan\n", r"line 2 \('a'\): expected 1 finite"),
        ("key,distance_0,distance_1\na,1\n", r"line 2 \('a'\): expected 2 finite"),
        ("a,b\n", "does not begin with"),
        ("key\n", "does not begin with"),
        ("key,distance_0\na,0.5\nb,0.2", "is cut short"),
        ("", "does not begin with"),
        ("key,distance_0\n", "contains no distances"),
    ],
)
def test_malformed_distances_are_reported_with_the_line(tmp_path, content, message):
    (tmp_path / "dmc.csv").write_text(content, encoding="utf-8")
    with pytest.raises(UserError, match=rf"dmc\.csv.*{message}"):
        read_distances(tmp_path / "dmc.csv")


def test_distances_of_other_maps_are_refused(tmp_path):
    for name, videos in (("one", "ab"), ("other", "ac"), ("fewer", "a")):
        keys = [f"{video}/frame_000/00000" for video in videos]
        maps = {key: np.ones((2, 3, 3)) for key in keys}
        write_dmc(tmp_path / f"{name}.pkl", maps, {key: np.ones(len(keys)) for key in keys})
    for name, key in (("other", "[bc]"), ("fewer", "b")):
        csv_path(tmp_path / "one.pkl").write_bytes(csv_path(tmp_path / f"{name}.pkl").read_bytes())
        with pytest.raises(UserError, match=rf"one\.csv is not of .*one\.pkl: only one of them has '{key}/frame"):
            read_run(tmp_path / "one.pkl")


def test_distances_that_a_spreadsheet_saved_again_are_read(tmp_path):
    (tmp_path / "dmc.csv").write_bytes("key,distance_0\r\nü/frame_000/00000,0.5\r\n".encode("utf-8-sig"))
    assert read_distances(tmp_path / "dmc.csv") == {"ü/frame_000/00000": 0.5}


def test_roc_auc_uses_all_audio_clusters_of_the_frames_in_both_runs():
    own = {"a": np.array([3.0, 4.0]), "b": np.array([1.0, 0.0]), "only own": np.array([100.0, 0.0])}
    other = {"b": np.array([0.0, 5.0]), "a": np.array([0.0, 6.0]), "only other": np.array([0.0, 0.0])}
    # D: own 5, 1, other 6, 5. Pairs: 6 > 5, 6 > 1, 5 > 1, and 5 = 5 for a half.
    assert roc_auc(own, other) == (3.5 / 4, 2)
    with pytest.raises(UserError, match="share no frame"):
        roc_auc({"a": np.ones(1)}, {"b": np.ones(1)})


def test_roc_auc_is_that_of_scikit_learn_with_many_ties():
    own, other = np.random.default_rng(0).integers(0, [[9], [12]], (2, 50)).astype(float)
    expected = sklearn.metrics.roc_auc_score(np.repeat([0, 1], 50), np.append(own, other))
    found, count = roc_auc(*(dict(enumerate(distances[:, None])) for distances in (own, other)))
    assert (found, count) == (pytest.approx(expected), 50)


def test_negatives_have_the_name_and_folder_of_their_run():
    names = "x/dmc.pkl x/dmc_noise.pkl x/dmc_silence.pkl dmc_noise.pkl y/dmc_silence.pkl x/dmc2.pkl"
    own, noise, silence, *others = (Run(Path(name), {}, None) for name in names.split())
    assert negatives([noise, own, *others, silence]) == [(own, "noise", noise), (own, "silence", silence)]
    assert negatives([own, *others]) == negatives([noise, silence]) == []
    absolute = Run(noise.path.absolute(), {}, None)
    assert negatives([own, absolute]) == [(own, "noise", absolute)]


def test_a_table_is_aligned_and_shows_missing_figures():
    rows = {"a": {"frames": 3, "auc": 0.5}, "longer": {"frames": 12, "auc": 1.0, "nsa": None}, "b": {"nsa": 0.25}}
    assert figures_table(rows, "run") == [
        "run     frames    AUC    NSA",
        "a            3  0.500      -",
        "longer      12  1.000      -",
        "b            -      -  0.250",
    ]
