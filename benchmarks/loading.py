"""How fast samples are loaded: the loader alone, without a network, by number of processes that load.

All loaders load an epoch each, in turns in one run, so that what slows the machine slows all of them; medians over the
epochs.

  python3 benchmarks/loading.py --data_dir datasets/demo
"""

import argparse
import itertools
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from tqdm import tqdm

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.clock import interleaved
from benchmarks.results import machine_line, markdown_table, new_results, save_results
from common.cli import available_cores, new_parser, positive_int, whole_number
from common.errors import UserError
from common.exit_status import exit_status
from data.dataset import PairDataset
from data.frame_cache import FrameCache, frame_cache, memory_to_spend
from data.index import SecondIndex, index_seconds
from data.lists import read_list
from data.loaders import pair_loader
from data.transforms import load_frame, resize
from models.recipes import RECIPES
from training.device import choose_device

SEED = 10  # as of every program


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
    parser.add_argument(
        "--device",
        choices=("auto", "cpu", "cuda", "mps"),
        default="auto",
        help="that trains: a GPU changes the colours",
    )
    parser.add_argument("--epochs", type=positive_int, default=3, help="timed ones of each (default: %(default)s)")
    parser.add_argument(
        "--json", type=Path, default=Path("runs/benchmark/loading.json"), help="file of all figures (%(default)s)"
    )
    return parser.parse_args(argv)


def full_cache(seconds: SecondIndex, image_size: int, augmentation: str | None) -> FrameCache:
    """A cache that holds every frame, as training's does after some epochs.

    Raises:
        UserError: there is not enough memory.
    """
    cache = frame_cache(seconds, image_size, augmentation, memory_to_spend())
    if cache is None:
        raise UserError("the frames do not fit into half of the free memory: leave cached loading out with --cache 0")
    for second in tqdm(range(len(seconds)), desc="fill the cache", unit="s", leave=False):
        for position, path in enumerate(seconds.frame_paths(second)):
            cache.put(second, position, resize(load_frame(path), image_size, augmentation))
    return cache


def epoch_of(dataset: PairDataset, workers: int, batch_size: int) -> Callable[[], float]:
    """What loads an epoch, each time the next one, and returns its samples/s; the first one starts the workers.

    Timed are as many batches as all workers have an equal number of, so that none of them waits at the end.
    """
    loader = pair_loader(dataset, batch_size, workers, shuffle=True)
    timed = max(1, len(loader) - len(loader) % max(1, workers))
    epochs = itertools.count()

    def load() -> float:
        """Load an epoch."""
        loader.sampler.set_epoch(next(epochs))
        start, count, speed = time.perf_counter(), 0, 0.0
        for number, batch in enumerate(loader, start=1):
            count += len(batch["frame"])
            if number == timed:
                speed = count / (time.perf_counter() - start)
        return speed

    return load


def measure(seconds: SecondIndex, options: argparse.Namespace) -> dict[tuple[str, int, int], list[float]]:
    """Samples/s of each epoch, of all loaders in turns: recipe, workers, 1 from a full cache -> its epochs.

    Raises:
        UserError: there is not enough memory for full caches.
    """
    loads: dict[tuple[str, int, int], Callable[[], float]] = {}
    jitter_later = choose_device(options.device).type != "cpu"
    for recipe in options.recipes:
        values, size = RECIPES[recipe], options.image_size
        full = full_cache(seconds, size, values["augmentation"]) if 1 in options.cache else None
        chances = (values["augmentation"], values["negatives"], jitter_later)
        for workers, cached in itertools.product(options.workers, options.cache):
            dataset = PairDataset(seconds, size, SEED, *chances, cache=full if cached else None)
            loads[recipe, workers, cached] = epoch_of(dataset, workers, options.batch_size)
    found: dict[tuple[str, int, int], list[float]] = {of: [] for of in loads}
    names = {
        f"{recipe}, {workers} workers" + ", cache" * cached: (recipe, workers, cached)
        for recipe, workers, cached in loads
    }
    works = {name: lambda of=of: found[of].append(loads[of]()) for name, of in names.items()}
    interleaved(works, options.epochs, warm_ups=1)
    return {of: speeds[1:] for of, speeds in found.items()}


def benchmark(options: argparse.Namespace) -> None:
    """Measure, print the table, save the figures.

    Raises:
        UserError: there is no list, or not enough memory for full caches.
    """
    results: dict[str, Any] = {**new_results(options), "samples_per_second": []}
    seconds = index_seconds(options.data_dir, read_list(options.data_dir / "train.txt"))
    rows = []
    for (recipe, workers, cached), epochs in measure(seconds, options).items():
        speed = median(epochs)
        entry = {"recipe": recipe, "workers": workers, "cache": cached, "samples_per_second": speed, "epochs": epochs}
        results["samples_per_second"].append(entry)
        each = f"{speed / max(1, workers):.0f}"
        rows.append([recipe, workers, "yes" if cached else "no", f"{speed:.0f}", each])
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
