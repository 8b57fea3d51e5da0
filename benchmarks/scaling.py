"""What training costs as the data set grows: start-up, memory and an epoch, at 1,000 to 100,000 seconds of media.

    python3 benchmarks/scaling.py                              # some minutes on 2 cores; links the demo set
    python3 benchmarks/scaling.py --sizes 1000 4000 --data_dir datasets/mine

Links to the videos of a small data set, again and again, make the large one. Each size is a part of it, with lists of
its own. location_dmc.py itself runs, and its progress bar tells how far it is. Start-up is the time until the first
training step is done, imports included. Indexing the seconds of all videos is part of it, and timed alone too. An epoch
is extrapolated from its first steps. The files are in the cache of the system.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

if not __package__:  # run by path: imports start at the repository root
    sys.path[0] = str(Path(__file__).resolve().parents[1])

import psutil

from benchmarks import shared
from common.cli import new_parser, positive_int
from common.errors import UserError
from common.exit_status import exit_status
from data.index import index_seconds
from data.layout import list_path
from data.lists import write_list
from metrics.table import write_json

WARM_UP = 2  # steps without the clock: memory is allocated, kernels are chosen
SHARES = {"val": 0.12, "test": 0.17}  # of the videos, as data/split.py draws them
STEP = re.compile(rb"epoch 1: [^\r]*?\| (\d+)/(\d+) \[")  # in the progress bar


def write_lists(folder: Path, names: list[str]) -> None:
    """Write the lists of a size: two videos at least for validation and test, all others for training."""
    folder.mkdir()
    for list_name, share in SHARES.items():
        count = max(2, round(share * len(names)))
        write_list(list_path(folder, list_name), names[:count])
        names = names[count:]
    write_list(list_path(folder, "train"), names)


def run(data_dir: Path, names: list[str], lists: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Figures of a size: the index alone, then a training that is stopped after its first steps."""
    index_time = shared.seconds_of(index_seconds, data_dir, names)
    with tempfile.TemporaryDirectory() as out:
        words = ["--data_dir", data_dir, "--data_list_dir", lists, "--out", out, "--dmc_pkl", Path(out) / "dmc.pkl"]
        words += ["--recipe", "improved", "--v_cluster", 3, "--set", f"image_size={options.image_size}"]
        start = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, str(shared.ROOT / "location_dmc.py"), *map(str, words)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env={**os.environ, "TQDM_MININTERVAL": "0", "TQDM_MINITERS": "1"},  # the bar shows each step at once
        )
        try:
            return {"index_seconds": index_time, **watch(process, start, options.steps)}
        finally:
            process.terminate()  # its loaders end with it
            process.stderr.close()
            process.wait()


def watch(process: subprocess.Popen, start: float, steps: int) -> dict[str, Any]:
    """Figures of a training, from the progress bar of its first epoch.

    Raises:
        UserError: the training ended before its first steps.
    """
    times: dict[int, float] = {}  # steps done -> seconds since the start
    text, memory = b"", 0
    while chunk := os.read(process.stderr.fileno(), 65536):
        text += chunk
        if not (found := STEP.findall(text)):
            continue
        done, total = map(int, found[-1])
        times.setdefault(done, time.perf_counter() - start)
        memory = memory or (shared.peak_memory(process.pid) if done else 0)
        if done >= (last := min(total, WARM_UP + steps)):
            step = (times[done] - times.get(WARM_UP, times[min(times)])) / max(1, last - WARM_UP)
            return {
                "start_up": times[1],
                "start_up_memory": memory,
                "memory_of_all": memory_with_loaders(process.pid),
                "step": step,
                "epoch": step * total,
                "steps_an_epoch": total,
            }
    lines = text.decode(errors="replace").strip().splitlines() or ["no message"]
    raise UserError(f"the training failed: {lines[-1]}")


def memory_with_loaders(pid: int) -> int | None:
    """Bytes of a process and its children, shared memory counted once; None outside Linux."""
    parent = psutil.Process(pid)
    infos = [process.memory_full_info() for process in (parent, *parent.children(recursive=True))]
    return sum(info.pss for info in infos) if hasattr(infos[0], "pss") else None


def measure(data_dir: Path, names: list[str], options: argparse.Namespace) -> dict[str, dict[str, Any]]:
    """Size -> its figures over runs in turns: medians, but the most memory."""
    before = index_seconds(data_dir, names).first.tolist()  # seconds before each video
    works = {}
    for size in options.sizes:
        of_size = [name for name, seconds in zip(names, before, strict=False) if seconds < size]
        lists = data_dir / f"lists_{size}"
        write_lists(lists, of_size)
        works[str(size)] = partial(run, data_dir, of_size, lists, options)
    return {size: shared.summary(runs) for size, runs in shared.interleaved(works, options.repeats).items()}


def table(figures: dict[str, dict[str, Any]]) -> list[str]:
    """Lines of the table: a row for each size."""
    head = (
        "seconds of media", "index, s", "start-up, s", "memory then, MB", "in training, with loaders, MB",
        "step, ms", "epoch, min",
    )  # fmt: skip
    memories = ("start_up_memory", "memory_of_all")
    rows = [
        (
            f"{int(size):,}",
            f"{of['index_seconds']:.3f}",
            f"{of['start_up']:.2f}",
            *("-" if of[memory] is None else f"{of[memory] / 1e6:.0f}" for memory in memories),
            f"{of['step'] * 1e3:.0f}",
            f"{of['epoch'] / 60:.2f}",
        )
        for size, of in figures.items()
    ]
    return shared.markdown_table(head, rows)


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = new_parser(__doc__)
    sizes, text = [1_000, 10_000, 100_000], "seconds of media (default: %(default)s)"
    parser.add_argument("--sizes", type=positive_int, nargs="+", default=sizes, metavar="N", help=text)
    parser.add_argument("--steps", type=positive_int, default=12, metavar="N", help="timed steps (default: 12)")
    text = "pixels of the frames; small ones leave the cost of the data in sight (default: 64)"
    parser.add_argument("--image_size", type=positive_int, default=64, metavar="N", help=text)
    parser.add_argument("--repeats", type=positive_int, default=3, metavar="N", help="runs of each size (default: 3)")
    parser.add_argument("--json", type=Path, default=Path("runs/benchmark/scaling.json"), help="file of all figures")
    options = parser.parse_args(argv)
    options.sizes = sorted(set(options.sizes))
    return options


def benchmark(options: argparse.Namespace) -> None:
    """Measure, print the table, save the figures."""
    results = shared.new_results(options)
    with shared.linked_set(options.data_dir, options.sizes[-1]) as (folder, names):
        results["sizes"] = measure(folder, names, options)
    write_json(options.json, results)
    print("", *table(results["sizes"]), "", shared.machine_line(results), f"Wrote {options.json}.", sep="\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program; returns its exit status."""
    options = parse(argv)
    return exit_status("scaling", lambda: benchmark(options))


if __name__ == "__main__":
    sys.exit(main())
