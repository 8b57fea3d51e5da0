"""Two processes train as one with the whole batch, end with one network, and only rank 0 writes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import distributed

from data.dmc_pkl import read_dmc
from tests.fixtures import parallel_steps
from tests.fixtures.training_run import same_weights

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]
STEPS = {"batch": 20, "one": 24, "paper": 6, "odd": 1, "accumulate": 2}
STATISTICS = ("running_mean", "running_var")
EARLIER = b"of an earlier training"  # which left these files
REPLACED = ["run/last.pth", "run/best.pth", "run/log.csv", "run/args.json", "dmc.pkl", "dmc.csv"]
REMOVED = ["run/epoch_007.pth", "run/events.out.tfevents.1"]


def files_of(folder: Path) -> dict[str, bytes]:
    """Path -> content."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def steps_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("steps")
    parallel_steps.make_data(folder)
    return folder


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    """A folder for each of two processes, `0` and `1`; both hold an earlier training."""
    folder = tmp_path_factory.mktemp("two")
    for name in ("0", "1"):
        (folder / name / "run").mkdir(parents=True)
        for file in REPLACED + REMOVED:
            (folder / name / file).write_bytes(EARLIER)
    return folder


@pytest.fixture(scope="module")
def by_two(steps_dir, training_set, out):
    """The results of each of two processes."""
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    command = [*torchrun, "-m", "tests.fixtures.parallel_results", str(steps_dir), str(training_set), str(out)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return [torch.load(out / f"{process}.pt") for process in (0, 1)]


@pytest.mark.parametrize("case", parallel_steps.CASES)
def test_losses_and_weights_are_those_of_one_process_with_the_whole_batch(by_two, steps_dir, case):
    given = parallel_steps.CASES[case]
    alone = parallel_steps.train(steps_dir, given)
    validations = (1 if case == "odd" else 3) * len(alone["averages"]) // 2  # batches of 4, also as micro-batches
    assert len(alone["losses"]) == STEPS[case] * given.get("accumulate", 1) + validations
    for results in by_two:
        result = results["steps"][case]
        assert result["losses"] == pytest.approx(alone["losses"], rel=0, abs=1e-8)
        for together, one in zip(result["averages"], alone["averages"], strict=True):
            assert together == pytest.approx(one, rel=0, abs=1e-8)
        for name, weight in alone["model"].items():
            assert (result["model"][name] - weight).abs().max() < 1e-8, name
    if case == "batch":  # 4 seconds of audio with 2 of noise and 1 of silence: the 3 take one repetition
        assert alone["most_heard"] == 4 + 3
        assert [results["steps"][case]["most_heard"] for results in by_two] == [2 + 2, 2 + 2]


def test_the_weights_move_by_far_more_than_the_tolerance(by_two, steps_dir):
    untrained = parallel_steps.train(steps_dir, parallel_steps.CASES["batch"], epochs=0)["model"]
    for name, weight in by_two[0]["steps"]["batch"]["model"].items():
        if name.endswith("weight"):
            assert (weight - untrained[name]).abs().max() > 1e-4, name


def test_running_statistics_become_the_mean_of_both_processes_and_nothing_else_changes(by_two):
    (first, first_after), (second, second_after) = (results["averaged"] for results in by_two)
    assert len([name for name in first if name.endswith(STATISTICS)]) == 2
    for name in first:
        assert not torch.allclose(first[name], second[name], rtol=0.1), name  # else equal values would prove nothing
        if name.endswith(STATISTICS):
            mean = (first[name].double() + second[name].double()) / 2
            for after in (first_after[name], second_after[name]):
                torch.testing.assert_close(after.double(), mean, rtol=1e-6, atol=1e-7, msg=name)
        else:
            assert torch.equal(first_after[name], first[name]) and torch.equal(second_after[name], second[name]), name


def test_after_a_training_both_processes_have_the_same_weights_and_statistics(by_two):
    first, second = (results["trained"] for results in by_two)
    assert any(name.endswith(STATISTICS) for name in first)
    assert same_weights(first, second)


def test_only_rank_0_writes(by_two, out):
    assert files_of(out / "1") == dict.fromkeys(REPLACED + REMOVED, EARLIER)
    written = files_of(out / "0")
    logs = [name for name in written if name.startswith("run/events")]
    assert len(logs) == 2  # one of the training, one since it was resumed
    assert sorted(written) == sorted([*REPLACED, *logs, "run/epoch_001.pth", "run/epoch_002.pth"])
    assert EARLIER not in written.values()
    assert len(read_dmc(out / "0" / "dmc.pkl")) == 16  # the frames of 4 seconds, shared by both processes


JOIN = """
import os, sys, time
from training.distributed import broadcast_from_rank0, process_group
time.sleep(float(sys.argv[1]))
with process_group():
    print(broadcast_from_rank0(int, os.environ["TORCHELASTIC_RESTART_COUNT"]), flush=True)
    os._exit(0)  # as if killed: its entries stay in the store
"""


def test_restarted_processes_do_not_look_for_dead_ones():
    # torchrun keeps its store with the addresses of dead processes; the second process is late to replace its own.
    store = distributed.TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    common = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2"}
    common |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(store.port), "TORCHELASTIC_USE_AGENT_STORE": "True"}
    for restarts in range(2):
        pair = [
            subprocess.Popen(
                [sys.executable, "-c", JOIN, str(3 * restarts * rank)],
                env={**common, "RANK": str(rank), "TORCHELASTIC_RESTART_COUNT": str(restarts)},
                stdout=subprocess.PIPE,
                text=True,
            )
            for rank in range(2)
        ]
        try:
            printed = [process.communicate(timeout=60)[0] for process in pair]
        finally:
            for process in pair:
                process.kill()
        assert [process.returncode for process in pair] == [0, 0]
        assert printed == [f"{restarts}\n", ""]  # rank 1 is silent
