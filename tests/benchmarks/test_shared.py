"""What the benchmarks share: turns, results, tables, runs of programs, linked sets."""

import argparse
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from benchmarks import shared
from common.errors import UserError
from data.index import index_seconds
from data.layout import noise_file
from data.lists import read_list
from metrics.table import write_json


def test_works_take_turns_and_none_always_follows_the_same_one():
    order = []
    works = {name: lambda name=name: order.append(name) or len(order) for name in "abc"}
    results = shared.interleaved(works, repeats=4)
    assert "".join(order) == "abcbcacababc"
    assert results == {"a": [1, 6, 8, 10], "b": [2, 4, 9, 11], "c": [3, 5, 7, 12]}


def test_figures_of_runs_are_medians_but_the_most_memory():
    runs = [{"seconds": s, "memory": m, "memory_of_all": None} for s, m in ((1.0, 10), (5.0, 30), (2.0, 20))]
    assert shared.summary(runs) == {"seconds": 2.0, "memory": 30, "memory_of_all": None, "runs": runs}


def test_results_contain_machine_date_and_options(tmp_path):
    results = shared.new_results(argparse.Namespace(repeats=3, out=Path("runs/a"), sizes=[10, 20]))
    write_json(tmp_path / "new" / "results.json", results)
    saved = json.loads((tmp_path / "new" / "results.json").read_text())
    assert saved["options"] == {"repeats": 3, "out": "runs/a", "sizes": [10, 20]}
    line = shared.machine_line(saved)
    assert saved["machine"]["cpu"] in line and torch.__version__ in line and saved["date"] in line


def test_the_processor_has_a_name_even_if_the_kernel_gives_none(tmp_path):
    info = tmp_path / "cpuinfo"
    info.write_text("processor\t: 0\nmodel name\t: A CPU @ 2 GHz\nmodel name\t: another\n")
    assert shared.cpu_model(info) == "A CPU @ 2 GHz"
    info.write_text("processor\t: 0\n")  # as on ARM
    assert shared.cpu_model(info) and shared.cpu_model(tmp_path / "none")


def test_a_table_is_aligned():
    assert shared.markdown_table(["set", "s"], [["short", 1], ["a", 12.5]]) == [
        "| set   |    s |",
        "| ----- | ---: |",
        "| short |    1 |",
        "| a     | 12.5 |",
    ]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the peak")
def test_peak_memory_is_that_of_the_process_alone():
    block = bytearray(300_000_000)
    code = "import sys; print('ready', flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        assert 1e6 < shared.peak_memory(process.pid) < 1e8 < len(block) < shared.peak_memory(os.getpid())
        process.stdin.close()


def test_the_error_of_a_failed_program_has_its_command_log_and_last_message(tmp_path, capsys):
    script, log = tmp_path / "fails.py", tmp_path / "logs" / "a.log"
    script.write_text(
        "import sys\nfrom tqdm import tqdm\nfor _ in tqdm(range(3)): pass\nprint('at work')\nsys.exit('mend it')\n"
    )
    with pytest.raises(UserError) as error:
        shared.run_program(script, ["--a", "b c"], log)
    for part in ("exit status 1", "mend it", str(log), "--a 'b c'"):
        assert part in str(error.value)
    assert capsys.readouterr() == ("at work\n", "")
    assert log.read_text().splitlines()[1:] == ["at work", "mend it"]  # without the progress bar


@pytest.mark.slow
@pytest.mark.parametrize("interrupt", ["ctrl-c", "kill"])
def test_an_interrupted_benchmark_lets_its_program_clear_up_and_says_how_to_resume(interrupt, tmp_path):
    script, outer = tmp_path / "sleeps.py", tmp_path / "outer.py"
    script.write_text(
        "import time\nfrom pathlib import Path\n"
        "try: print('ready', flush=True); time.sleep(60)\n"
        f"except KeyboardInterrupt: Path({str(tmp_path / 'cleared')!r}).touch()\n"
    )
    outer.write_text(
        f"import sys\nsys.path[0] = {str(shared.ROOT)!r}\nfrom pathlib import Path\n"
        "from benchmarks import shared, recipes\nshared.GRACE = 1\n"
        f"recipes.benchmark = lambda _: shared.run_program({str(script)!r}, [], Path({str(tmp_path / 'a.log')!r}))\n"
        "sys.exit(recipes.main(['--seeds', '1']))\n"
    )
    command, pipe = [sys.executable, str(outer)], subprocess.PIPE
    process = subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, start_new_session=True)
    assert process.stdout.readline() == "ready\n"
    os.killpg(process.pid, signal.SIGINT) if interrupt == "ctrl-c" else process.terminate()
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "python3 benchmarks/recipes.py --seeds 1" in errors and "Traceback" not in errors
    assert (tmp_path / "cleared").exists()


def test_a_linked_set_has_all_seconds_takes_no_space_and_is_removed(training_set):
    before = sorted(training_set.rglob("*"))
    with pytest.raises(RuntimeError, match="any"), shared.linked_set(training_set, 20) as (folder, names):
        assert all(read_list(folder / f"{name}.txt") == names for name in ("train", "val", "test"))
        found = index_seconds(folder, names)
        assert len(set(names)) == 16 and len(found) == 32 and not found.without  # two times the 16 seconds of the set
        assert all(len(found.frame_paths(index)) == 4 for index in range(len(found)))
        assert (folder / "video_frames" / names[-1]).is_symlink() and noise_file(folder).is_symlink()
        raise RuntimeError("any")
    assert sorted(training_set.rglob("*")) == before and not folder.exists()


def test_a_set_that_is_not_cut_is_named(tmp_path):
    with pytest.raises(UserError, match=f"{tmp_path} has no frames .* cut it first"), shared.linked_set(tmp_path, 1):
        pass
