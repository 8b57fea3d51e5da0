"""How fast training is: the step of location_dmc.py beside a plain float32 loop, then the loader alone.

    python3 benchmarks/training.py
    python3 benchmarks/training.py --batch_sizes 64 256 1024 --precisions bf16 --compile 0 1     # on a GPU

A row for each recipe, precision, batch size and --compile: samples/s with loading included, the peak memory of the GPU
(on a CPU that of the training process), and the shares of a step. Clustering and loss have the share of their backward
pass too. Each run is a process of its own. The runs take turns, the figures are medians. Frames are read from files. A
data set that is too small for a run is linked many times, in a folder inside it that is removed afterwards.
"""

import argparse
import contextlib
import io
import itertools
import os
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

if not __package__:  # run by path: imports start at the repository root
    sys.path[0] = str(Path(__file__).resolve().parents[1])
os.environ.setdefault("GOMP_SPINCOUNT", "2000")  # as location_dmc.py sets it, before PyTorch is loaded

import torch
from tqdm import tqdm

from benchmarks.plain import PlainTraining
from benchmarks.shared import (
    in_own_process,
    interleaved,
    large_enough,
    machine_line,
    markdown_table,
    new_results,
    peak_memory,
)
from common.cli import available_cores, new_parser, positive_int
from common.errors import first_line
from common.exit_status import exit_status
from data.index import index_seconds
from data.layout import list_path
from data.lists import read_list
from data.negative_audio import NoiseNegatives
from data.transforms import load_frame, resize
from metrics.table import write_json
from models.dmc import DMC
from models.recipes import RECIPES
from training.batches import train_and_val_loaders
from training.device import PRECISIONS, DeviceLoader, choose_device, choose_precision, seed_everything
from training.optim import MicroBatch
from training.options import merge_options
from training.steps import build_stepper

PLAIN = "plain loop"
CLUSTERS = {"original": 2, "improved": 3}  # of a frame
PARTS = ("loading", "forward", "clustering, loss", "backward", "optimizer")
LOADED_AHEAD = 2  # batches of each process that loads, as in PyTorch
STEPS_IN_PARTS = 3
EPOCHS = 4  # of the loader alone, the first one without the clock


class Row(NamedTuple):
    """What a row of the table measures."""

    recipe: str  # or PLAIN
    precision: str
    batch_size: int
    compile: int

    def __str__(self) -> str:
        return f"{self.recipe} {self.precision}, batch {self.batch_size}" + ", compiled" * self.compile


def synchronize(device: torch.device) -> None:
    """Wait until a device has done all its work."""
    if device.type != "cpu":
        torch.get_device_module(device).synchronize()


class Training:
    """Trains step by step with the stepper and the loader of `location_dmc.py`."""

    def __init__(self, row: Row, options: argparse.Namespace, data_dir: Path) -> None:
        self.device = choose_device(options.device)
        given = training_options(row.recipe, options, data_dir) | row._asdict()
        self.options = merge_options(given, {})
        seed_everything(self.options.seed)
        precision = choose_precision(row.precision, self.device)
        self.model = DMC(self.options.recipe, self.options.v_cluster, 1, precision).to(self.device).train()
        noise = NoiseNegatives(data_dir, self.options.recipe.noise_negatives)
        self.stepper = build_stepper(self.options, self.model, noise, self.device)
        self.batches = endless(train_loader(self.options, self.device))

    def step(self) -> None:
        """Load a batch and train on it."""
        self.train_on(next(self.batches))

    def train_on(self, batch: dict[str, Any]) -> None:
        """Train on a batch that lies on the device."""
        self.stepper.step(MicroBatch(batch, step=0, weight=1.0, first=True, last=True))

    def shares(self, steps: int) -> dict[str, float]:
        """Seconds of the parts of a step, added up over some steps."""
        clock = PartClock(self)
        for _ in range(steps):
            clock.begin()
            batch = next(self.batches)
            clock.end("loading")
            self.train_on(batch)
            clock.end("optimizer")
        return clock.seconds


class PartClock:
    """Adds up seconds by part of a step, with PyTorch's hooks where a part ends.

    A gradient passes the output of a projection, then the backbone down to its first convolution. All else of the
    backward pass belongs to clustering and loss.
    """

    def __init__(self, training: Training) -> None:
        self.device = training.device
        self.seconds = dict.fromkeys(PARTS, 0.0)
        model = training.model
        for net, projection in (
            (model.audio_net, model.audio_projection),
            (model.visual_net, model.visual_projection),
        ):
            net.register_forward_pre_hook(lambda *_: self.end("clustering, loss"))
            projection.register_forward_hook(lambda *_: self.end("forward"))
            projection.register_full_backward_pre_hook(lambda *_: self.end("clustering, loss"))
            net.conv1.weight.register_post_accumulate_grad_hook(lambda *_: self.end("backward"))
        training.stepper.optimizer.register_step_pre_hook(lambda *_: self.end("backward"))

    def begin(self) -> None:
        """Start a step."""
        synchronize(self.device)
        self.last = time.perf_counter()

    def end(self, part: str) -> None:
        """End a part: the time since the end of the last part is its own."""
        synchronize(self.device)
        now = time.perf_counter()
        self.seconds[part] += now - self.last
        self.last = now


