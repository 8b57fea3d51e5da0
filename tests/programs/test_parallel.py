"""What two processes leave: one network, statistics of BatchNorm included, and files of the first process alone."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from data.dmc_pkl import read_dmc
from tests.fixtures.sample_set import make_set

ROOT = Path(__file__).resolve().parents[2]
STATISTICS = ("running_mean", "running_var")
# What an earlier training left, as the first process deals with it.
REPLACED = ["run/last.pth", "run/best.pth", "run/log.csv", "run/args.json", "dmc.pkl", "dmc.csv"]
REMOVED = ["run/epoch_007.pth", "run/events.out.tfevents.1"]


def files_of(folder: Path) -> dict[str, tuple[int, int, bytes]]:
    """Path -> which file it is, when it was last written, and what is in it."""
    return {
        str(path.relative_to(folder)): (path.stat().st_ino, path.stat().st_mtime_ns, path.read_bytes())
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for what each of two processes writes, `0` and `1`; both hold an earlier training."""
    folder = tmp_path_factory.mktemp("two")
    for name in ("0", "1"):
        (folder / name / "run").mkdir(parents=True)
        for file in REPLACED + REMOVED:
            (folder / name / file).write_text("of an earlier training")
    return folder


@pytest.fixture(scope="module")
def before(out: Path) -> dict[str, tuple[int, int, bytes]]:
    """What was there for the second process to leave alone."""
    return files_of(out / "1")


@pytest.fixture(scope="module")
def by_two(out: Path, before: object, tmp_path_factory: pytest.TempPathFactory) -> list[dict]:
    """The results of each of two processes."""
    data_dir = tmp_path_factory.mktemp("set")
    make_set(data_dir, train=4, val=2, test=3, seconds=1)
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    command = [*torchrun, "-m", "tests.fixtures.parallel_results", str(data_dir), str(out)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return [torch.load(out / f"{process}.pt") for process in (0, 1)]


def test_running_statistics_become_the_mean_of_both_and_nothing_else_changes(by_two):
    (first, first_after), (second, second_after) = (results["averaged"] for results in by_two)
    assert len([name for name in first if name.endswith(STATISTICS)]) == 4
    for name in first:
        assert not torch.allclose(first[name], second[name], rtol=0.1), name  # else there is nothing to see
        if name.endswith(STATISTICS):
            mean = (first[name].double() + second[name].double()) / 2
            for after in (first_after[name], second_after[name]):
                torch.testing.assert_close(after.double(), mean, rtol=1e-6, atol=1e-7, msg=name)
        else:
            assert torch.equal(first_after[name], first[name]) and torch.equal(second_after[name], second[name]), name


def test_after_a_training_both_have_the_same_weights_and_statistics(by_two):
    first, second = (results["trained"] for results in by_two)
    assert any(name.endswith(STATISTICS) for name in first)
    for name, value in first.items():
        torch.testing.assert_close(second[name], value, rtol=0, atol=0, msg=name)


def test_only_the_first_process_writes_and_the_other_leaves_what_is_there_untouched(by_two, before, out):
    assert files_of(out / "1") == before
    written = files_of(out / "0")
    logs = [name for name in written if name.startswith("run/events")]
    assert len(logs) == 2  # one of the training, one since it was resumed
    assert sorted(written) == sorted([*REPLACED, *logs, "run/epoch_001.pth", "run/epoch_002.pth"])
    assert all(content != b"of an earlier training" for _, _, content in written.values())
    assert len(read_dmc(out / "0" / "dmc.pkl")) == 12  # the frames of 3 seconds, of which each process had a share
