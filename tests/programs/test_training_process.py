"""The program as a process: kills, packages that a training does without."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.fixtures.training_run import logged_numbers, run, same_weights, small_arguments, weights_of
from training.checkpoints.checkpoint import read_checkpoint

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]


def test_a_terminated_training_says_how_to_resume_and_resumes_to_the_same_end(training_set, tmp_path):
    out = tmp_path / "run"
    command = [sys.executable, str(ROOT / "location_dmc.py")]
    command += small_arguments(training_set, out, "--epoch", "500", "--num_threads", "2")
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    while not (out / "log.csv").exists():
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGTERM)  # the processes that load data get it too
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "--resume 1 resumes" in errors and "Traceback" not in errors
    done = read_checkpoint(out / "last.pth").state["epoch"]
    assert 0 < done < 500
    end = str(done + 1)
    assert run(training_set, out, "--resume", "1", "--epoch", end) == 0
    assert not list(out.glob(".*"))  # of a kill while a file was written
    reference = tmp_path / "reference"
    assert run(training_set, reference, "--epoch", end) == 0
    assert same_weights(weights_of(out), weights_of(reference))
    assert logged_numbers(out) == logged_numbers(reference)


def test_a_training_needs_neither_librosa_nor_pyav_nor_packages_that_draw(training_set, tmp_path):
    code = (
        "import sys\n"
        "missing = ['av', 'librosa', 'soxr', 'numba', 'matplotlib', 'tensorboard']\n"
        "sys.modules.update(dict.fromkeys(missing))  # as if they were not installed\n"
        "import location_dmc\n"
        "names = list(sys.modules)\n"
        "assert names.index('common') < names.index('torch')  # which reads the environment that `common` sets\n"
        f"sys.exit(location_dmc.main({small_arguments(training_set, tmp_path / 'run', '--epoch', '1')!r}))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "run/dmc.pkl").exists()