def training_options(recipe: str, options: argparse.Namespace, data_dir: Path) -> dict[str, Any]:
    """The options of `location_dmc.py` for a recipe."""
    return {
        "recipe": recipe,
        "set": [f"image_size={options.image_size}"],
        "v_cluster": CLUSTERS[recipe],
        "batch_size": options.batch_sizes[0],
        "num_threads": options.num_threads,
        "data_dir": str(data_dir),
        "cache": 0,
    }


def train_loader(options: argparse.Namespace, device: torch.device) -> DeviceLoader:
    """The loader of the training list, without the lines that it prints."""
    with contextlib.redirect_stdout(io.StringIO()):
        return train_and_val_loaders(options, device)[0]


def endless(loader: DeviceLoader) -> Iterator[dict[str, Any]]:
    """The batches of one epoch after the other."""
    for epoch in itertools.count(1):
        loader.loader.sampler.set_epoch(epoch)
        yield from loader


def build(row: Row, options: argparse.Namespace, data_dir: Path) -> Training | PlainTraining:
    """A training that is ready for its first step."""
    if row.recipe != PLAIN:
        return Training(row, options, data_dir)
    seconds = index_seconds(data_dir, read_list(list_path(data_dir, "train")))
    return PlainTraining(
        seconds, options.image_size, row.batch_size, options.num_threads, choose_device(options.device)
    )


def run(row: Row, options: argparse.Namespace, data_dir: Path) -> dict[str, Any] | str:
    """Measure a row once, in this process; on a GPU, a sentence if its memory does not suffice."""
    device = choose_device(options.device)
    try:
        training = build(row, options, data_dir)
        seconds = seconds_of_steps(training, options)
        memory = torch.cuda.max_memory_allocated(device) if device.type == "cuda" else peak_memory(os.getpid())
        parts = {} if row.recipe == PLAIN or row.compile else training.shares(STEPS_IN_PARTS)
    except RuntimeError as error:  # cuBLAS and cuDNN have errors of their own for a lack of memory
        if device.type != "cuda":
            raise
        return first_line(error)
    return {"samples_per_second": row.batch_size / seconds, "gigabytes": memory / 1e9, "parts": parts}


def seconds_of_steps(training: Training | PlainTraining, options: argparse.Namespace) -> float:
    """Mean seconds of a step, loading included, after the warm-up."""
    for _ in range(options.warm_up):
        training.step()
    if training.device.type == "cuda":  # kernels that were tried out may have taken more memory than the chosen ones
        torch.cuda.reset_peak_memory_stats(training.device)
    synchronize(training.device)
    start = time.perf_counter()
    for _ in range(options.steps):
        training.step()
    synchronize(training.device)
    return (time.perf_counter() - start) / options.steps


def rows_of(options: argparse.Namespace) -> list[Row]:
    """The rows of the table."""
    own = itertools.product(options.recipes, options.precisions, options.batch_sizes, options.compile)
    return [Row(PLAIN, "fp32", options.batch_sizes[0], 0), *itertools.starmap(Row, own)]


def measure_steps(options: argparse.Namespace) -> dict[str, dict[str, Any]]:
    """Median figures of each row, over runs in turns; the most memory; a sentence for a row that did not run."""
    rows, runs = rows_of(options), {str(row): [] for row in rows_of(options)}
    steps = options.warm_up + options.steps + STEPS_IN_PARTS + LOADED_AHEAD * options.num_threads
    with large_enough(options.data_dir, max(options.batch_sizes) * steps) as data_dir:
        works = {
            str(row): lambda row=row: runs[str(row)].append(in_own_process(run, row, options, data_dir)) for row in rows
        }
        interleaved(works, options.repeats)
    found = {}
    for name, of_row in runs.items():
        problems = [result for result in of_row if isinstance(result, str)]
        found[name] = {"problem": problems[0]} if problems else {
            "samples_per_second": median(result["samples_per_second"] for result in of_row),
            "gigabytes": max(result["gigabytes"] for result in of_row),
            "parts": {part: sum(result["parts"][part] for result in of_row) for part in of_row[0]["parts"]},
            "runs": of_row,
        }  # fmt: skip
    return found


