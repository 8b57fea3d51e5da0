"""How fast training is: the step of location_dmc.py beside a plain float32 loop, then the loader alone.

    python3 benchmarks/training.py
    python3 benchmarks/training.py --batch_sizes 64 256 1024 --precisions bf16 --compile 0 1     # on a GPU
    python3 benchmarks/training.py --precisions bf16 --beside 0 1     # also beside a busy program

A row for each recipe, precision, batch size, --compile and --beside: samples/s with loading included, the peak memory
of the GPU (on a CPU that of the training process), and the shares of a step. Clustering and loss have the share of
their backward pass too. Each run is a process of its own. The runs take turns, the figures are medians. Links to the
videos of the data set, again and again, make an epoch longer than a run.
"""

import argparse
import contextlib
import io
import itertools
import os
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

if not __package__:  # run by path: imports start at the repository root
    sys.path[0] = str(Path(__file__).resolve().parents[1])
os.environ.setdefault("GOMP_SPINCOUNT", "2000")  # as location_dmc.py sets it, before PyTorch is loaded

from common.cli import available_cores, new_parser, positive_int, whole_number
from models.recipes import RECIPES
from training.options import PRECISIONS, merge_options


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    cores = available_cores()
    parser = new_parser(__doc__)
    parser.add_argument("--recipes", nargs="+", choices=tuple(RECIPES), default=list(RECIPES), help="default: both")
    text = "default: fp32 bf16, on a GPU fp16 too; on a CPU a step in fp16 takes minutes"
    parser.add_argument("--precisions", nargs="+", choices=PRECISIONS, help=text)
    parser.add_argument("--batch_sizes", nargs="+", type=positive_int, default=[32], help="samples of a step (32)")
    parser.add_argument("--compile", nargs="+", type=int, choices=(0, 1), default=[0], help="1 compiles the backbones")
    text = "busy processes of normal priority that run at the same time (0)"
    parser.add_argument("--beside", nargs="+", type=whole_number, default=[0], metavar="N", help=text)
    parser.add_argument("--cache", type=int, choices=(0, 1), default=1, help="0 reads each frame from its file (1)")
    parser.add_argument("--image_size", type=positive_int, default=224, help="pixels (default: %(default)s)")
    parser.add_argument("--steps", type=positive_int, default=3, help="timed steps of a run (default: %(default)s)")
    text = "steps before them (default: 2; on a GPU as many as are loaded ahead)"
    parser.add_argument("--warm_up", type=positive_int, help=text)
    parser.add_argument("--repeats", type=positive_int, default=3, help="runs of each row (default: %(default)s)")
    parser.add_argument("--num_threads", type=positive_int, default=min(4, cores), help="processes that load data")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda", "mps"), default="auto", help="where to compute")
    parser.add_argument("--json", type=Path, default=Path("runs/benchmark/training.json"), help="file of all figures")
    return parser.parse_args(argv)


if __name__ == "__main__":
    parse(None)  # answers --help and mistakes at once: the imports below take seconds

import torch

from benchmarks import shared
from benchmarks.plain import PlainTraining
from common.errors import first_line
from common.exit_status import exit_status
from data.negative_audio import NoiseNegatives
from metrics.table import write_json
from models.dmc import build_network
from training.batches import train_and_val_loaders
from training.device import DeviceLoader, choose_device, choose_precision
from training.optim import MicroBatch
from training.steps import build_stepper
from training.threads import choose_threads

PLAIN = "plain loop"
CLUSTERS = {"original": 2, "improved": 3, "pretrained": 3, "cvpr2019": 10}  # of a frame
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
    beside: int  # busy processes that run at the same time

    def __str__(self) -> str:
        name = f"{self.recipe} {self.precision}, batch {self.batch_size}" + ", compiled" * self.compile
        return name + (f", beside {self.beside}" if self.beside else "")


