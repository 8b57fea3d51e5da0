"""How fast training is: the step of location_dmc.py beside a plain float32 loop.

    python3 benchmarks/training.py
    python3 benchmarks/training.py --batch_sizes 64 256 1024 --precisions bf16 --compile 0 1 --cache 0 1  # GPU
    python3 benchmarks/training.py --precisions bf16 --beside 0 1     # also beside a busy program

A row for each recipe, precision, batch size, --compile, --cache, and --beside: samples/s with loading included, the
peak memory of the GPU (on a CPU that of the training process), and the shares of a step. Clustering and loss have the
share of their backward pass too. Each run is a process of its own. The runs take turns, the figures are medians. Links
to the videos of the data set, again and again, make an epoch longer than a run.
"""

import argparse
import itertools
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

if not __package__:  # run by path: imports start at the repository root
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from benchmarks import shared
from common.cli import available_cores, new_parser, positive_int, whole_number
from models.recipes import RECIPES
from training.options import PRECISIONS

PLAIN = "plain loop"


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = new_parser(__doc__)
    add = parser.add_argument
    add("--recipes", nargs="+", choices=tuple(RECIPES), default=list(RECIPES), help="default: all")
    text = "default: fp32 bf16; fp16 is for GPUs"
    add("--precisions", nargs="+", choices=PRECISIONS, default=["fp32", "bf16"], help=text)
    add(
        "--batch_sizes", nargs="+", type=positive_int, default=[32], metavar="N", help="samples of a step (default: 32)"
    )
    add("--compile", nargs="+", type=int, choices=(0, 1), default=[0], help="1 compiles the backbones (default: 0)")
    text = "0 reads each frame from its file (default: 1)"
    add("--cache", nargs="+", type=int, choices=(0, 1), default=[1], help=text)
    text = "busy processes of normal priority that run at the same time (default: 0)"
    add("--beside", nargs="+", type=whole_number, default=[0], metavar="N", help=text)
    add("--image_size", type=positive_int, default=224, metavar="N", help="pixels (default: %(default)s)")
    add("--steps", type=positive_int, default=3, metavar="N", help="timed steps of a run (default: %(default)s)")
    add("--repeats", type=positive_int, default=3, metavar="N", help="runs of each row (default: %(default)s)")
    text = "processes that load data (default: %(default)s)"
    add("--num_threads", type=positive_int, default=min(4, available_cores()), metavar="N", help=text)
    return parser.parse_args(argv)


def name_of(recipe: str, precision: str, batch_size: int, compile: int, cache: int, beside: int) -> str:
    """The name of a row."""
    name = f"{recipe} {precision}, batch {batch_size}" + ", compiled" * compile + ", from files" * (not cache)
    return name + (f", beside {beside}" if beside else "")


def measure(options: argparse.Namespace) -> dict[str, dict[str, Any]]:
    """Row -> its figures over runs in turns: medians, but the most memory; none for a row too large for the GPU."""
    from benchmarks import own_training  # here, so that --help need not load PyTorch

    axes = (options.recipes, options.precisions, options.batch_sizes, options.compile, options.cache, options.beside)
    rows = [(PLAIN, "fp32", options.batch_sizes[0], 0, 0, 0), *itertools.product(*axes)]
    longest = max(options.batch_sizes) * (2 * own_training.WARM_UP + options.steps + 2 * options.num_threads)
    with shared.linked_set(options.data_dir, longest) as data_dir:
        given = (data_dir, options.steps, options.image_size, options.num_threads)
        works = {name_of(*row): partial(shared.in_own_process, own_training.measure, *given, *row) for row in rows}
        found = shared.interleaved(works, options.repeats)
    return {name: shared.summary(runs) if all(runs) else {} for name, runs in found.items()}


def table(found: dict[str, dict[str, Any]]) -> list[str]:
    """Lines of the table: a row for each training."""
    plain = next(iter(found.values())).get("samples_per_second", float("nan"))
    names = list(max(found.values(), key=len))[2:]  # of the parts, which only our own steps have
    rows = []
    for name, figures in found.items():
        if not figures:
            rows.append([name, "too large", *[""] * (2 + len(names))])
            continue
        speed, memory, *parts = figures.values()
        shares = [f"{part / sum(parts):.1%}" for part in parts] or [""] * len(names)
        rows.append([name, f"{speed:.1f}", f"{speed / plain:.1f}", f"{memory / 1e9:.1f}", *shares])
    return shared.markdown_table(["", "samples/s", "times plain", "GB", *names], rows)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program; returns its exit status."""
    options = parse(argv)
    return shared.print_table("training", lambda: table(measure(options)))


if __name__ == "__main__":
    sys.exit(main())
