"""The whole program in two processes under torchrun: its files, its lines, its end, and restarts."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from data.dmc_pkl import read_dmc
from tests.fixtures.sample_set import make_set
from tests.fixtures.training_run import run, small_arguments

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]
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
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, capture_output=True, text=True, timeout=LIMIT, env=environment, cwd=ROOT)


@pytest.fixture(scope="module")
def trained(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder of a training by two processes, and its output; read only."""
    out = tmp_path_factory.mktemp("run") / "dmc"
    done = finish(torchrun(data_dir, out, "--epoch", "2"))
    assert done.returncode == 0, done.stderr
    return out, done.stdout


def test_two_processes_write_the_files_of_one_and_only_rank_0_prints(trained):
    out, printed = trained
    assert sorted(path.name for path in out.iterdir()) == [
        "args.json", "best.pth", "dmc.csv", "dmc.pkl", "last.pth", "log.csv",
    ]  # fmt: skip
    assert len((out / "log.csv").read_text().splitlines()) == 3
    for pattern, count in (
        ("epoch ./2 ", 2),
        ("DMC, recipe", 1),
        ("2 processes: .*BatchNorm", 1),
        ("Wrote the map", 1),
    ):
        assert len(re.findall(f"^{pattern}", printed, re.MULTILINE)) == count, pattern


def test_the_maps_of_two_processes_are_those_of_one(data_dir, trained, tmp_path):
    # 3 test seconds are divided unevenly among two processes.
    assert run(data_dir, trained[0], "--evaluate", "1", "--dmc_pkl", str(tmp_path / "alone.pkl")) == 0
    together, expected = read_dmc(trained[0] / "dmc.pkl"), read_dmc(tmp_path / "alone.pkl")
    assert list(together) == list(expected) and len(expected) == 12
    for key, maps in expected.items():
        np.testing.assert_allclose(together[key], maps, atol=1e-5)
    (head, *rows), (expected_head, *expected_rows) = (
        [row.split(",") for row in path.read_text().splitlines()]
        for path in (trained[0] / "dmc.csv", tmp_path / "alone.csv")
    )
    assert head == expected_head and [row[0] for row in rows] == [row[0] for row in expected_rows] == list(expected)
    distances, expected_distances = (np.array([row[1:] for row in of], float) for of in (rows, expected_rows))
    np.testing.assert_allclose(distances, expected_distances, rtol=1e-4)


def test_a_batch_that_two_processes_cannot_share_is_refused_once_with_a_remedy(data_dir, tmp_path):
    done = finish(torchrun(data_dir, tmp_path / "run", "--batch_size", "5"))
    assert done.returncode != 0
    assert done.stderr.count("is no multiple of 2 processes: give 4 or 6") == 1
    assert not (tmp_path / "run").exists()


def children(pid: int) -> list[int]:
    """The child processes of a process."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def rank_of(pid: int) -> str | None:
    """The rank in a process's environment."""
    variables = dict(entry.partition("=")[::2] for entry in Path(f"/proc/{pid}/environ").read_text().split("\0"))
    return variables.get("RANK")


def kill(torchrun_pid: int, rank: str) -> None:
    """Kill a process of torchrun by its rank."""
    (killed,) = (child for child in children(torchrun_pid) if rank_of(child) == rank)
    os.kill(killed, signal.SIGKILL)


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="reads processes from Linux's /proc")
def test_killed_processes_are_restarted_and_training_resumes_from_the_last_checkpoint(data_dir, tmp_path):
    out, printed = tmp_path / "run", tmp_path / "printed"
    restarting = ("--max-restarts=2", "--monitor-interval=0.2")
    command = torchrun(data_dir, out, "--epoch", "8", torchrun_options=restarting)
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}

    def epochs() -> list[str]:  # printed once an epoch is saved
        return re.findall(r"^epoch (\d)/8 ", printed.read_text(), re.MULTILINE)

    with printed.open("w") as output:
        running = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, env=environment, cwd=ROOT)
        try:
            deadline = time.monotonic() + LIMIT
            for rank in ("1", "0"):  # rank 0 writes and prints, rank 1 waits for it
                done = len(epochs())
                while len(epochs()) == done:
                    assert running.poll() is None and time.monotonic() < deadline
                    time.sleep(0.05)
                kill(running.pid, rank)
            status = running.wait(LIMIT)
        finally:
            if running.poll() is None:  # they have sessions of their own
                for process in (running.pid, *children(running.pid)):
                    os.kill(process, signal.SIGKILL)
    assert status == 0, printed.read_text()
    assert printed.read_text().count("Restarted by torchrun: resuming from") == 2
    assert len(epochs()) == len(set(epochs())) and {"1", "8"} <= set(epochs())  # no saved epoch is trained again
    rows = (out / "log.csv").read_text().splitlines()
    assert [row.split(",")[0] for row in rows] == ["epoch", *map(str, range(1, 9))]
    assert len(read_dmc(out / "dmc.pkl")) == 12
