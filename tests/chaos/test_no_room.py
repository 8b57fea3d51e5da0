"""Each program runs out of room: it names file and cause, what was finished stays, and going on completes it."""

import contextlib
import functools
import importlib
import itertools
import os
import random
import resource
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import location_dmc
from tests.chaos.harness import KILLS, LIMIT, SEED, Contents, contents, name_of, require_same, require_whole
from tests.chaos.programs import PROGRAMS, ROOT, Program, frames_and_boxes
from tests.fixtures.planted import plant_checkpoint
from tests.fixtures.small_network import small_backbones
from tests.fixtures.training_run import small_arguments

pytestmark = pytest.mark.slow
ROOM = 256_000_000  # bytes of the small disk


@contextlib.contextmanager
def short_files(folder: Path, sizes: list[int], share: float) -> Iterator[None]:
    """No file may become as long as one of those that the program makes."""
    before, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (sorted(sizes)[int(share * len(sizes))] - 1, most))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (before, most))


@contextlib.contextmanager
def full_disk(folder: Path, sizes: list[int], share: float) -> Iterator[None]:
    """The disk has room for a part of what the program makes."""
    filler = folder.parent / "filler"
    free = shutil.disk_usage(folder).free
    with filler.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, free - int(share * sum(sizes)))
    try:
        yield
    finally:
        filler.unlink()


def cases() -> list:
    """One program after the other, with a kind of want and a share of chance."""
    rng = random.Random(SEED)
    programs = itertools.cycle(program for program in PROGRAMS if not program.launcher)
    return [
        pytest.param(
            program,
            rng.choice((short_files, full_disk)),
            round(rng.random(), 3),
            marks=pytest.mark.xdist_group(program.name),
        )
        for program in itertools.islice(programs, KILLS)
    ]


@pytest.fixture(scope="module")
def small_disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path | None]:
    """A folder on a disk of its own; None where only root may mount one."""
    folder = tmp_path_factory.mktemp("disk")
    mount = ["mount", "-t", "tmpfs", "-o", f"size={ROOM}", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True).returncode:
        yield None
        return
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def run(program: Program, folder: Path, more: str = "") -> int:
    """Run a program in this process."""
    # Without processes that load data, whose shared memory is files, too.
    alone = "--num_threads 0 --cache 0" if "location_dmc" in program.command else ""
    script, *options = f"{program.command} {alone} {more}".split()
    trains = program.start is frames_and_boxes
    with pytest.MonkeyPatch.context() as patch, small_backbones() if trains else contextlib.nullcontext():
        patch.chdir(folder)
        return importlib.import_module(script.removesuffix(".py").replace("/", ".")).main(options)


@pytest.fixture(scope="module")
def with_room(tmp_path_factory: pytest.TempPathFactory) -> Callable:
    """Program -> the folder that it starts from, what that holds, what it makes of it, and sizes of the new files."""

    @functools.cache
    def make(program: Program) -> tuple[Path, Contents, Contents, dict[str, int]]:
        start = program.make_start(tmp_path_factory)
        before = contents(start)
        work = shutil.copytree(start, start.with_name("with_room"))
        assert run(program, work) == 0
        made = contents(work)
        sizes = {name: (work / name).stat().st_size for name in made if made[name] != before.get(name)}
        return start, before, made, sizes

    return make


@pytest.mark.parametrize(("program", "no_room", "share"), cases(), ids=name_of)
def test_nothing_is_lost(program, no_room, share, with_room, small_disk, tmp_path, capsys):
    if no_room is full_disk and small_disk is None:
        pytest.skip("only root may mount a small disk")
    start, before, made, sizes = with_room(program)
    folder = small_disk if no_room is full_disk else tmp_path
    work = shutil.copytree(start, folder / "work")
    try:
        capsys.readouterr()
        with no_room(work, list(sizes.values()), share):
            status = run(program, work)
        errors = capsys.readouterr().err
        if status or "--overwrite" not in program.command:  # what that removes makes room
            assert status == 1
            assert "File too large" in errors or "No space left" in errors, errors
            assert any(Path(name).parts[0] in errors for name in sizes), errors
        require_whole(work, before, made)
        assert run(program, work, program.go_on) == 0
        require_same(work, made)
    finally:
        shutil.rmtree(work)


WITHOUT_SHARED_MEMORY = "mount -t tmpfs -o size=64k tmpfs /dev/shm && exec"
WITHOUT_MEMORY = (
    "import psutil, resource, sys, location_dmc\n"
    "limit = psutil.Process().memory_info().vms + 150_000_000\n"
    "resource.setrlimit(resource.RLIMIT_AS, (limit, limit))\n"
    "sys.exit(location_dmc.main(sys.argv[1:]))"
)


def run_in_vain(words: list[str], remedy: str) -> None:
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=LIMIT)
    if done.returncode != -signal.SIGSEGV:  # not all libraries below PyTorch look whether they get memory
        assert done.returncode == 1 and remedy in done.stderr and "Traceback" not in done.stderr, done.stderr


@pytest.mark.parametrize("evaluate", [0, 1])
def test_too_little_shared_memory(training_set, tmp_path, evaluate):
    colors = [(255, 60, 60), (60, 255, 60)], [(50, 50, 50)]
    options = ["--epoch", "1", "--num_threads", "2", "--cache", "0", "--evaluate", str(evaluate)]
    if evaluate:
        options += ["--ckpt_file", str(plant_checkpoint(tmp_path / "ckpt.pth", *colors, image_size=32))]
    command = shlex.join([sys.executable, "location_dmc.py", *small_arguments(training_set, tmp_path, *options)])
    alone = ["unshare", "--mount", "sh", "-c"]
    if subprocess.run([*alone, f"{WITHOUT_SHARED_MEMORY} true"], capture_output=True).returncode:
        pytest.skip("only root may mount a small /dev/shm")
    run_in_vain([*alone, f"{WITHOUT_SHARED_MEMORY} {command}"], "a smaller --num_threads")


def test_too_little_memory(training_set, tmp_path):
    options = small_arguments(training_set, tmp_path / "run")
    assert location_dmc.main([*options, "--epoch", "1"]) == 0
    before = contents(tmp_path / "run")
    more = ["--epoch", "2", "--resume", "1"]
    run_in_vain([sys.executable, "-c", WITHOUT_MEMORY, *options, *more], "memory")
    assert contents(tmp_path / "run") == before
