"""Runs, their distances and their negative audio; and the table of their figures."""

from pathlib import Path

import pytest

from common.errors import UserError
from data.dmc_pkl import read_distances
from metrics.runs import Run, negatives
from metrics.table import figures_table, latex_table, markdown_table


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("key,distance_0\na,0.5\nb,x\n", r"line 3 \(b\): could not convert"),
        ("key,distance_0\na,nan\n", r"line 2 \(a\): expected 1 finite"),
        ("key,distance_0,distance_1\na,1\n", r"line 2 \(a\): expected 2 finite"),
        ("a,b\n", "does not begin with"),
        ("key\n", "does not begin with"),
        ("", "does not begin with"),
        ("key,distance_0\n", "contains no distances"),
    ],
)
def test_malformed_distances_are_reported_with_the_line(tmp_path, content, message):
    (tmp_path / "dmc.csv").write_text(content, encoding="utf-8")
    with pytest.raises(UserError, match=rf"dmc\.csv.*{message}"):
        read_distances(tmp_path / "dmc.csv")


def test_distances_that_a_spreadsheet_saved_again_are_read(tmp_path):
    (tmp_path / "dmc.csv").write_bytes("key,distance_0\r\nü/frame_000/00000,0.5\r\n".encode("utf-8-sig"))
    assert read_distances(tmp_path / "dmc.csv") == {"ü/frame_000/00000": 0.5}


def test_negatives_have_the_name_and_folder_of_their_run_or_are_named_and_of_the_first_run():
    names = "x/dmc.pkl x/dmc_noise.pkl x/dmc_silence.pkl dmc_noise.pkl y/dmc_silence.pkl x/dmc2.pkl"
    own, noise, silence, *others = runs = [Run(Path(name), {}, None) for name in names.split()]

    def found(*runs, named=()):
        return negatives({str(run.path): run for run in runs}, map(str, named))

    assert found(noise, own, *others, silence) == {"x/dmc.pkl": {"noise": noise, "silence": silence}}
    assert found(own, *others) == found(noise, silence) == {}
    absolute = Run(noise.path.absolute(), {}, None)
    assert found(own, absolute) == {"x/dmc.pkl": {"noise": absolute}}
    named = {"x/dmc.pkl": {"noise": noise, "silence": silence, "dmc_noise": others[0]}}
    assert found(*runs, named=[noise.path, others[0].path]) == named


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
