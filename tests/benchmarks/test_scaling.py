"""The benchmark of growing data sets: linked sets, exponents, and a whole tiny run."""

import itertools
import json
import os

import pytest

from benchmarks import scaling
from benchmarks.linked_set import all_seconds, link_set, write_lists
from common.errors import UserError
from data import cut_audio, cut_video, make_demo
from data.index import index_seconds
from data.lists import read_list


@pytest.fixture(scope="module")
def small_set(tmp_path_factory):
    data_dir = tmp_path_factory.mktemp("small")
    assert make_demo.main(["--data_dir", str(data_dir), "--videos", "2", "--seconds", "3"]) == 0
    assert cut_video.main(["--data_dir", str(data_dir), "--short_side", "64"]) == 0
    assert cut_audio.main(["--data_dir", str(data_dir)]) == 0
    return data_dir


def test_growth_by_hand():
    assert scaling.growth([10, 100, 1000], [2.0, 20.0, 2000.0]) == [pytest.approx(1), pytest.approx(2)]
    assert scaling.growth([10, 40], [3.0, 3.0]) == [0]
    assert scaling.growth([10], [3.0]) == []


def test_the_figures_of_a_size_are_medians_and_the_highest_memory():
    runs = [
        {"start_up": start, "steps": steps, "steps_an_epoch": 50, "start_up_memory": memory, "peak_memory": 2 * memory,
         "memory_of_all": None}
        for start, steps, memory in ((1.0, [0.1, 0.3, 9.0], 10), (5.0, [0.2], 30), (2.0, [0.5], 20))
    ]  # fmt: skip
    found = scaling.summary(runs)
    assert (found["start_up"], found["step"], found["epoch"]) == (2.0, 0.3, 15.0)
    assert (found["start_up_memory"], found["peak_memory"], found["memory_of_all"]) == (30, 60, None)


def test_a_linked_set_has_exactly_its_seconds_and_takes_no_space(small_set, tmp_path_factory):
    target = tmp_path_factory.mktemp("linked") / "set"
    written = link_set(all_seconds(small_set), target, 20)
    assert list(written.values()) == [3] * 6 + [2]
    found = index_seconds(target, list(written))
    assert len(found) == 20 and not found.without
    for index in range(len(found)):
        assert len(found.frame_paths(index)) == 4
        assert found.spectrogram_path(index).stat().st_nlink >= 4
    assert scaling.names_of(written, 7) == list(written)[:3]
    write_lists(target / "lists", list(written))
    lists = [read_list(target / "lists" / f"{name}.txt") for name in ("train", "val", "test")]
    assert [len(names) for names in lists] == [3, 2, 2] and sorted(itertools.chain(*lists)) == list(written)


def test_a_set_that_is_too_small_or_not_cut_is_named(small_set, tmp_path):
    with pytest.raises(UserError, match="too small for 1000000"):
        link_set(all_seconds(small_set), tmp_path / "set", 1_000_000)
    with pytest.raises(UserError, match="cut it first"):
        all_seconds(tmp_path)


def test_a_whole_run_removes_its_links(small_set, tmp_path, capfd):
    before = sorted(os.listdir(small_set))
    path = tmp_path / "figures.json"
    sizes = ["--sizes", "180", "150", "--repeats", "1", "--steps", "1", "--image_size", "48"]
    assert scaling.main(["--data_dir", str(small_set), *sizes, "--json", str(path)]) == 0
    results = json.loads(path.read_text())
    assert list(results["sizes"]) == ["150", "180"] and set(results["growth"]) == set(scaling.COSTS)
    for size, figures in results["sizes"].items():
        assert 0 < figures["find_seconds"] < figures["start_up"]
        assert 10**8 < figures["start_up_memory"] <= figures["peak_memory"]
        # 50 videos less 6 and 8, 60 less 7 and 10: 108 and 129 seconds in batches of 32
        assert figures["steps_an_epoch"] == {"150": 3, "180": 4}[size]
        assert figures["epoch"] == pytest.approx(figures["step"] * figures["steps_an_epoch"])
    assert "150 to 180" in capfd.readouterr().out
    assert sorted(os.listdir(small_set)) == before
