"""A fresh installation has what the code imports: what a program needs stands in requirements.txt itself."""

import ast
import importlib.metadata
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PROGRAMS = ("common", "data", "models", "training", "metrics", "vis", "location_dmc.py")
CLUSTER = "data/preprocess/dask_executor.py"  # only imported when --dask is given
DISTRIBUTIONS = {"cv2": "opencv-python-headless"}  # of packages that need not be installed here
OWN = {"common", "data", "models", "training", "metrics", "vis", "benchmarks", "tests", "location_dmc"}


def sources(names: tuple[str, ...]) -> list[Path]:
    folders = (ROOT / name for name in names)
    return [path for folder in folders for path in ([folder] if folder.is_file() else sorted(folder.rglob("*.py")))]


def without_cluster(paths: list[Path]) -> list[Path]:
    return [path for path in paths if path != ROOT / CLUSTER]


def imported(tree: ast.AST) -> Iterator[str]:
    """Top-level names of the packages that a file imports, wherever in it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.split(".")[0]


def foreign(paths: list[Path]) -> dict[str, Path]:
    """Package -> a file that imports it, without Python's own and ours."""
    found: dict[str, Path] = {}
    for path in paths:
        for name in imported(ast.parse(path.read_text(encoding="utf-8"))):
            if name not in sys.stdlib_module_names and name not in OWN:
                found.setdefault(name, path.relative_to(ROOT))
    return found


def required(*files: str) -> set[str]:
    """Names of the distributions that requirements files ask for."""
    lines = (line for file in files for line in (ROOT / file).read_text(encoding="utf-8").splitlines())
    return {match[0].lower() for line in lines if (match := re.match(r"[\w-]+", line))}


@pytest.mark.parametrize(
    ("places", "files"),
    [
        (PROGRAMS, ("requirements.txt",)),
        (
            ("tests", "benchmarks"),
            ("requirements.txt", "requirements-dev.txt", "requirements-cluster.txt", "requirements-benchmark.txt"),
        ),
    ],
)
def test_every_import_is_in_the_requirements(places, files):
    needed = foreign(without_cluster(sources(places)))
    assert {"numpy", "torch"} <= needed.keys()
    assert not_required(needed, *files) == {}


def test_only_one_file_imports_what_a_cluster_needs():
    needed = foreign([ROOT / CLUSTER])
    assert "distributed" in not_required(needed, "requirements.txt")
    assert not_required(needed, "requirements.txt", "requirements-cluster.txt") == {}


def not_required(needed: dict[str, Path], *files: str) -> dict[str, str]:
    """Packages that the requirements files don't ask for, each with a file that imports it."""
    distributions = importlib.metadata.packages_distributions()
    names = required(*files)
    return {
        name: str(path)
        for name, path in needed.items()
        if not names & {one.lower() for one in distributions.get(name, [DISTRIBUTIONS.get(name, name)])}
    }
