"""The whole program in two processes under torchrun: its maps, its lines, its end, and restarts."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from data.dmc_pkl import read_dmc
from metrics.maps.runs import read_run
from tests.fixtures.sample_set import make_set
from tests.fixtures.training_run import run, small_arguments

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
LIMIT = 240  # seconds: processes that wait for one another fail a test instead of blocking it


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("set")
    make_set(folder, train=4, val=2, test=3, seconds=1)
    return folder


def torchrun(data_dir: Path, out: Path, *options: str, torchrun_options: tuple[str, ...] = ()) -> list[str]:
    two = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2", *torchrun_options]
    return [*two, "--", str(ROOT / "location_dmc.py"), *small_arguments(data_dir, out, *options)]


def finish(command: list[str]) -> subprocess.CompletedProcess:
    return subprocess.run(command, capture_output=True, text=True, timeout=LIMIT, env=ENVIRONMENT, cwd=ROOT)


def test_the_maps_of_two_processes_are_those_of_one(data_dir, tmp_path):
    # 3 test seconds are divided unevenly among two processes.
    out = tmp_path / "run"
    done = finish(torchrun(data_dir, out, "--epoch", "2"))
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("\nepoch ") == 2 and done.stdout.count("2 processes: ") == 1  # only rank 0 prints
    assert run(data_dir, out, "--evaluate", "1", "--dmc_pkl", str(tmp_path / "alone.pkl")) == 0
    together, alone = read_run(out / "dmc.pkl"), read_run(tmp_path / "alone.pkl")
    assert list(together.maps) == list(together.distances) == list(alone.maps) == list(alone.distances)
    assert len(alone.maps) == 12
    for key, maps in alone.maps.items():
        np.testing.assert_allclose(together.maps[key], maps, atol=1e-5)
        np.testing.assert_allclose(together.distances[key], alone.distances[key], rtol=1e-4)


def test_a_batch_that_two_processes_cannot_share_is_refused_once_with_a_remedy(data_dir, tmp_path):
    done = finish(torchrun(data_dir, tmp_path / "run", "--batch_size", "5"))
    assert done.returncode != 0
    assert done.stderr.count("is no multiple of 2 processes: give 4 or 6") == 1
    assert not (tmp_path / "run").exists()


def test_killed_processes_are_restarted_and_training_resumes_from_the_last_checkpoint(data_dir, tmp_path):
    out, printed = tmp_path / "run", tmp_path / "printed"
    restarting = ("--max-restarts=2", "--monitor-interval=0.2")
    command = torchrun(data_dir, out, "--epoch", "8", torchrun_options=restarting)

    def epochs() -> list[str]:  # printed once an epoch is saved
        return re.findall(r"^epoch (\d)/8 ", printed.read_text(), re.MULTILINE)

    with printed.open("w") as output:
        running = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, env=ENVIRONMENT, cwd=ROOT)
        try:
            deadline = time.monotonic() + LIMIT
            for rank in ("1", "0"):  # rank 0 writes and prints, rank 1 waits for it
                done = len(epochs())
                while len(epochs()) == done:
                    assert running.poll() is None and time.monotonic() < deadline
                    time.sleep(0.05)
                children = psutil.Process(running.pid).children()
                next(child for child in children if child.environ().get("RANK") == rank).kill()
            running.wait(LIMIT)
        finally:
            if running.poll() is None:  # they have sessions of their own
                for process in (*psutil.Process(running.pid).children(), running):
                    process.kill()
    assert running.returncode == 0, printed.read_text()
    assert printed.read_text().count("Restarted by torchrun: resuming from") == 2
    assert len(epochs()) == len(set(epochs())) and {"1", "8"} <= set(epochs())  # no saved epoch is trained again
    rows = (out / "log.csv").read_text().splitlines()
    assert [row.split(",")[0] for row in rows] == ["epoch", *map(str, range(1, 9))]
    assert len(read_dmc(out / "dmc.pkl")) == 12
