"""How fast samples are loaded: the loader alone, without a network, by number of processes that load.

python3 benchmarks/loading.py --data_dir datasets/demo
"""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

from tqdm import tqdm

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.results import machine_line, markdown_table, new_results, save_results
from data.command_line import available_cores, new_parser, positive_int, whole_number
from data.dataset import PairDataset, pair_loader
from data.errors import UserError
from data.exit_status import exit_status
from data.frame_cache import FrameCache, frame_cache
from data.memory import memory_to_spend
from data.samples import before_chance, load_frame
from data.seconds import Seconds, find_seconds
from data.video_lists import read_list
from models.recipes import RECIPES


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """The options."""
    parser = new_parser(__doc__)
    parser.add_argument("--recipes", nargs="+", choices=tuple(RECIPES), default=list(RECIPES), help="default: both")
    parser.add_argument(
        "--workers", nargs="+", type=whole_number, default=[1, available_cores()], help="default: 1 and one a core"
    )
    parser.add_argument(
        "--cache", nargs="+", type=int, choices=(0, 1), default=[0, 1], help="1 from a full frame cache (default: 0 1)"
    )
    parser.add_argument("--image_size", type=positive_int, default=224, help="pixels (default: %(default)s)")
    parser.add_argument("--batch_size", type=positive_int, default=32, help="sounds a batch (default: %(default)s)")
    parser.add_argument("--epochs", type=positive_int, default=3, help="timed ones of each (default: %(default)s)")
    parser.add_argument(
        "--json", type=Path, default=Path("runs/benchmark/loading.json"), help="file of all figures (%(default)s)"
    )
    return parser.parse_args(argv)


def full_cache(seconds: Seconds, image_size: int, augmentation: str | None) -> FrameCache:
    """A cache that holds every frame, as training's does after some epochs.

    Raises:
        UserError: there is not enough memory.
    """
    cache = frame_cache(seconds, image_size, augmentation, memory_to_spend())
    if cache is None:
        raise UserError("the frames do not fit into half of the free memory: leave cached loading out with --cache 0")
    for second in range(len(seconds)):
        for position, path in enumerate(seconds.frame_paths(second)):
            cache.put(second, position, before_chance(load_frame(path), image_size, augmentation))
    return cache


def samples_a_second(
    seconds: Seconds, recipe: str, workers: int, cache: FrameCache | None, options: argparse.Namespace
) -> float:
    """Median over the epochs; one before them starts the workers.

    Timed are as many batches as all workers have an equal number of, so that none of them waits at the end.
    """
    values = RECIPES[recipe]
    dataset = PairDataset(seconds, options.image_size, 10, values["augmentation"], values["negatives"], cache=cache)
    loader = pair_loader(dataset, options.batch_size, workers, shuffle=True)
    timed = max(1, len(loader) - len(loader) % max(1, workers))
    speeds = []
    for epoch in range(options.epochs + 1):
        loader.sampler.set_epoch(epoch)
        start, count = time.perf_counter(), 0
        for number, batch in enumerate(loader, start=1):
            count += len(batch["frame"])
            if number == timed:
                speeds.append(count / (time.perf_counter() - start))
    return median(speeds[1:])


def benchmark(options: argparse.Namespace) -> None:
    """Measure, print the table, save the figures.

    Raises:
        UserError: there is no list, or not enough memory for a full cache.
    """
    results: dict[str, Any] = {**new_results(options), "samples_per_second": []}
    seconds = find_seconds(options.data_dir, read_list(options.data_dir / "train.txt"))
    rows = []
    with tqdm(total=len(options.recipes) * len(options.workers) * len(options.cache), unit="loader") as bar:
        for recipe in options.recipes:
            augmentation = RECIPES[recipe]["augmentation"]
            full = full_cache(seconds, options.image_size, augmentation) if 1 in options.cache else None
            for workers in options.workers:
                for cached in options.cache:
                    speed = samples_a_second(seconds, recipe, workers, full if cached else None, options)
                    entry = {"recipe": recipe, "workers": workers, "cache": cached, "samples_per_second": speed}
                    results["samples_per_second"].append(entry)
                    each = f"{speed / max(1, workers):.0f}"
                    rows.append([recipe, workers, "yes" if cached else "no", f"{speed:.0f}", each])
                    bar.update()
    head = ["recipe", "workers", "cache", "samples/s", "per worker"]
    print(*markdown_table(head, rows), "", machine_line(results), sep="\n")
    save_results(options.json, results)
    print(f"Wrote {options.json}.")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program; returns its exit status."""
    options = parse(argv)
    return exit_status("loading", lambda: benchmark(options))


if __name__ == "__main__":
    sys.exit(main())