def steps_table(found: dict[str, dict[str, Any]]) -> list[str]:
    """Lines of the table of steps."""
    plain = next(iter(found.values())).get("samples_per_second")
    lines = []
    for name, figures in found.items():
        if "problem" in figures:
            lines.append([name, "-", "-", "-", *["-"] * len(PARTS)])
            continue
        speed, parts = figures["samples_per_second"], figures["parts"]
        times = f"{speed / plain:.1f}" if plain else "-"
        shares = [f"{parts[part] / sum(parts.values()):.1%}" if parts else "" for part in PARTS]
        lines.append([name, f"{speed:.1f}", times, f"{figures['gigabytes']:.1f}", *shares])
    problems = [f"{name}: {figures['problem']}" for name, figures in found.items() if "problem" in figures]
    return [*markdown_table(["", "samples/s", "times plain", "GB", *PARTS], lines), *problems]


def measure_loading(options: argparse.Namespace) -> dict[str, list[float]]:
    """Samples/s of the loader alone in each epoch, from files and from a full cache."""
    device, loaders = choose_device(options.device), {}
    for recipe, cache in itertools.product(options.recipes, (0, 1)):
        given = training_options(recipe, options, options.data_dir) | {"cache": cache}
        loader = train_loader(merge_options(given, {}), device).loader
        if cache and not loader.dataset.cache:
            print("The frames do not fit into memory: no figures from a full cache.")
            continue
        if cache:
            fill_cache(loader.dataset)
        loaders[f"{recipe}, {'full cache' if cache else 'files'}"] = loader

    def load_epoch(loader: Any) -> None:  # noqa: ANN401
        loader.sampler.set_epoch(loader.sampler.sampler.epoch + 1)
        for _ in loader:
            pass

    seconds = interleaved({name: lambda of=loader: load_epoch(of) for name, loader in loaders.items()}, EPOCHS)
    return {name: [loaders[name].sampler.length / epoch for epoch in epochs[1:]] for name, epochs in seconds.items()}


def fill_cache(dataset: Any) -> None:  # noqa: ANN401
    """Put every frame into the cache, where a training puts it in its first epochs."""
    for second in tqdm(range(len(dataset)), desc="fill the cache", unit="s", leave=False):
        for position, path in enumerate(dataset.seconds.frame_paths(second)):
            dataset.cache.put(second, position, resize(load_frame(path), dataset.image_size, dataset.augmentation))


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    cores = available_cores()
    parser = new_parser(__doc__)
    parser.add_argument("--recipes", nargs="+", choices=tuple(RECIPES), default=list(RECIPES), help="default: both")
    text = "default: fp32 bf16, on a GPU fp16 too; on a CPU a step in fp16 takes minutes"
    parser.add_argument("--precisions", nargs="+", choices=PRECISIONS, help=text)
    parser.add_argument("--batch_sizes", nargs="+", type=positive_int, default=[32], help="samples of a step (32)")
    parser.add_argument("--compile", nargs="+", type=int, choices=(0, 1), default=[0], help="1 compiles the backbones")
    parser.add_argument("--image_size", type=positive_int, default=224, help="pixels (default: %(default)s)")
    parser.add_argument("--steps", type=positive_int, default=3, help="timed steps of a run (default: %(default)s)")
    text = "steps before them (default: 2; on a GPU as many as are loaded ahead)"
    parser.add_argument("--warm_up", type=positive_int, help=text)
    parser.add_argument("--repeats", type=positive_int, default=3, help="runs of each row (default: %(default)s)")
    parser.add_argument("--num_threads", type=positive_int, default=min(4, cores), help="processes that load data")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda", "mps"), default="auto", help="where to compute")
    parser.add_argument("--json", type=Path, default=Path("runs/benchmark/training.json"), help="file of all figures")
    return parser.parse_args(argv)


def benchmark(options: argparse.Namespace) -> None:
    """Measure, print the tables, save the figures."""
    on_cpu = choose_device(options.device).type == "cpu"
    options.precisions = options.precisions or ["fp32", "bf16"] + ["fp16"] * (not on_cpu)
    options.warm_up = options.warm_up or (2 if on_cpu else max(3, LOADED_AHEAD * options.num_threads))
    results = new_results(options)
    results["steps"] = measure_steps(options)
    write_json(options.json, results)
    print("", *steps_table(results["steps"]), "", sep="\n", flush=True)
    results["loading"] = measure_loading(options)
    write_json(options.json, results)
    speeds = {name: median(epochs) for name, epochs in results["loading"].items()}
    rows = [[name, f"{speed:.0f}", f"{speed / options.num_threads:.0f}"] for name, speed in speeds.items()]
    print("", *markdown_table(["loader alone", "samples/s", "per process"], rows), "", sep="\n")
    print(machine_line(results), f"Wrote {options.json}.", sep="\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program; returns its exit status."""
    options = parse(argv)
    return exit_status("training", lambda: benchmark(options))


if __name__ == "__main__":
    sys.exit(main())
