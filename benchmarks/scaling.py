"""What training costs as the data set grows: start-up, memory and an epoch, at 1,000 to 100,000 seconds of media.

    python3 benchmarks/scaling.py                              # some minutes on 2 cores; links the demo set
    python3 benchmarks/scaling.py --sizes 1000 4000 --data_dir datasets/mine

Hard links of one small set, cut already, make the large one, in a folder beside it that is removed afterwards. Each
size is a part of it, with lists of its own. Start-up is location_dmc.py from its call until the first training batch
is there, imports included, with as many processes that load data as it has by default; finding the seconds of all
videos is part of it and also timed by itself. An epoch is extrapolated from its first steps, validation left out.
Growth is the exponent p of cost ~ size^p from one size to the next. Files are in the system's cache.
"""

import argparse
import json
import math
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

if not __package__:  # run by path: imports start at the repository root
    sys.path[0] = str(Path(__file__).resolve().parents[1])

import itertools

from benchmarks.clock import interleaved, medians
from benchmarks.linked_set import temporary_set, write_lists
from benchmarks.programs import ROOT
from benchmarks.results import machine_line, markdown_table, new_results, save_results
from common.cli import new_parser, positive_int
from common.errors import UserError
from common.exit_status import exit_status
from data.index import index_seconds

COSTS = ("find_seconds", "start_up", "start_up_memory", "epoch")


def names_of(written: dict[str, int], seconds: int) -> list[str]:
    """The first videos that have `seconds` seconds together, or a few more."""
    names, total = [], 0
    for name, length in written.items():
        if total >= seconds:
            break
        names.append(name)
        total += length
    return names


