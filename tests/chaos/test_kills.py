"""Programs are killed at random moments: what is on the disk stays whole, and going on ends as without the kill.

CHAOS_KILLS and CHAOS_SEED choose how many kills and which; a test's name says what was killed how.
"""

import functools
import itertools
import random
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.chaos.harness import KILLS, SEED, Contents, Run, contents, name_of, require_same, require_whole
from tests.chaos.programs import PROGRAMS, Program

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
TARGETS = ("program", "worker", "group")


def kills() -> list:
    """Kills of one program after the other, in ways and at moments of chance."""
    rng = random.Random(SEED)
    return [
        pytest.param(
            program,
            rng.choice(SIGNALS),
            rng.choice(TARGETS),
            round(rng.uniform(0.1, 0.9), 3),  # as a part of the time that it takes
            marks=pytest.mark.xdist_group(program.name),
        )
        for program in itertools.islice(itertools.cycle(PROGRAMS), KILLS)
    ]


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Callable:
    """Program -> the folder that it starts from, what that holds, what it makes of it, and the seconds it takes."""

    @functools.cache
    def run(program: Program) -> tuple[Path, Contents, Contents, float]:
        start = program.make_start(tmp_path_factory)
        work = shutil.copytree(start, start.with_name("undisturbed"))
        begin = time.monotonic()
        status, errors = Run(program.words(), work).end()
        assert status == 0, errors
        seconds = time.monotonic() - begin
        return start, contents(start), contents(work), seconds

    return run


def answered_by_python(errors: str) -> bool:
    """Whether Python answered: before the program read its command line, after its end, or in a library's callback."""
    if errors.count("Traceback") == errors.count("Exception ignored"):  # numba loses Ctrl-C while it compiles
        return True
    return errors.rstrip(": \n").endswith("KeyboardInterrupt") and "exit_status" not in errors


@pytest.mark.slow
@pytest.mark.parametrize(("program", "sign", "target", "moment"), kills(), ids=name_of)
def test_nothing_is_lost(program, sign, target, moment, undisturbed, tmp_path):
    start, before, made, seconds = undisturbed(program)
    work = shutil.copytree(start, tmp_path / "work")
    run = Run(program.words(), work)
    time.sleep(moment * seconds)
    run.kill(sign, target)
    status, errors = run.end()
    assert program.launcher or "Traceback" not in errors or answered_by_python(errors), errors
    require_whole(work, before, made)
    if status != 0:
        status, errors = Run(program.words(program.go_on), work).end()
        assert status == 0, errors
    require_same(work, made)
