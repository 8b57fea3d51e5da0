"""Runs a program, kills it, and looks at what it left."""

import contextlib
import csv
import glob
import json
import os
import random
import subprocess
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import psutil
from PIL import Image

from data.dmc_pkl import read_dmc
from tests.fixtures.training_run import logged_numbers
from training.checkpoint import read_checkpoint

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

    def kill(self, sign: int, target: str, rng: random.Random) -> None:
        """Send a signal to the program, to one of its worker processes if there is one, or to the whole group."""
        pid = self.process.pid
        if target == "worker":
            workers = [worker.pid for worker in self.processes() if worker.pid != pid]
            pid = rng.choice(sorted(workers)) if workers else pid
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


def finish(words: list[str], folder: Path) -> tuple[int, str]:
    """Run a program to its end; return its exit status and what it said."""
    return Run(words, folder).end()


def contents(folder: Path) -> dict[str, object]:
    """What the files of a folder hold that a reader would take, by name; each of them has to be whole."""
    return {
        str(path.relative_to(folder)): _read(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    }


def _read(path: Path) -> object:
    """The content of a file that has to be equal after each run; raises an error if it is not whole."""
    if path.suffix == ".pth":
        return {name: weight.numpy().tobytes() for name, weight in read_checkpoint(path).model.items()}
    if path.name == "log.csv" and "seconds" in path.read_text():
        return logged_numbers(path.parent)
    if path.name == "args.json":
        return json.loads(path.read_text()) | {"resume": None}  # of the last command line
    content = path.read_bytes()
    READERS[path.suffix](path)
    return content


def _read_video(path: Path) -> None:
    with av.open(str(path)) as container:
        assert [*container.decode(video=0)]


def _read_image(path: Path) -> None:
    with Image.open(path) as image:
        image.load()


def _read_csv(path: Path) -> None:
    with path.open(newline="") as file:
        assert len({len(row) for row in csv.reader(file)}) == 1


def _ends_with(end: str) -> Callable[[Path], None]:
    def read(path: Path) -> None:
        assert path.read_text(encoding="utf-8").endswith(end)

    return read


READERS: dict[str, Callable[[Path], object]] = {
    ".mp4": _read_video,
    ".jpg": _read_image,
    ".png": _read_image,
    ".npy": np.load,
    ".json": lambda path: json.loads(path.read_text(encoding="utf-8")),
    ".pkl": read_dmc,
    ".csv": _read_csv,
    ".txt": _ends_with("\n"),
    ".html": _ends_with("</html>"),
}


def hidden(folder: Path) -> list[Path]:
    """What the programs have not finished or not removed."""
    return [*folder.rglob(".*")]
