"""What the benchmarks share: the clock, the machine, results, tables, runs of programs, and large linked data sets."""

import argparse
import contextlib
import datetime
import math
import multiprocessing
import os
import platform
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from statistics import median
from typing import Any

import psutil
from tqdm import tqdm

from common.cli import available_cores
from common.errors import UserError
from data import layout
from data.index import index_seconds
from data.lists import write_list

ROOT = Path(__file__).resolve().parents[1]
GRACE = 5.0  # seconds in which a program ends before the next, harder signal


# --- clock ------------------------------------------------------------------------------------------------------------


def interleaved(works: Mapping[str, Callable[[], Any]], repeats: int) -> dict[str, list[Any]]:
    """Results of each work in each round. A slow phase of the machine slows all works alike.

    The rounds are a b c, then b c a, then c a b, so that no work always follows the same one.
    """
    results: dict[str, list[Any]] = {name: [] for name in works}
    order, names = [], deque(works)
    for _ in range(repeats):
        order += names
        names.rotate(-1)
    for name in (bar := tqdm(order, unit="run")):
        bar.set_description(name)
        results[name].append(works[name]())
    return results


def seconds_of(work: Callable[..., object], *arguments: object) -> float:
    """Seconds of a call. On a GPU the work has to wait for its own result."""
    start = time.perf_counter()
    work(*arguments)
    return time.perf_counter() - start


def summary(runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Median of each figure of some runs, but the most memory; None stays."""
    found: dict[str, Any] = {}
    for figure in runs[0]:
        values = [run[figure] for run in runs]
        found[figure] = None if None in values else max(values) if "memory" in figure else median(values)
    return {**found, "runs": list(runs)}


def in_own_process(work: Callable[..., Any], *arguments: object) -> Any:  # noqa: ANN401 - the result of `work`
    """Call a function of a module in a new process, where no earlier measurement has left anything."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(work, *arguments).result()


def peak_memory(pid: int) -> int:
    """Bytes that a process has had in memory at most; outside Linux the bytes that it has now."""
    status = Path(f"/proc/{pid}/status")
    if status.exists():  # getrusage would count the memory of the parent process too
        return next(int(line.split()[1]) * 1024 for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    return psutil.Process(pid).memory_info().rss


@contextlib.contextmanager
def busy_processes(count: int) -> Iterator[None]:
    """Run processes that do nothing but keep a core busy."""
    processes = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


# --- results ----------------------------------------------------------------------------------------------------------


def cpu_model(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """The name of the processor."""
    lines = cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines() if cpuinfo.exists() else []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return next(filter(None, named), platform.processor() or platform.machine())


def new_results(options: argparse.Namespace) -> dict[str, Any]:
    """The head of a benchmark's results: date, machine, its load before the benchmark, and the options."""
    import torch  # here, so that --help need not load it

    machine = {
        "cpu": cpu_model(),
        "cores": available_cores(),
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu",
        "torch": torch.__version__,
        "python": platform.python_version(),
        "load": round(os.getloadavg()[0], 2),
    }
    given = {name: str(value) if isinstance(value, Path) else value for name, value in vars(options).items()}
    return {"date": datetime.date.today().isoformat(), "machine": machine, "options": given}


def machine_line(results: Mapping[str, Any]) -> str:
    """One line on the machine and the date, for the foot of a table."""
    machine = results["machine"]
    gpu = "" if machine["device"] == "cpu" else f", {machine['device']}"
    return (
        f"{machine['cpu']}, {machine['cores']} cores{gpu}, PyTorch {machine['torch']}, {results['date']}, "
        f"load before {machine['load']:.1f}."
    )


def markdown_table(head: Sequence[object], rows: Iterable[Sequence[object]]) -> list[str]:
    """Lines of a table in Markdown. The first column is aligned left, the others right."""
    texts = [[str(cell) for cell in row] for row in (head, *rows)]
    widths = [max(4, *map(len, column)) for column in zip(*texts, strict=True)]
    texts.insert(1, ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])])
    aligns = [str.ljust, *[str.rjust] * (len(widths) - 1)]
    cells = [[align(cell, width) for align, cell, width in zip(aligns, row, widths, strict=True)] for row in texts]
    return [f"| {' | '.join(row)} |" for row in cells]


# --- programs ---------------------------------------------------------------------------------------------------------


def run_program(script: str | Path, arguments: Sequence[object], log: Path) -> None:
    """Run a program, print its output line by line, and append command, output and messages to a log.

    Raises:
        UserError: it failed; the text has its last message, its command and the log.
    """
    command = [sys.executable, str(ROOT / script), *map(str, arguments)]
    log.parent.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, "PYTHONUNBUFFERED": "1", "TQDM_DISABLE": "1"}
    with log.open("a", encoding="utf-8") as file, tempfile.TemporaryFile("w+", errors="replace") as messages:
        print("$", shlex.join(command), file=file, flush=True)
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=messages, env=environment, text=True, errors="replace"
        )
        try:
            for line in process.stdout:
                print(line, end="", flush=True)
                print(line, end="", file=file, flush=True)
            status = process.wait()
        finally:
            stop(process)
            messages.seek(0)
            text = messages.read()
            file.write(text)
    if status:
        reason = (text.strip() or "no message").splitlines()[-1]
        raise UserError(
            f"{script} failed (exit status {status}): {reason}\n  its output: {log}\n  its command: "
            f"{shlex.join(command)}"
        )


def stop(process: subprocess.Popen) -> None:
    """End a program. First it only gets time: Ctrl-C in a terminal reaches it too, and it may be clearing up."""
    for number in (0, signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        if process.poll() is not None:
            return
        process.send_signal(number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(GRACE)


# --- large data sets --------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def linked_set(data_dir: Path, count: int) -> Iterator[tuple[Path, list[str]]]:
    """A temporary data set of at least `count` seconds: links to the videos of `data_dir`, again and again.

    Yields:
        Its folder, and the names of its videos. Each of its lists has all of them.
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
        yield Path(folder), names
