"""Programs are killed at random moments: what is on the disk stays whole, and going on ends as without the kill.

CHAOS_KILLS and CHAOS_SEED choose how many kills and which; a test's name says what was killed how.
"""

import functools
import itertools
import os
import random
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.chaos.harness import Run, contents, finish, hidden
from tests.chaos.programs import PROGRAMS, Program

KILLS = int(os.environ.get("CHAOS_KILLS", 4))
SEED = int(os.environ.get("CHAOS_SEED", 10))
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
TARGETS = ("program", "worker", "group")


def kills() -> list:
    """Kills of one program after the other, each in all ways by and by, at moments of chance."""
    rng = random.Random(SEED)
    programs = rng.sample(PROGRAMS, len(PROGRAMS))
    ways = {
        program: [*itertools.product(SIGNALS, TARGETS if program.has_workers else TARGETS[:1])] for program in programs
    }
    for of_program in ways.values():
        rng.shuffle(of_program)
    cases = []
    for number in range(KILLS):
        program = programs[number % len(programs)]
        way = ways[program][number // len(programs) % len(ways[program])]
        moment = round(rng.uniform(0.1, 1), 3)  # as a part of the time that it takes
        cases.append(pytest.param(program, *way, moment, marks=pytest.mark.xdist_group(program.name)))
    return cases


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Callable:
    """Program -> the folder that it starts from, what it makes of it, and the seconds that it takes."""

    @functools.cache
    def run(program: Program) -> tuple[Path, dict[str, object], float]:
        start = tmp_path_factory.mktemp("start") / "work"
        start.mkdir()
        program.start(start)
        work = shutil.copytree(start, start.with_name("undisturbed"))
        begin = time.monotonic()
        status, errors = finish(program.words(), work)
        assert status == 0, errors
        seconds = time.monotonic() - begin
        made = contents(work)
        shutil.rmtree(work)
        return start, made, seconds

    return run


def answered_by_python(errors: str) -> bool:
    """Whether Python answered: before the program read its command line, after its end, or in a library's callback."""
    if errors.count("Traceback") == errors.count("Exception ignored"):  # numba loses Ctrl-C while it compiles
        return True
    return errors.rstrip(": \n").endswith("KeyboardInterrupt") and "exit_status" not in errors


@pytest.mark.slow
@pytest.mark.parametrize(("program", "sign", "target", "moment"), kills(), ids=lambda part: getattr(part, "name", part))
def test_nothing_is_lost(program, sign, target, moment, undisturbed, tmp_path, record_property):
    start, made, seconds = undisturbed(program)
    work = shutil.copytree(start, tmp_path / "work")
    run = Run(program.words(), work)
    time.sleep(moment * seconds)
    ended_before = run.process.poll() is not None
    run.kill(sign, target, random.Random(SEED))
    record_property("kill", "ended before" if ended_before else "met")
    status, errors = run.end()
    assert program.launcher or "Traceback" not in errors or answered_by_python(errors), errors
    contents(work)  # is whole
    if status != 0:
        status, errors = finish(program.words(program.go_on), work)
        assert status == 0, errors
    left = contents(work)
    assert sorted(left) == sorted(made)
    assert [name for name in made if left[name] != made[name]] == []
    assert hidden(work) == []
