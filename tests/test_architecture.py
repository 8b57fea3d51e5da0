"""The rules of the architecture: who imports whom, where PyAV and librosa are, how long a module is."""

import ast
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
MEDIA_ROOMS = ("data/media/", "data/demo/", "vis/heat_video/", "vis/page/")
MEDIA_ROOMS += ("benchmarks/plain",)  # loops written without the project, to compare it with
MODULES = [path for room in ROOMS for path in ([ROOT / room] if "." in room else sorted((ROOT / room).rglob("*.py")))]
LONGEST_MODULE = 300


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


def is_program(path: Path) -> bool:
    return '__name__ == "__main__"' in path.read_text(encoding="utf-8")


PROGRAMS = {name_of(path).removesuffix(".py").replace("/", ".") for path in MODULES if is_program(path)}


def test_there_are_programs_and_modules():
    assert {"location_dmc", "data.cut_video", "metrics.score", "vis.localize"} <= PROGRAMS
    assert len(MODULES) > 60


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_module_imports_only_rooms_that_it_may_import(path):
    room = path.relative_to(ROOT).parts[0]
    rooms = {name.split(".")[0] for name in imported_modules(path)} & {other.removesuffix(".py") for other in ROOMS}
    assert rooms <= ROOMS[room] | {room}


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_nobody_imports_a_program(path):
    assert not imported_modules(path) & PROGRAMS


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_pyav_and_librosa_stay_in_their_rooms(path):
    packages = {name.split(".")[0] for name in imported_modules(path)}
    assert name_of(path).startswith(MEDIA_ROOMS) or not packages & {"av", "librosa"}


@pytest.mark.parametrize("path", [path for path in MODULES if name_of(path).startswith("benchmarks/")], ids=name_of)
def test_a_benchmark_patches_nothing_of_the_project(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert not any(isinstance(node, ast.Name) and node.id == "setattr" for node in ast.walk(tree))
    assert "unittest.mock" not in imported_modules(path)


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_module_is_short_enough_to_be_read(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST_MODULE
