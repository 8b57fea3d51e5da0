"""Runs a program, kills it, and looks at what it left."""

import contextlib
import glob
import json
import os
import subprocess
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import psutil

from tests.fixtures.training_run import logged_numbers
from training.checkpoints.checkpoint import read_checkpoint

KILLS = int(os.environ.get("CHAOS_KILLS", 4))
SEED = int(os.environ.get("CHAOS_SEED", 108))
LIMIT = 120  # seconds that a program may take
DYING = 30  # seconds until nothing may be left of a program; a loader looks for its trainer every 5 seconds
MARK = "DMC_CHAOS"  # environment variable that all processes of a run have


class Run:
    """A program that runs in a folder; all its processes can be found."""

    def __init__(self, words: list[str], folder: Path) -> None:
        self.mark = uuid.uuid4().hex
        self.leaked_before = _leaked()
        self._errors = (folder.parent / f"{folder.name}.stderr").open("w+")
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1", MARK: self.mark}
        self.process = subprocess.Popen(
            words, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=self._errors, start_new_session=True
        )

    def processes(self) -> list[psutil.Process]:
        """All processes of the run that live."""
        return [process for process in psutil.process_iter() if self._is_ours(process)]

    def _is_ours(self, process: psutil.Process) -> bool:
        try:
            return process.environ().get(MARK) == self.mark and process.status() != psutil.STATUS_ZOMBIE
        except psutil.Error:
            return False

    def kill(self, sign: int, target: str) -> None:
        """Send a signal to the program, to one of its worker processes if there is one, or to the whole group."""
        pid = self.process.pid
        if target == "worker":
            pid = max((worker.pid for worker in self.processes() if worker.pid != pid), default=pid)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, sign) if target == "group" else os.kill(pid, sign)

    def end(self) -> tuple[int, str]:
        """Wait until the program and all its processes have ended; return its exit status and what it said."""
        try:
            status = self.process.wait(LIMIT)
            _until(lambda: not self.processes(), f"of {self.process.args} there still runs", self.processes)
            _until(lambda: _leaked() <= self.leaked_before, "/dev/shm still holds", _leaked)
        finally:
            for process in self.processes():
                process.kill()
        self._errors.seek(0)
        with self._errors:
            return status, self._errors.read()


def _leaked() -> set[str]:
    """Files in shared memory of processes that are dead. PyTorch names them torch_PID_..."""
    names = glob.glob("torch_*", root_dir="/dev/shm")
    return {name for name in names if not psutil.pid_exists(int(name.split("_")[1]))}


def _until(true: Callable[[], bool], otherwise: str, found: Callable[[], object]) -> None:
    deadline = time.monotonic() + DYING
    while not true():
        assert time.monotonic() < deadline, f"{otherwise} {found()}"
        time.sleep(0.05)


Contents = dict[str, object]


def contents(folder: Path) -> Contents:
    """What the files of a folder hold that a reader would take, by name: what has to be equal after each run."""
    return {
        str(path.relative_to(folder)): _read(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    }


def _read(path: Path) -> object:
    if path.suffix == ".pth":
        return {name: weight.numpy().tobytes() for name, weight in read_checkpoint(path).model.items()}
    if path.name == "log.csv" and "seconds" in path.read_text():
        return logged_numbers(path.parent)
    if path.name == "args.json":
        return json.loads(path.read_text()) | {"resume": None}  # of the last command line
    return path.read_bytes()


def require_whole(folder: Path, before: Contents, made: Contents) -> None:
    """Each file is as before or as after an undisturbed run; those of a training could be read."""
    for name, content in contents(folder).items():
        assert name.endswith((".pth", "log.csv")) or content in (before.get(name), made.get(name)), name


def require_same(folder: Path, made: Contents) -> None:
    """The files are those of an undisturbed run, and nothing is left unfinished."""
    left = contents(folder)
    assert [name for name in {**made, **left} if left.get(name) != made.get(name)] == []
    assert [*folder.rglob(".*")] == []


def name_of(part: object) -> str:
    """The name of a program, a signal, or a function; a number as it is."""
    return str(getattr(part, "name", getattr(part, "__name__", part)))
