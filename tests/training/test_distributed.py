"""Two processes train as one with the whole batch: same losses, same weights."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.fixtures import parallel_steps

ROOT = Path(__file__).resolve().parents[2]
STEPS = {"batch": 20, "one": 20, "uneven": 5, "odd": 1, "accumulate": 2}


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("set")
    parallel_steps.make_data(folder)
    return folder


@pytest.fixture(scope="module")
def by_two(data_dir, tmp_path_factory):
    """The results of each of two processes."""
    out = tmp_path_factory.mktemp("two")
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    command = [*torchrun, "-m", "tests.fixtures.parallel_steps", str(data_dir), str(out)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return [torch.load(out / f"{process}.pt") for process in (0, 1)]


@pytest.mark.parametrize("case", parallel_steps.CASES)
def test_losses_and_weights_are_those_of_one_process_with_the_whole_batch(by_two, data_dir, case):
    alone = parallel_steps.train(data_dir, parallel_steps.CASES[case])
    epochs = parallel_steps.CASES[case]["epoch"]
    validation_batches = 1 if case == "odd" else 3  # of 4, also where these are the parts of batches of 8
    parts = STEPS[case] * parallel_steps.CASES[case].get("accumulate", 1)
    assert len(alone["losses"]) == parts + validation_batches * epochs
    for results in by_two:
        result = results[case]
        assert result["losses"] == pytest.approx(alone["losses"], rel=0, abs=1e-8)
        for together, one in zip(result["averages"], alone["averages"], strict=True):
            assert together == pytest.approx(one, rel=0, abs=1e-8)
        for name, weight in alone["model"].items():
            assert (result["model"][name] - weight).abs().max() < 1e-8, name


def test_processes_share_out_noise_and_silence_as_they_do_sounds(by_two, data_dir):
    # 4 sounds with 2 of noise and 1 of silence, which go through BatchNorm too: the 3 take one repetition.
    assert parallel_steps.train(data_dir, parallel_steps.CASES["uneven"])["most_heard"] == 4 + 3
    assert [results["uneven"]["most_heard"] for results in by_two] == [2 + 2, 2 + 2]


def test_weights_move_in_these_steps_by_much_more_than_they_may_differ(by_two, data_dir):
    untrained = parallel_steps.train(data_dir, parallel_steps.CASES["batch"] | {"epoch": 0})["model"]
    for name, weight in by_two[0]["batch"]["model"].items():
        if name.endswith("weight"):
            assert (weight - untrained[name]).abs().max() > 1e-4, name
