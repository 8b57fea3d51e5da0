"""The benchmark of growing data sets: the progress bar, and a whole small run."""

import json
import subprocess
import sys

import pytest

from benchmarks import scaling
from common.errors import UserError

BAR = """
import sys, time
from tqdm import tqdm
for _ in tqdm(range(2), desc="index"): pass
for _ in tqdm(range(int(sys.argv[1])), desc="epoch 1", unit="batch", leave=False, mininterval=0, miniters=1):
    time.sleep(0.05)
sys.exit("no memory")
"""


def watch(total: int, steps: int) -> dict:
    start = scaling.time.perf_counter()
    command = [sys.executable, "-c", BAR, str(total)]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as process:
        try:
            return scaling.watch(process, start, steps)
        finally:
            process.terminate()


@pytest.mark.parametrize(("total", "steps"), [(30, 3), (4, 12), (1, 12)])
def test_the_progress_bar_tells_the_steps(total, steps):
    found = watch(total, steps)
    assert found["steps_an_epoch"] == total and found["start_up"] > 0.05 and found["start_up_memory"] > 1e6
    assert found["epoch"] == pytest.approx(found["step"] * total)
    assert total == 1 or 0.04 < found["step"] < 1


def test_a_training_that_ends_early_is_an_error_with_its_message():
    with pytest.raises(UserError, match="no memory"):
        watch(0, 1)


@pytest.mark.slow
def test_a_whole_run_has_the_figures_of_each_size(training_set, tmp_path, capfd):
    path = tmp_path / "figures.json"
    sizes = ["--sizes", "180", "150", "--repeats", "1", "--steps", "1", "--image_size", "48"]
    assert scaling.main(["--data_dir", str(training_set), *sizes, "--json", str(path)]) == 0
    results = json.loads(path.read_text())
    assert list(results["sizes"]) == ["150", "180"]
    for size, figures in results["sizes"].items():
        assert 0 < figures["index_seconds"] < figures["start_up"] and figures["start_up_memory"] > 1e8
        # Videos of 2 s. 75 less 9 and 13, 90 less 11 and 15: 106 and 128 seconds in batches of 32
        assert figures["steps_an_epoch"] == {"150": 3, "180": 4}[size]
    assert "| 180" in capfd.readouterr().out
