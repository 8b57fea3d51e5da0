"""The rules of the architecture: who imports whom, what has to be installed, how long a module is."""

import ast
import importlib.metadata
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ROOMS = {  # room -> the rooms of ours that it may import
    "common": set(),
    "models": set(),
    "data": {"common"},
    "training": {"common", "models", "data"},
    "metrics": {"common", "data"},
    "vis": {"common", "models", "data", "training", "metrics"},
    "benchmarks": {"common", "models", "data", "training", "metrics"},
    "location_dmc.py": {"common", "models", "data", "training", "vis"},
}
OWN = {room.removesuffix(".py") for room in ROOMS} | {"tests"}
NETWORK_PROGRAMS = ("metrics/features.py", "metrics/retrieval.py")  # scores need no network, these two run one
MEDIA_ROOMS = ("data/media/", "data/demo/", "vis/heat_video/", "vis/page/")
MEDIA_ROOMS += ("benchmarks/plain",)  # loops written without the project, to compare it with
CLUSTER = ROOT / "data/preprocess/dask_executor.py"  # only imported when --dask is given
FETCH = ROOT / "data/sets/fetch.py"  # only imported by a download
DISTRIBUTIONS = {"cv2": "opencv-python-headless"}  # of packages that need not be installed here
LONGEST_MODULE = 300


def files_of(room: str) -> list[Path]:
    return [ROOT / room] if "." in room else sorted((ROOT / room).rglob("*.py"))


MODULES = [path for room in ROOMS for path in files_of(room)]
BENCHMARKS = files_of("benchmarks")


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def imported_modules(path: Path) -> set[str]:
    """Full names of the modules that a file imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def imported_packages(path: Path) -> set[str]:
    return {name.split(".")[0] for name in imported_modules(path)}


def is_program(path: Path) -> bool:
    return '__name__ == "__main__"' in path.read_text(encoding="utf-8")


PROGRAMS = {name_of(path).removesuffix(".py").replace("/", ".") for path in MODULES if is_program(path)}


def test_there_are_programs_and_modules():
    assert {"location_dmc", "data.cut_video", "metrics.score", "vis.localize"} <= PROGRAMS
    assert len(MODULES) > 60
    assert {"numpy", "torch"} <= set().union(*map(imported_packages, MODULES))


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_module_imports_only_rooms_that_it_may_import(path):
    room = path.relative_to(ROOT).parts[0]
    allowed = ROOMS[room] | {room}
    if name_of(path) in NETWORK_PROGRAMS:
        allowed |= {"models", "training"}
    assert imported_packages(path) & OWN <= allowed


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_nobody_imports_a_program(path):
    assert not imported_modules(path) & PROGRAMS


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_pyav_and_librosa_stay_in_their_rooms(path):
    assert name_of(path).startswith(MEDIA_ROOMS) or not imported_packages(path) & {"av", "librosa"}


@pytest.mark.parametrize("path", BENCHMARKS, ids=name_of)
def test_a_benchmark_patches_nothing_of_the_project(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert not any(isinstance(node, ast.Name) and node.id == "setattr" for node in ast.walk(tree))
    assert "unittest.mock" not in imported_modules(path)


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_module_is_short_enough_to_be_read(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST_MODULE


def not_required(paths: list[Path], files: list[str]) -> dict[str, str]:
    """Packages that these requirements files don't ask for, each with a module that imports it."""
    lines = [line for file in files for line in (ROOT / file).read_text(encoding="utf-8").splitlines()]
    required = {match[0].lower() for line in lines if (match := re.match(r"[\w-]+", line))}
    installed = importlib.metadata.packages_distributions()
    needed = {name: name_of(path) for path in paths for name in imported_packages(path)}
    return {
        name: path
        for name, path in needed.items()
        if name not in {*sys.stdlib_module_names, *OWN}
        and not required & {one.lower() for one in installed.get(name, [DISTRIBUTIONS.get(name, name)])}
    }


@pytest.mark.parametrize(
    ("paths", "kinds"),
    [
        ([path for path in MODULES if path not in (*BENCHMARKS, CLUSTER, FETCH)], [""]),
        ([CLUSTER], ["", "-cluster"]),
        ([FETCH], ["", "-download"]),
        ([*BENCHMARKS, *files_of("tests")], ["", "-dev", "-cluster", "-download", "-benchmark"]),
    ],
    ids=["programs", "cluster", "download", "benchmarks and tests"],
)
def test_a_fresh_installation_has_all_imports(paths, kinds):
    assert not_required(paths, [f"requirements{kind}.txt" for kind in kinds]) == {}


def test_only_a_cluster_needs_dask():
    assert "distributed" in not_required([CLUSTER], ["requirements.txt"])
