"""Many jobs in processes, some of which die: each job has one outcome, the guilty are named, the rest goes on."""

import os
import signal
import time
from collections import Counter
from pathlib import Path

import pytest

from common.errors import MediaError
from data.preprocess.runner import AHEAD, CRASHED, VideoResult, processes

PATIENCE = 20  # seconds


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while not path.exists():
        if time.monotonic() > deadline:
            raise MediaError(f"{path.name} never came")
        time.sleep(0.005)


def work(folder: Path, name: str) -> None:
    """What `name` says, after a note of who did it."""
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
    return list(processes(num_threads)(work, {name: (folder, name) for name in names}))


def who_did(folder: Path) -> dict[str, list[str]]:
    """Processes that began each job."""
    return {path.name: path.read_text().split() for path in folder.iterdir()}


def test_after_each_crash_the_others_go_on_side_by_side_and_only_what_ran_then_is_done_again(tmp_path):
    names = [f"job {number}" for number in range(40)]
    names[5], names[20] = "kill", "exit"
    names += ["meet 1", "meet 2"]  # each waits for the other to begin
    outcomes = run(tmp_path, names, num_threads=3)
    assert sorted(outcome.name for outcome in outcomes) == sorted(names)
    failures = {outcome.name: outcome.failure for outcome in outcomes if outcome.failure}
    assert failures == {"kill": CRASHED, "exit": CRASHED}
    did = who_did(tmp_path)
    assert did["meet 1"] != did["meet 2"]
    again = sum(len(did[name]) - 1 for name in names if name not in failures)
    assert again <= 2 * (3 + AHEAD - 1)


@pytest.mark.parametrize("num_threads", [1, 2])
@pytest.mark.parametrize("every", [1, 7], ids=["all", "some"])
def test_many_that_kill_their_process_are_all_named_and_each_job_has_one_outcome(tmp_path, num_threads, every):
    names = [f"exit {number}" if number % every == 0 else f"job {number}" for number in range(6 * every)]
    outcomes = run(tmp_path, names, num_threads)
    assert Counter((outcome.name, outcome.failure) for outcome in outcomes) == Counter(
        (name, CRASHED if name.startswith("exit") else None) for name in names
    )


def test_what_had_ended_when_the_pool_broke_is_not_done_again_and_what_it_refused_is_not_lost(tmp_path):
    names = ["job 1", "job 2", "kill", "job 3", "job 4"]
    outcomes = processes(2)(work, {name: (tmp_path, name) for name in names})
    first = next(outcomes)  # two jobs run and the third waits in the pool; the next would be given to it now
    wait_for(tmp_path / "kill")
    time.sleep(1)
    others = list(outcomes)
    assert sorted(outcome.name for outcome in [first, *others]) == sorted(names)
    assert [outcome.name for outcome in others if outcome.failure] == ["kill"]
    times = {name: len(pids) for name, pids in who_did(tmp_path).items()}
    assert times == {"job 1": 1, "job 2": 1, "kill": 2, "job 3": 1, "job 4": 1}


def test_no_process_waits_for_what_another_is_at(tmp_path):
    """The first job ends when all others have: these go through the other process one after another."""
    names = [f"job {number}" for number in range(20)]
    jobs = {"slow": (tmp_path, names), **{name: (tmp_path, [name]) for name in names}}
    assert [outcome.failure for outcome in processes(2)(_write_or_await, jobs)] == [None] * 21


def _write_or_await(folder: Path, names: list[str]) -> None:
    if len(names) == 1:
        (folder / names[0]).touch()
    for name in names:
        wait_for(folder / name)
