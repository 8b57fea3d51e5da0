"""What all benchmarks share: timing in turns, and results with all that they depend on."""

import argparse
import datetime
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.clock import interleaved, medians
from benchmarks.results import cpu_model, machine, machine_line, markdown_table, new_results, save_results
from common.cli import available_cores
from common.errors import UserError


class Clock:
    """A clock that only goes on when told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def lasting(self, *durations: float):
        """Something that takes these seconds, one after the other."""
        left = iter(durations)

        def work() -> None:
            self.now += next(left)

        return work


def test_works_take_turns_and_none_always_follows_the_same_one():
    order = []
    works = {name: lambda name=name: order.append(name) for name in "abc"}
    seconds = interleaved(works, repeats=4)
    assert "".join(order) == "abcbcacababc"
    assert list(seconds) == ["a", "b", "c"] and {len(runs) for runs in seconds.values()} == {4}


def test_medians_leave_out_warm_ups_and_what_comes_before_a_run():
    clock = Clock()
    works = {"one": clock.lasting(100, 1, 3, 50), "other": clock.lasting(200, 5, 4, 9)}
    cleared = []

    def clear(name: str) -> None:
        cleared.append(name)
        clock.now += 1000

    seconds = interleaved(works, repeats=3, warm_ups=1, before=clear, clock=clock)
    assert seconds == {"one": [1, 3, 50], "other": [5, 4, 9]}
    assert medians(seconds) == {"one": 3, "other": 5}
    assert sorted(cleared) == ["one"] * 4 + ["other"] * 4


def test_results_hold_all_that_they_depend_on(tmp_path):
    results = new_results(argparse.Namespace(repeats=3, out=Path("runs/a"), sizes=[10, 20]))
    results["figures"] = {"seconds": 1.5}
    save_results(tmp_path / "new" / "results.json", results)
    saved = json.loads((tmp_path / "new" / "results.json").read_text())
    assert saved["options"] == {"repeats": 3, "out": "runs/a", "sizes": [10, 20]}
    assert saved["figures"] == {"seconds": 1.5}
    assert saved["date"] == datetime.date.today().isoformat()
    assert saved["machine"]["cores"] == available_cores() and saved["machine"]["cpu"]
    assert saved["machine"]["torch"] == torch.__version__ and saved["machine"]["numpy"] == np.__version__
    line = machine_line(saved)
    assert saved["machine"]["cpu"] in line and torch.__version__ in line and saved["date"] in line


@pytest.mark.parametrize("gpu", [False, True])
def test_the_machine_is_recorded_without_setting_anything(gpu, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpu)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "a GPU")
    monkeypatch.setattr(torch.backends.cudnn, "benchmark", False)
    torch.set_flush_denormal(False)
    assert machine()["device"] in (("a GPU",) if gpu else ("mps", "cpu"))
    assert not torch.backends.cudnn.benchmark
    assert (torch.tensor(2e-38) * 0.1).item() != 0


def test_results_that_cannot_be_written_leave_the_old_ones(tmp_path):
    path = tmp_path / "results.json"
    save_results(path, {"figure": 1})
    with pytest.raises(TypeError):
        save_results(path, {"figure": object()})
    assert json.loads(path.read_text()) == {"figure": 1}
    assert [entry.name for entry in tmp_path.iterdir()] == ["results.json"]
    with pytest.raises(UserError, match="cannot be written"):
        save_results(path / "below_a_file" / "results.json", {})


def test_the_processor_is_named_also_where_the_kernel_does_not(tmp_path):
    info = tmp_path / "cpuinfo"
    info.write_text("processor\t: 0\nmodel name\t: A CPU @ 2 GHz\nmodel name\t: another\n")
    assert cpu_model(info) == "A CPU @ 2 GHz"
    info.write_text("processor\t: 0\n")  # as on ARM
    assert cpu_model(info)
    assert cpu_model(tmp_path / "none")


def test_a_table_is_aligned():
    assert markdown_table(["set", "s"], [["short", 1], ["a", 12.5]]) == [
        "| set   |    s |",
        "| ----- | ---: |",
        "| short |    1 |",
        "| a     | 12.5 |",
    ]
    with pytest.raises(ValueError, match="zip"):
        markdown_table(["set", "s"], [["short"]])
