"""What the benchmarks share: turns, figures, tables, commands that fail, linked sets."""

import datetime

import pytest
import torch

from benchmarks import shared
from common.errors import UserError
from data.index import index_seconds
from data.layout import noise_file
from data.lists import read_list


def test_works_take_turns():
    order = []
    works = {name: lambda name=name: order.append(name) or len(order) for name in "abc"}
    assert shared.interleaved(works, repeats=2) == {"a": [1, 4], "b": [2, 5], "c": [3, 6]}


def test_figures_of_runs_are_medians_but_the_most_memory():
    runs = [{"seconds": s, "memory": m, "memory_of_all": None} for s, m in ((1.0, 10), (5.0, 30), (2.0, 20))]
    assert shared.summary(runs) == {"seconds": 2.0, "memory": 30, "memory_of_all": None}


def test_a_line_names_machine_versions_and_date():
    line = shared.machine_line()
    assert f"cores, PyTorch {torch.__version__}, {datetime.date.today()}" in line and not line.startswith(",")


def test_a_table_is_aligned():
    assert shared.markdown_table(["set", "s"], [["short", 1], ["a", 12.5]]) == [
        "| set   |    s |",
        "| ----- | ---: |",
        "| short |    1 |",
        "| a     | 12.5 |",
    ]


def test_a_command_that_fails_is_named_with_its_reason():
    with pytest.raises(UserError, match=r"^sh -c .* failed, exit status 3: it is broken$"):
        shared.run_command("sh", "-c", "echo it is broken >&2; exit 3", quiet=True)


def test_a_linked_set_has_all_seconds_takes_no_space_and_is_removed(training_set):
    before = sorted(training_set.rglob("*"))
    with pytest.raises(RuntimeError, match="any"), shared.linked_set(training_set, 20) as folder:
        train, val, test = (read_list(folder / f"{name}.txt") for name in ("train", "val", "test"))
        found = index_seconds(folder, train)
        assert train == val == test and len(set(train)) == 16
        assert len(found) == 32 and not found.without  # two times the 16 seconds of the set
        assert all(len(found.frame_paths(index)) == 4 for index in range(len(found)))
        assert (folder / "video_frames" / train[-1]).is_symlink() and noise_file(folder).is_symlink()
        raise RuntimeError("any")
    assert sorted(training_set.rglob("*")) == before and not folder.exists()


def test_a_set_that_is_not_cut_is_named(tmp_path):
    with pytest.raises(UserError, match=f"{tmp_path} has no frames .* cut it first"), shared.linked_set(tmp_path, 1):
        pass
