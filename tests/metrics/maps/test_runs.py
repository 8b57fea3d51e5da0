"""Runs and their distances, and the table of their figures."""

import numpy as np
import pytest

from common.errors import UserError
from data.dmc_pkl import csv_path, read_distances, write_dmc
from metrics.maps.runs import read_run
from metrics.table import figures_table, latex_table, markdown_table


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


def test_a_table_is_aligned_and_shows_missing_figures():
    rows = {"a": {"frames": 3, "auc": 0.5}, "longer": {"frames": 12, "auc": 1.0, "nsa": None}, "b": {"nsa": 0.25}}
    assert figures_table(rows, "run") == [
        "run     frames    AUC    NSA",
        "a            3  0.500      -",
        "longer      12  1.000      -",
        "b            -      -  0.250",
    ]


def test_intervals_are_rows_below_the_figures_and_brackets_behind_them_in_tables_for_papers():
    rows = {
        "a_b": {"frames": 3, "auc": 0.5, "area_ratio": 1.25, "intervals": {"auc": [0.25, 0.625]}},
        "c & d": {"frames": 12, "auc": None},
    }
    assert figures_table(rows) == [
        "                     frames    AUC  area/box",
        "a_b                       3  0.500     1.250",
        "  95% interval from          0.250          ",
        "  95% interval to            0.625          ",
        "c & d                    12      -         -",
    ]
    assert markdown_table(rows, "run") == [
        "| run | frames | AUC | area/box |",
        "| --- | ---: | ---: | ---: |",
        "| a_b | 3 | 50.0 [25.0, 62.5] | 1.25 |",
        "| c & d | 12 | - | - |",
    ]
    latex = latex_table(rows, "run")
    assert latex[0] == r"\begin{tabular}{lrrr}" and latex[-1] == r"\end{tabular}"
    assert latex[2] == r"run & frames & AUC & area/box \\"
    assert latex[4:6] == [r"a\_b & 3 & 50.0 [25.0, 62.5] & 1.25 \\", r"c \& d & 12 & - & - \\"]
