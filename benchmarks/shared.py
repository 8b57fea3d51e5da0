"""What the benchmarks share: turns, the machine, tables, runs of programs, and large linked data sets."""

import contextlib
import datetime
import math
import multiprocessing
import os
import platform
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from statistics import median
from typing import Any

import psutil
from tqdm import tqdm

from common.cli import available_cores
from common.errors import UserError
from common.exit_status import exit_status
from data import layout
from data.index import index_seconds
from data.lists import write_list

ROOT = Path(__file__).resolve().parents[1]


def interleaved(works: Mapping[str, Callable[[], Any]], repeats: int) -> dict[str, list[Any]]:
    """Results of each work in each round. A slow phase of the machine slows all works alike."""
    results: dict[str, list[Any]] = {name: [] for name in works}
    for name in (bar := tqdm([*works] * repeats, unit="run")):
        bar.set_description(name)
        results[name].append(works[name]())
    return results


def summary(runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Median of each figure of some runs, but the most memory; None stays."""
    found: dict[str, Any] = {}
    for figure in runs[0]:
        values = [run[figure] for run in runs]
        found[figure] = None if None in values else max(values) if "memory" in figure else median(values)
    return found


def in_own_process(work: Callable[..., Any], *arguments: object) -> Any:  # noqa: ANN401 - the result of `work`
    """Call a function of a module in a new process, where no earlier measurement has left anything."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(work, *arguments).result()


def peak_memory() -> int:
    """Bytes that this process has had in memory at most; outside Linux the bytes that it has now."""
    status = Path("/proc/self/status")
    if status.exists():  # getrusage would count the memory of the parent process too
        return next(int(line.split()[1]) * 1024 for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    return psutil.Process().memory_info().rss


def machine_line() -> str:
    """One line on the machine, its load, and the date, for the foot of a table."""
    import torch  # here, so that --help need not load it

    cpuinfo = Path("/proc/cpuinfo")
    named = re.search(r"model name\s*: (.+)", cpuinfo.read_text("utf-8", "replace")) if cpuinfo.exists() else None
    cpu = named[1] if named else platform.processor() or platform.machine()
    gpu = f", {torch.cuda.get_device_name()}" if torch.cuda.is_available() else ""
    machine = f"{cpu}, {available_cores()} cores{gpu}, PyTorch {torch.__version__}"
    return f"{machine}, {datetime.date.today()}, load before {os.getloadavg()[0]:.1f}."


def markdown_table(head: Sequence[object], rows: Iterable[Sequence[object]]) -> list[str]:
    """Lines of a table in Markdown. The first column is aligned left, the others right."""
    texts = [[str(cell) for cell in row] for row in (head, *rows)]
    widths = [max(4, *map(len, column)) for column in zip(*texts, strict=True)]
    texts.insert(1, ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])])
    aligns = [str.ljust, *[str.rjust] * (len(widths) - 1)]
    cells = [[align(cell, width) for align, cell, width in zip(aligns, row, widths, strict=True)] for row in texts]
    return [f"| {' | '.join(row)} |" for row in cells]


def print_table(program: str, lines: Callable[[], list[str]]) -> int:
    """Print the lines of a benchmark's table and those on the machine; return the exit status."""

    def work() -> None:
        machine = machine_line()
        print("", *lines(), "", machine, sep="\n")

    return exit_status(program, work)


def run_command(*words: object, quiet: bool = False) -> None:
    """Run a command; `quiet` hides what it prints.

    Raises:
        UserError: it failed.
    """
    command = [str(word) for word in words]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=quiet, text=True)
    if done.returncode:
        reason = f": {done.stderr.strip().splitlines()[-1]}" if done.stderr else ""
        raise UserError(f"{shlex.join(command)} failed, exit status {done.returncode}{reason}")


def run_program(script: str, *words: object, quiet: bool = False) -> None:
    """Run a program of this project."""
    run_command(sys.executable, ROOT / script, *words, quiet=quiet)


@contextlib.contextmanager
def linked_set(data_dir: Path, count: int) -> Iterator[Path]:
    """A temporary data set of at least `count` seconds: links to the videos of `data_dir`, again and again.

    Each of its lists has all of its videos.
    """
    frames = layout.video_frames_dir(data_dir)
    source = index_seconds(data_dir, sorted(os.listdir(frames)) if frames.is_dir() else [])
    if not len(source):
        raise UserError(f"--data_dir {data_dir} has no frames and spectrograms to link: cut it first, or make demo")
    copies = range(math.ceil(count / len(source)))
    names = [f"{name}_{copy}" for copy in copies for name in source.names]
    with tempfile.TemporaryDirectory() as folder:
        for folder_of in (layout.video_frames_dir, layout.audio_frames_dir):
            folder_of(folder).mkdir()
            for entry in folder_of(data_dir).resolve().iterdir():  # a video's folder, else noise, silence or settings
                for name in [f"{entry.name}_{copy}" for copy in copies] if entry.is_dir() else [entry.name]:
                    (folder_of(folder) / name).symlink_to(entry)
        for list_name in layout.LIST_NAMES:
            write_list(layout.list_path(folder, list_name), names)
        yield Path(folder)
