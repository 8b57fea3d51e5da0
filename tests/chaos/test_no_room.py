"""Each program runs out of room: it names file and cause, what was finished stays, and going on completes it."""

import contextlib
import importlib
import os
import resource
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.chaos.harness import contents, hidden
from tests.chaos.programs import PROGRAMS, Program, frames_and_boxes
from tests.fixtures.small_network import small_backbones

pytestmark = pytest.mark.slow
ROOM = 256_000_000  # bytes of the small disk
SHARES = (0.0, 0.3, 0.6, 0.9)  # of the room that a program needs
SINGLE = [program for program in PROGRAMS if not program.launcher]


@contextlib.contextmanager
def short_files(folder: Path, made: list[int], share: float) -> Iterator[None]:
    """No file may become as long as one of those that the program makes."""
    before, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (sorted(made)[int(share * len(made))] - 1, most))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (before, most))


@contextlib.contextmanager
def full_disk(folder: Path, made: list[int], share: float) -> Iterator[None]:
    """The disk has room for a part of what the program makes."""
    filler = folder.parent / "filler"
    free = shutil.disk_usage(folder).free
    with filler.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, free - int(share * (sum(made) + max(made))))
    try:
        yield
    finally:
        filler.unlink()


@pytest.fixture(scope="module")
def small_disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("disk")
    mount = ["mount", "-t", "tmpfs", "-o", f"size={ROOM}", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("only root may mount a small disk")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def run(program: Program, folder: Path, more: str = "") -> int:
    """Run a program in this process."""
    # Without processes that load data, whose shared memory is files, too.
    training = "--num_threads 0 --cache 0" if program.start is frames_and_boxes else ""
    script, *options = f"{program.command} {training} {more}".split()
    with pytest.MonkeyPatch.context() as patch, small_backbones() if training else contextlib.nullcontext():
        patch.chdir(folder)
        return importlib.import_module(script.removesuffix(".py").replace("/", ".")).main(options)


def fill_up(program: Program, folder: Path, no_room: Callable, words: str, capsys: pytest.CaptureFixture) -> None:
    """Let a program fail at several moments for want of room, and go on each time."""
    start = folder / "start"
    start.mkdir()
    program.start(start)
    work = shutil.copytree(start, folder / "work")
    assert run(program, work) == 0
    made = contents(work)
    new = [name for name in made if not (start / name).exists() or made[name] != contents(start).get(name)]
    sizes = [(work / name).stat().st_size for name in new]
    failures = 0
    for share in SHARES:
        shutil.rmtree(work)
        shutil.copytree(start, work)
        capsys.readouterr()
        with no_room(work, sizes, share):
            status = run(program, work)
        errors = capsys.readouterr().err
        if status:
            failures += 1
            assert words in errors and any(Path(name).parts[0] in errors for name in new), errors
            contents(work)  # is whole
            assert run(program, work, program.go_on) == 0
        left = contents(work)
        assert [name for name in {**made, **left} if left.get(name) != made.get(name)] == []
        assert hidden(work) == []
    assert failures >= 2


@pytest.mark.parametrize("program", SINGLE, ids=lambda program: program.name)
def test_files_that_may_not_grow(program, tmp_path, capsys):
    fill_up(program, tmp_path, short_files, "File too large", capsys)


@pytest.mark.parametrize("program", SINGLE, ids=lambda program: program.name)
def test_a_full_disk(program, small_disk, capsys):
    folder = small_disk / program.name
    folder.mkdir()
    fill_up(program, folder, full_disk, "No space left", capsys)
    shutil.rmtree(folder)