def start_training(data_dir: Path, lists: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Figures of `benchmarks.start_up` on a part of a data set.

    Raises:
        UserError: the training failed.
    """
    with tempfile.TemporaryDirectory() as out:
        words = {
            "data_dir": data_dir, "data_list_dir": lists, "out": out, "dmc_pkl": Path(out) / "dmc.pkl",
            "recipe": "improved", "v_cluster": 3, "a_cluster": 1, "image_size": options.image_size,
        }  # fmt: skip
        given = [str(word) for name, value in words.items() for word in (f"--{name}", value)]
        done = subprocess.run(
            [sys.executable, str(ROOT / "benchmarks/start_up.py"), str(time.time()), str(options.steps), *given],
            capture_output=True, text=True,
        )  # fmt: skip
    if done.returncode:
        raise UserError(f"the training failed: {(done.stderr.strip().splitlines() or ['without a reason'])[-1]}")
    return json.loads(done.stdout.splitlines()[-1])


def measure(data_dir: Path, written: dict[str, int], options: argparse.Namespace) -> dict[int, dict[str, Any]]:
    """Size -> its figures, of `options.repeats` runs in turns: medians, but of memory the most."""
    names = {size: names_of(written, size) for size in options.sizes}
    lists = {size: data_dir / f"lists_{size}" for size in options.sizes}
    for size, of_size in names.items():
        write_lists(lists[size], of_size)
    finding = medians(
        interleaved(
            {str(size): lambda size=size: index_seconds(data_dir, names[size]) for size in options.sizes},
            options.repeats,
        )
    )
    runs: dict[int, list[dict[str, Any]]] = {size: [] for size in options.sizes}
    works = {
        str(size): lambda size=size: runs[size].append(start_training(data_dir, lists[size], options))
        for size in options.sizes
    }
    interleaved(works, options.repeats)
    return {size: {"find_seconds": finding[str(size)], **summary(runs[size])} for size in options.sizes}


def summary(runs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Medians of the runs of a size, but the most memory of any of them, and the time of an epoch in seconds."""
    step = median([median(run["steps"]) for run in runs])
    steps = runs[0]["steps_an_epoch"]
    memory = [run["memory_of_all"] for run in runs if run["memory_of_all"] is not None]
    return {
        "start_up": median([run["start_up"] for run in runs]),
        "start_up_memory": max(run["start_up_memory"] for run in runs),
        "peak_memory": max(run["peak_memory"] for run in runs),
        "memory_of_all": max(memory) if memory else None,
        "step": step,
        "steps_an_epoch": steps,
        "epoch": step * steps,
        "runs": list(runs),
    }


def growth(sizes: Sequence[int], costs: Sequence[float]) -> list[float]:
    """Exponents of the cost from each size to the next: 1 is in proportion, 0 not at all."""
    pairs = list(zip(sizes, costs, strict=True))
    return [
        math.log(cost / before) / math.log(size / smaller)
        for (smaller, before), (size, cost) in itertools.pairwise(pairs)
    ]


def megabytes(count: int | None) -> str:
    """A number of bytes in words; None is unknown."""
    return "-" if count is None else f"{count / 1e6:.0f}"


def table(figures: dict[int, dict[str, Any]]) -> list[str]:
    """Lines of two tables: the costs of each size, and how they grow."""
    head = (
        "seconds of media", "find seconds, s", "start-up, s", "memory then, MB", "in training, MB",
        "with data processes, MB", "step, ms", "epoch, min",
    )  # fmt: skip
    rows = [
        (
            f"{size:,}", f"{of['find_seconds']:.3f}", f"{of['start_up']:.2f}",
            megabytes(of["start_up_memory"]), megabytes(of["peak_memory"]), megabytes(of["memory_of_all"]),
            f"{of['step'] * 1e3:.0f}", f"{of['epoch'] / 60:.2f}",
        )
        for size, of in figures.items()
    ]  # fmt: skip
    lines = markdown_table(head, rows)
    if len(figures) > 1:
        sizes = list(figures)
        exponents = [growth(sizes, [of[cost] for of in figures.values()]) for cost in COSTS]
        grown = [
            (f"{smaller:,} to {size:,}", *(f"{of_cost[step]:.2f}" for of_cost in exponents))
            for step, (smaller, size) in enumerate(itertools.pairwise(sizes))
        ]
        lines += ["", *markdown_table(("growth: exponent", *(cost.replace("_", " ") for cost in COSTS)), grown)]
    return lines


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Options of this program."""
    parser = new_parser(__doc__)
    parser.add_argument(
        "--sizes",
        type=positive_int,
        nargs="+",
        default=[1_000, 10_000, 100_000],
        metavar="N",
        help="seconds of media; each takes 5 links, so that the largest takes a minute to make (default: %(default)s)",
    )
    parser.add_argument("--steps", type=positive_int, default=12, metavar="N", help="timed steps (default: 12)")
    parser.add_argument(
        "--image_size",
        type=positive_int,
        default=64,
        metavar="N",
        help="pixels of the pictures; small ones leave the cost of the data in sight (default: 64)",
    )
    parser.add_argument("--repeats", type=positive_int, default=3, metavar="N", help="runs of each size (default: 3)")
    parser.add_argument(
        "--json", type=Path, default=Path("runs/benchmark/scaling.json"), help="file of all figures (%(default)s)"
    )
    options = parser.parse_args(argv)
    options.sizes = sorted(set(options.sizes))
    return options


def benchmark(options: argparse.Namespace) -> None:
    """Measure, print the tables, save the figures.

    Raises:
        UserError: there is nothing to link, or a training failed.
        OSError: the links cannot be made.
    """
    results = new_results(options)
    with temporary_set(options.data_dir, options.sizes[-1]) as (folder, written):
        figures = measure(folder, written, options)
    costs = {cost: [of[cost] for of in figures.values()] for cost in COSTS}
    results["sizes"] = {str(size): of for size, of in figures.items()}
    results["growth"] = {cost: growth(options.sizes, of_cost) for cost, of_cost in costs.items()}
    save_results(options.json, results)
    print("", *table(figures), "", machine_line(results), f"\nWrote {options.json}.", sep="\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program; returns its exit status."""
    options = parse(argv)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a plain kill ends it as Ctrl-C does
    return exit_status("scaling", lambda: benchmark(options))


if __name__ == "__main__":
    sys.exit(main())