class Training:
    """Trains step by step with the stepper and the loader of `location_dmc.py`."""

    def __init__(self, row: Row, options: argparse.Namespace, data_dir: Path) -> None:
        self.device = choose_device(options.device)
        given = training_options(options, data_dir, **row._asdict(), cache=options.cache)
        torch.manual_seed(given.seed)
        model = build_network(
            given.recipe, given.v_cluster, 1, choose_precision(row.precision, self.device, row.recipe)
        )
        noise = NoiseNegatives(data_dir, given.recipe.noise_negatives)
        self.stepper = build_stepper(given, model.to(self.device).train(), noise, self.device)
        loader = train_loader(given, self.device)
        choose_threads(self.stepper, loader)
        self.batches = endless(loader)

    def step(self, on_loaded: Callable[[], object] = lambda: None) -> None:
        """Load a batch and train on it."""
        batch = next(self.batches)
        on_loaded()
        self.stepper.step(MicroBatch(batch, step=0, weight=1.0, first=True, last=True))


def training_options(options: argparse.Namespace, data_dir: Path, recipe: str, **others: object) -> argparse.Namespace:
    """The options of `location_dmc.py`."""
    given = {
        "recipe": recipe,
        "set": [f"image_size={options.image_size}"],
        "v_cluster": CLUSTERS[recipe],
        "batch_size": options.batch_sizes[0],
        "num_threads": options.num_threads,
        "data_dir": str(data_dir),
    }
    return merge_options(given | others, {})


def train_loader(options: argparse.Namespace, device: torch.device) -> DeviceLoader:
    """The loader of the training list, without the lines that it prints."""
    with contextlib.redirect_stdout(io.StringIO()):
        return train_and_val_loaders(options, device)[0]


def endless(loader: DeviceLoader) -> Iterator[dict[str, Any]]:
    """The batches of one epoch after the other."""
    for epoch in itertools.count(1):
        loader.loader.sampler.set_epoch(epoch)
        yield from loader


def synchronize(device: torch.device) -> None:
    """Wait until a device has done all its work."""
    if device.type != "cpu":
        torch.get_device_module(device).synchronize()


def seconds_of_parts(training: Training, steps: int) -> dict[str, float]:
    """Seconds of each part of a step, added up over some steps. PyTorch's hooks tell where a part ends.

    A gradient passes the output of a projection, then the backbone down to its first convolution. All else of the
    backward pass belongs to clustering and loss.
    """
    seconds = dict.fromkeys(PARTS, 0.0)
    last = time.perf_counter()

    def end(part: str, *_: object) -> None:  # the time since the end of the last part belongs to this one
        nonlocal last
        synchronize(training.device)
        now = time.perf_counter()
        seconds[part] += now - last
        last = now

    model = training.stepper.model
    for net, projection in ((model.audio_net, model.audio_projection), (model.visual_net, model.visual_projection)):
        net.register_forward_pre_hook(partial(end, "clustering, loss"))
        projection.register_forward_hook(partial(end, "forward"))
        projection.register_full_backward_pre_hook(partial(end, "clustering, loss"))
        next(net.parameters()).register_post_accumulate_grad_hook(partial(end, "backward"))
    for _ in range(steps):
        training.step(on_loaded=partial(end, "loading"))
        end("optimizer")
    return seconds


def seconds_of_step(training: Training | PlainTraining, options: argparse.Namespace) -> float:
    """Mean seconds of a step, loading included, after the warm-up."""

    def take_steps(count: int) -> None:
        for _ in range(count):
            training.step()
        synchronize(training.device)

    take_steps(options.warm_up)
    if training.device.type == "cuda":  # kernels that were tried out may have taken more memory than the chosen ones
        torch.cuda.reset_peak_memory_stats(training.device)
    return shared.seconds_of(take_steps, options.steps) / options.steps


def run(row: Row, options: argparse.Namespace, data_dir: Path) -> dict[str, Any]:
    """Figures of a row, measured once in this process; a problem instead if a GPU has not enough memory for it."""
    device = choose_device(options.device)
    try:
        with shared.busy_processes(row.beside):
            if row.recipe == PLAIN:
                training = PlainTraining(data_dir, options.image_size, row.batch_size, options.num_threads, device)
            else:
                training = Training(row, options, data_dir)
            seconds = seconds_of_step(training, options)
            parts = {} if row.recipe == PLAIN or row.compile else seconds_of_parts(training, STEPS_IN_PARTS)
        memory = torch.cuda.max_memory_allocated(device) if device.type == "cuda" else shared.peak_memory(os.getpid())
    except RuntimeError as error:  # cuBLAS and cuDNN have errors of their own for a lack of memory
        if device.type != "cuda":
            raise
        return {"problem": first_line(error)}
    return {"samples_per_second": row.batch_size / seconds, "memory": memory, **parts}


