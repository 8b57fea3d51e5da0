"""What all tests share: one computing thread, that Ctrl-C is heard, and what tests of trainings need."""

import os
import signal
import sys
from pathlib import Path

import pytest

# Before PyTorch is loaded: the processes of `make test` would else be in each other's way, and a training would choose
# the number by measuring, so that its weights could differ from one run to the next.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# A shell that starts the tests in the background has it ignored, and so would all programs that they start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items):
    """Files with slow tests first: a process would otherwise end alone with them."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(scope="module", autouse=True)
def small_numbers():
    """Numbers below 1e-38 are numbers again: after a training on a CPU, its process takes them for 0."""
    if torch := sys.modules.get("torch"):
        torch.set_flush_denormal(False)


@pytest.fixture(scope="module")
def small():
    """Networks have small backbones."""
    from tests.fixtures.small_network import small_backbones

    with small_backbones():
        yield


@pytest.fixture(scope="session")
def training_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A set to train on and to test, with noise and silence; read only."""
    from tests.fixtures.sample_set import add_negatives, make_set

    folder = tmp_path_factory.mktemp("set")
    make_set(folder, train=4, val=2, test=2, seconds=2)
    add_negatives(folder)
    return folder
