"""Jobs in worker processes, some of which die: each job has one result, the guilty are named, the others go on."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from common.errors import MediaError
from data.preprocess.runner import CRASHED, VideoResult, iterate_results, local_workers, map_videos

PATIENCE = 20  # seconds


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while not path.exists():
        if time.monotonic() > deadline:
            raise MediaError(f"{path.name} never came")
        time.sleep(0.005)


def work(folder: Path, name: str) -> None:
    """Do what `name` says, after recording the process."""
    with (folder / name).open("a") as file:
        file.write(f"{os.getpid()}\n")
    if name.startswith("job"):
        time.sleep(0.02)  # a pool only notices that it is broken once no result is on its way
    if name.startswith("kill"):
        time.sleep(0.3)  # so that what began before has ended
        os.kill(os.getpid(), signal.SIGKILL)
    if name.startswith("exit"):
        os._exit(1)
    if name.startswith("meet"):
        wait_for(folder / {"meet 1": "meet 2", "meet 2": "meet 1"}[name])


def run(folder: Path, names: list[str], num_threads: int) -> list[VideoResult]:
    return map_videos(work, {name: (folder, name) for name in names}, local_workers(num_threads), "test")


def processes_of(folder: Path) -> dict[str, list[str]]:
    """Return the processes that began each job."""
    return {path.name: path.read_text().split() for path in folder.iterdir()}


def test_after_a_crash_the_others_go_on_in_parallel_and_only_the_running_jobs_are_repeated(tmp_path):
    names = [f"job {number}" for number in range(40)]
    names[5], names[20] = "kill", "exit"
    names += ["meet 1", "meet 2"]  # each waits for the other to begin
    results = run(tmp_path, names, num_threads=3)
    assert [result.failure for result in results] == [CRASHED if name in ("kill", "exit") else None for name in names]
    did = processes_of(tmp_path)
    assert did["meet 1"] != did["meet 2"]
    again = sum(len(pids) - 1 for name, pids in did.items() if name not in ("kill", "exit"))
    assert again <= 2 * (3 - 1)


@pytest.mark.parametrize("num_threads", [1, 2])
@pytest.mark.parametrize("every", [1, 7], ids=["all", "some"])
def test_every_job_that_kills_its_process_is_named_and_each_job_has_one_result(tmp_path, num_threads, every):
    names = [f"exit {number}" if number % every == 0 else f"job {number}" for number in range(6 * every)]
    results = run(tmp_path, names, num_threads)
    assert [(result.name, result.failure) for result in results] == [
        (name, CRASHED if name.startswith("exit") else None) for name in names
    ]


def test_a_job_that_ended_before_the_crash_is_not_repeated_and_a_refused_job_is_not_lost(tmp_path):
    names = ["job 1", "job 2", "kill", "job 3", "job 4"]
    results = iterate_results(work, {name: (tmp_path, name) for name in names}, local_workers(3))
    first = next(results)  # another job has ended, and "kill" runs; "job 3" would be given to the pool now
    wait_for(tmp_path / "kill")
    time.sleep(1)
    others = list(results)
    assert sorted(result.name for result in [first, *others]) == sorted(names)
    assert [result.name for result in others if result.failure] == ["kill"]
    times = {name: len(pids) for name, pids in processes_of(tmp_path).items()}
    assert times == {"job 1": 1, "job 2": 1, "kill": 2, "job 3": 1, "job 4": 1}


def test_no_process_waits_for_the_job_of_another(tmp_path):
    """The first job ends when all others have: these go through the other process one after another."""
    names = [f"job {number}" for number in range(20)]
    jobs = {"slow": (tmp_path, names), **{name: (tmp_path, [name]) for name in names}}
    assert [result.failure for result in map_videos(_write_or_await, jobs, local_workers(2), "test")] == [None] * 21


def _write_or_await(folder: Path, names: list[str]) -> None:
    if len(names) == 1:
        (folder / names[0]).touch()
    for name in names:
        wait_for(folder / name)


INTERRUPTED_POOL = """
import signal
from data.preprocess import runner
runner.end_with_parent = lambda _: signal.raise_signal(signal.SIGINT)
with runner.open_pool(1) as pool:
    print(type(pool.submit(int).exception()).__name__)
"""


@pytest.mark.skipif(multiprocessing.get_start_method() != "fork", reason="the worker needs the changed function")
def test_ctrl_c_while_a_worker_starts_prints_nothing():
    # A process of its own: pytest takes what the pool logs.
    done = subprocess.run([sys.executable, "-c", INTERRUPTED_POOL], capture_output=True, text=True)
    assert done.stdout == "BrokenProcessPool\n" and done.stderr == ""
