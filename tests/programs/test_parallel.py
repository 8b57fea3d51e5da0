"""The whole program in two processes that torchrun starts: what it writes, what it says, and how it ends."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from torch import distributed

from data.dmc_pkl import read_dmc
from tests.fixtures.sample_set import make_set

ROOT = Path(__file__).resolve().parents[2]
LIMIT = 240  # seconds, so that processes that wait for one another fail a test and do not stall it
SMALL = "--image_size 32 --batch_size 4 --num_threads 0 --device cpu --save_every 0 --precision fp32".split()


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("set")
    make_set(folder, train=4, val=2, test=3, seconds=1)
    return folder


def program(data_dir: Path, out: Path, *options: str) -> list[str]:
    where = ["--data_dir", str(data_dir), "--out", str(out), "--dmc_pkl", str(out / "dmc.pkl")]
    return [str(ROOT / "location_dmc.py"), *SMALL, *where, *options]


def torchrun(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2", *arguments]


def finished(command: list[str]) -> subprocess.CompletedProcess:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, capture_output=True, text=True, timeout=LIMIT, env=environment, cwd=ROOT)


@pytest.fixture(scope="module")
def trained(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess]:
    """The folder of a training by two processes, and what they said; to be left as it is."""
    out = tmp_path_factory.mktemp("run") / "dmc"
    return out, finished(torchrun("--", *program(data_dir, out, "--epoch", "2")))


def test_two_processes_train_evaluate_and_write_what_one_writes(trained):
    out, done = trained
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in out.iterdir()) == [
        "args.json", "best.pth", "dmc.csv", "dmc.pkl", "last.pth", "log.csv",
    ]  # fmt: skip
    assert len((out / "log.csv").read_text().splitlines()) == 3


def test_only_the_first_process_speaks_and_says_once_what_batchnorm_does(trained):
    lines = trained[1].stdout.splitlines()
    for pattern, count in (("epoch ./2 ", 2), ("DMC, recipe", 1), ("2 processes: BatchNorm", 1), ("Wrote the maps", 1)):
        assert len([line for line in lines if re.match(pattern, line)]) == count, pattern


def test_the_maps_of_two_processes_are_those_of_one_with_the_same_network_each_once(data_dir, trained, tmp_path):
    # 3 test seconds go unevenly to two processes.
    options = ["--evaluate", "1", "--dmc_pkl", str(tmp_path / "alone.pkl")]  # the last one given counts
    alone = finished([sys.executable, *program(data_dir, trained[0], *options)])
    assert alone.returncode == 0, alone.stderr
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


def test_a_batch_that_does_not_go_round_is_refused_by_all_of_them_with_a_remedy(data_dir, tmp_path):
    done = finished(torchrun("--", *program(data_dir, tmp_path / "run", "--batch_size", "5")))
    assert done.returncode != 0
    assert done.stderr.count("is no multiple of 2 processes: give 4 or 6") == 1
    assert not (tmp_path / "run").exists()


def children(pid: int) -> list[int]:
    """Processes that a process has started, as Linux tells."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def rank_of(pid: int) -> str | None:
    """Which of torchrun's processes this is, as its environment says."""
    variables = dict(entry.partition("=")[::2] for entry in Path(f"/proc/{pid}/environ").read_text().split("\0"))
    return variables.get("RANK")


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="finds the processes as Linux tells of them")
@pytest.mark.parametrize("rank", ["0", "1"])  # the first writes and speaks, the other waits for it
def test_a_killed_process_is_restarted_and_training_goes_on_from_the_last_checkpoint(data_dir, tmp_path, rank):
    out = tmp_path / "run"
    command = torchrun("--max-restarts=1", "--monitor-interval=0.2", "--", *program(data_dir, out, "--epoch", "6"))
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
    with (tmp_path / "said").open("w") as said:
        running = subprocess.Popen(command, stdout=said, stderr=subprocess.STDOUT, env=environment, cwd=ROOT)
        try:
            deadline = time.monotonic() + LIMIT
            while "epoch 1/6 " not in (tmp_path / "said").read_text():  # said once the epoch is saved
                assert running.poll() is None and time.monotonic() < deadline
                time.sleep(0.05)
            (killed,) = (child for child in children(running.pid) if rank_of(child) == rank)
            os.kill(killed, signal.SIGKILL)
            status = running.wait(LIMIT)
        finally:
            if running.poll() is None:  # they have sessions of their own
                for process in (running.pid, *children(running.pid)):
                    os.kill(process, signal.SIGKILL)
    text = (tmp_path / "said").read_text()
    assert status == 0, text
    assert "Restarted by torchrun: going on from" in text
    epochs = re.findall(r"^epoch (\d)/6 ", text, re.MULTILINE)
    assert len(epochs) == len(set(epochs)) and {"1", "6"} <= set(epochs)  # none that was saved is trained again
    rows = (out / "log.csv").read_text().splitlines()
    assert [row.split(",")[0] for row in rows] == ["epoch", "1", "2", "3", "4", "5", "6"]
    assert len(read_dmc(out / "dmc.pkl")) == 12


JOIN = """
import os, sys, time
from training.processes import joined, joined_in_first
time.sleep(float(sys.argv[1]))
with joined():
    print(joined_in_first({os.environ["RANK"]: int(sys.argv[1])}), flush=True)
    os._exit(0)  # as if killed: what it wrote into the store stays there
"""


def test_processes_started_again_do_not_look_for_those_that_died():
    # torchrun keeps its store and with it the addresses of those before; the second process is late to mend its own.
    store = distributed.TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    common = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2"}
    common |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(store.port), "TORCHELASTIC_USE_AGENT_STORE": "True"}
    for restarts in range(2):
        waits = (0, 3 * restarts)
        pair = [
            subprocess.Popen(
                [sys.executable, "-c", JOIN, str(wait)],
                env={**common, "RANK": str(rank), "TORCHELASTIC_RESTART_COUNT": str(restarts)},
                stdout=subprocess.PIPE,
                text=True,
            )
            for rank, wait in enumerate(waits)
        ]
        try:
            said = [process.communicate(timeout=LIMIT)[0] for process in pair]
        finally:
            for process in pair:
                process.kill()
        assert [process.returncode for process in pair] == [0, 0]
        assert said[0] == f"{{'0': 0, '1': {waits[1]}}}\n"
