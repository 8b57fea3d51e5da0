"""The run and the data set that draw.py and report.py show; the threads of PyTorch."""

import shutil
from pathlib import Path

import pytest
import torch

from tests.fixtures.report_set import make_report_set, make_run


@pytest.fixture(autouse=True)
def threads_as_before():
    """localize.py sets the threads of PyTorch for the whole process, and sums differ by their number."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def report_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Read only."""
    folder = tmp_path_factory.mktemp("report") / "set"
    make_report_set(folder)
    return folder


@pytest.fixture
def data_dir(report_set: Path, tmp_path: Path) -> Path:
    """A copy that a test may alter."""
    return shutil.copytree(report_set, tmp_path / "set")


@pytest.fixture
def dmc_pkl(tmp_path: Path) -> Path:
    return make_run(tmp_path / "run")