def measure_steps(options: argparse.Namespace) -> dict[str, dict[str, Any]]:
    """Row -> its figures over runs in turns: medians, but the most memory. Prints why a row has none."""
    own = itertools.product(options.recipes, options.precisions, options.batch_sizes, options.compile, options.beside)
    rows = [Row(PLAIN, "fp32", options.batch_sizes[0], 0, 0), *itertools.starmap(Row, own)]
    steps = options.warm_up + options.steps + STEPS_IN_PARTS + LOADED_AHEAD * options.num_threads
    with shared.linked_set(options.data_dir, max(options.batch_sizes) * steps) as (data_dir, _):
        works = {str(row): partial(shared.in_own_process, run, row, options, data_dir) for row in rows}
        runs = shared.interleaved(works, options.repeats)
    found = {}
    for name, of_row in runs.items():
        if problems := [figures["problem"] for figures in of_row if "problem" in figures]:
            print(f"{name}: {problems[0]}")
        else:
            found[name] = shared.summary(of_row)
    return found


def steps_table(found: dict[str, dict[str, Any]]) -> list[str]:
    """Lines of the table: a row for each training."""
    plain = next((figures["samples_per_second"] for name, figures in found.items() if name.startswith(PLAIN)), None)
    rows = []
    for name, figures in found.items():
        speed = figures["samples_per_second"]
        parts = [figures[part] for part in PARTS if part in figures]
        shares = [f"{part / sum(parts):.1%}" for part in parts] or [""] * len(PARTS)
        times = f"{speed / plain:.1f}" if plain else ""
        rows.append([name, f"{speed:.1f}", times, f"{figures['memory'] / 1e9:.1f}", *shares])
    return shared.markdown_table(["", "samples/s", "times plain", "GB", *PARTS], rows)


def measure_loading(options: argparse.Namespace) -> dict[str, float]:
    """Samples/s of the loader alone, from files and from memory: medians of epochs in turns."""
    loaders = {}
    for recipe, cache in itertools.product(options.recipes, (0, 1)):
        given = training_options(options, options.data_dir, recipe, cache=cache)
        loader = train_loader(given, choose_device(options.device))
        if cache and not loader.loader.dataset.cache:
            print("The frames do not fit into memory: no figures from there.")
            continue
        loaders[f"{recipe}, {'memory' if cache else 'files'}, {max(1, loader.loader.num_workers)} processes"] = loader
    works = {name: partial(shared.seconds_of, deque, loader, 0) for name, loader in loaders.items()}
    seconds = shared.interleaved(works, EPOCHS)
    return {name: loaders[name].loader.sampler.length / median(epochs[1:]) for name, epochs in seconds.items()}


def benchmark(options: argparse.Namespace) -> None:
    """Measure, print the tables, save the figures."""
    on_cpu = choose_device(options.device).type == "cpu"
    options.precisions = options.precisions or ["fp32", "bf16"] + ["fp16"] * (not on_cpu)
    options.warm_up = options.warm_up or (2 if on_cpu else max(3, LOADED_AHEAD * options.num_threads))
    results = shared.new_results(options)
    results["steps"] = measure_steps(options)
    write_json(options.json, results)
    print("", *steps_table(results["steps"]), "", sep="\n", flush=True)
    results["loading"] = measure_loading(options)
    write_json(options.json, results)
    rows = [[name, f"{value:.0f}"] for name, value in results["loading"].items()]
    print("", *shared.markdown_table(["loader alone", "samples/s"], rows), "", sep="\n")
    print(shared.machine_line(results), f"Wrote {options.json}.", sep="\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program; returns its exit status."""
    options = parse(argv)
    return exit_status("training", lambda: benchmark(options))


if __name__ == "__main__":
    sys.exit(main())
