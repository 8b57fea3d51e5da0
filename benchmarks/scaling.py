"""What training costs as the data set grows: start-up, memory and an epoch, at 1,000 to 100,000 seconds of media.

    python3 benchmarks/scaling.py                              # some minutes on 2 cores; links the demo set
    python3 benchmarks/scaling.py --sizes 1000 4000 --data_dir datasets/mine

Links to the videos of a small data set, again and again, make the large ones. Each run is a process of its own.
Start-up is the time until the first training step is done, imports included. Indexing the seconds of all videos is part
of it, and timed alone too. An epoch is extrapolated from its first steps. Frames are read from their files (--cache 0),
which are in the cache of the system.
"""

import argparse
import contextlib
import sys
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
from data.index import index_seconds
from data.layout import list_path
from data.lists import read_list

WARM_UP = 2  # steps without the clock: memory is allocated, kernels are chosen
HEAD = (
    "seconds of media", "index, s", "start-up, s", "memory then, MB", "in training, with loaders, MB", "step, ms",
    "epoch, min",
)  # fmt: skip


def run(begin: float, data_dir: Path, image_size: int, steps: int) -> dict[str, Any]:
    """Figures of a data set, measured in this process, which was started at `begin`."""
    from benchmarks.own_training import Training, seconds_of_step  # here, so that --help need not load PyTorch

    training = Training(data_dir, "improved", image_size, cache=0)
    training.step()
    start_up, memory = time.time() - begin, shared.peak_memory()
    step = seconds_of_step(training, WARM_UP, steps)
    own = psutil.Process()
    infos = [process.memory_full_info() for process in (own, *own.children(recursive=True))]
    begin = time.perf_counter()
    seconds = index_seconds(data_dir, read_list(list_path(data_dir, "train")))
    return {
        "seconds": len(seconds),
        "index": time.perf_counter() - begin,
        "start_up": start_up,
        "start_up_memory": memory,
        # Shared memory is counted once; only Linux tells.
        "memory_of_all": sum(info.pss for info in infos) if hasattr(infos[0], "pss") else None,
        "step": step,
        "epoch": step * training.steps_an_epoch,
    }


def run_in_own_process(*arguments: object) -> dict[str, Any]:
    """`run` in a process that begins now."""
    return shared.in_own_process(run, time.time(), *arguments)


def measure(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Figures of each size over runs in turns: medians, but the most memory."""
    with contextlib.ExitStack() as stack:
        works = {}
        for size in options.sizes:
            folder = stack.enter_context(shared.linked_set(options.data_dir, size))
            works[str(size)] = partial(run_in_own_process, folder, options.image_size, options.steps)
        return [shared.summary(runs) for runs in shared.interleaved(works, options.repeats).values()]


def table(sizes: list[dict[str, Any]]) -> list[str]:
    """Lines of the table: a row for each size."""
    rows = [
        (
            f"{of['seconds']:,}",
            f"{of['index']:.3f}",
            f"{of['start_up']:.2f}",
            *("-" if of[name] is None else f"{of[name] / 1e6:.0f}" for name in ("start_up_memory", "memory_of_all")),
            f"{of['step'] * 1e3:.0f}",
            f"{of['epoch'] / 60:.2f}",
        )
        for of in sizes
    ]
    return shared.markdown_table(HEAD, rows)


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = new_parser(__doc__)
    sizes, text = [1_000, 10_000, 100_000], "seconds of media, at least (default: %(default)s)"
    parser.add_argument("--sizes", type=positive_int, nargs="+", default=sizes, metavar="N", help=text)
    parser.add_argument("--steps", type=positive_int, default=12, metavar="N", help="timed steps (default: 12)")
    text = "pixels of the frames; small ones leave the cost of the data in sight (default: 64)"
    parser.add_argument("--image_size", type=positive_int, default=64, metavar="N", help=text)
    parser.add_argument("--repeats", type=positive_int, default=3, metavar="N", help="runs of each size (default: 3)")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program; returns its exit status."""
    options = parse(argv)
    return shared.print_table("scaling", lambda: table(measure(options)))


if __name__ == "__main__":
    sys.exit(main())
