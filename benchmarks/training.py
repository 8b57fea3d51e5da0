"""How fast training is: a plain float32 loop of the original recipe beside location_dmc.py's own step.

All are trained step by step in turns in one run, so that what slows the machine slows all of them. Medians of whole
steps, loading included; then a step of each in its parts, and the peak memory of each in a process of its own. How
threads wait, and that numbers below 1e-38 count as 0, location_dmc.py sets for its process, so here for all of them.
While one trains, the others' next batches are loaded: where that takes longer than a step, as beside a GPU, the whole
steps do not show it, and benchmarks/gpu.py is what measures.

  python3 benchmarks/training.py --data_dir datasets/demo
"""

import argparse
import sys
from collections.abc import Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch
from tqdm import tqdm

import location_dmc  # noqa: F401 - first, as it says how threads are to wait, before PyTorch is loaded
from benchmarks.clock import interleaved, medians
from benchmarks.own_process import in_own_process
from benchmarks.peak_memory import peak_of_process
from benchmarks.plain import PlainTraining
from benchmarks.results import machine_line, markdown_table, new_results, save_results
from benchmarks.steps import LOADED_AHEAD, PARTS, OwnTraining
from common.cli import available_cores, new_parser, positive_int
from common.exit_status import exit_status
from data.index import index_seconds
from data.lists import read_list
from models.recipes import RECIPES
from training.device import choose_device
from training.precision import PRECISIONS

PLAIN = "plain loop"
CLUSTERS = {"original": 2, "improved": 3}  # of a picture


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """The options."""
    parser = new_parser(__doc__)
    parser.add_argument("--recipes", nargs="+", choices=tuple(RECIPES), default=list(RECIPES), help="default: both")
    parser.add_argument(
        "--precisions",
        nargs="+",
        choices=PRECISIONS,
        help="default: fp32 bf16, on a GPU fp16 too; on a CPU a step in fp16 takes minutes",
    )
    parser.add_argument("--image_size", type=positive_int, default=224, help="pixels (default: %(default)s)")
    parser.add_argument("--batch_size", type=positive_int, default=32, help="sounds a step (default: %(default)s)")
    parser.add_argument("--steps", type=positive_int, default=5, help="timed steps of each (default: %(default)s)")
    parser.add_argument("--warm_up", type=positive_int, default=2, help="steps before them (default: %(default)s)")
    parser.add_argument("--compile", type=int, choices=(0, 1), default=0, help="1 compiles our networks (default: 0)")
    parser.add_argument(
        "--num_threads", type=positive_int, default=min(4, available_cores()), help="processes that load data"
    )
    parser.add_argument("--device", choices=("auto", "cpu", "cuda", "mps"), default="auto", help="where to compute")
    parser.add_argument(
        "--json", type=Path, default=Path("runs/benchmark/training.json"), help="file of all figures (%(default)s)"
    )
    return parser.parse_args(argv)


def contestants(options: argparse.Namespace) -> dict[str, dict[str, Any]]:
    """Name -> the options of ours that differ from their defaults; none for the plain loop."""
    own = {
        f"{recipe} {precision}": {
            "recipe": recipe,
            "precision": precision,
            "v_cluster": CLUSTERS[recipe],
            "image_size": options.image_size,
            "batch_size": options.batch_size,
            "data_dir": str(options.data_dir),
            "num_threads": options.num_threads,
            "compile": options.compile,
        }
        for recipe in options.recipes
        for precision in options.precisions
    }
    return {PLAIN: {}, **own}


def usual_precisions(device: torch.device) -> list[str]:
    """Those that anyone would train in there."""
    return ["fp32", "bf16", "fp16"] if device.type == "cuda" else ["fp32", "bf16"]


def build(name: str, options: argparse.Namespace) -> PlainTraining | OwnTraining:
    """A training that is ready for its first step.

    Raises:
        UserError: the data set cannot be trained on, or this machine has no such device.
    """
    device = choose_device(options.device)
    if given := contestants(options)[name]:
        return OwnTraining(given, device)
    seconds = index_seconds(options.data_dir, read_list(options.data_dir / "train.txt"))
    return PlainTraining(seconds, options.image_size, options.batch_size, options.num_threads, device)


def peak_memory(name: str, options: argparse.Namespace) -> float:
    """Gigabytes that two steps take at most: of the GPU, else of the process without those that load data."""
    with closing(build(name, options)) as training:
        for _ in range(2):
            training.step()
        return peak_gigabytes(training.device)


def peak_gigabytes(device: torch.device) -> float:
    """The most memory so far: of the GPU, else of this process without those that load data."""
    allocated = torch.cuda.max_memory_allocated(device) if device.type == "cuda" else peak_of_process()
    return allocated / 1e9


def timed(options: argparse.Namespace) -> tuple[dict[str, list[float]], dict[str, dict[str, float]]]:
    """Seconds of the steps of each contestant, in turns, and those of each part of ours; nothing of them is left."""
    with ExitStack() as stack:
        trainings = {name: stack.enter_context(closing(build(name, options))) for name in contestants(options)}
        print(f"{len(trainings)} loops, {options.warm_up} + {options.steps} steps of each, in turns", flush=True)
        steps = {name: training.step for name, training in trainings.items()}
        seconds = interleaved(steps, options.steps, options.warm_up)
        own = {name: training for name, training in trainings.items() if isinstance(training, OwnTraining)}
        bar = tqdm(own.items(), desc="parts of a step", unit="loop")
        ahead = LOADED_AHEAD * options.num_threads
        return seconds, {name: parts_of(training, options.steps, ahead) for name, training in bar}


def parts_of(training: OwnTraining, steps: int, before: int) -> dict[str, float]:
    """Median seconds of each part of a step, after those steps for which batches may be there already."""
    for _ in range(before):
        training.step()
    measured = [training.step_in_parts() for _ in range(steps)]
    return {part: median(step[part] for step in measured) for part in PARTS}


def rows(results: dict[str, Any]) -> list[list[str]]:
    """A row for each contestant: samples/s, ratio to the plain loop, memory, shares of the parts."""
    batch_size, plain = results["options"]["batch_size"], results["seconds"][PLAIN]
    found = []
    for name, seconds in results["seconds"].items():
        parts = results["parts"].get(name)
        total = sum(parts.values()) if parts else 0.0
        shares = [f"{parts[part] / total:.1%}" if parts else "" for part in PARTS]
        memory = f"{results['peak_memory'][name]:.1f}"
        found.append([name, f"{batch_size / seconds:.1f}", f"{plain / seconds:.1f}", memory, *shares])
    return found


def benchmark(options: argparse.Namespace) -> None:
    """Measure, print the table, save the figures.

    Raises:
        UserError: the data set cannot be trained on.
    """
    options.precisions = options.precisions or usual_precisions(choose_device(options.device))
    results = new_results(options)
    results["all_seconds"], results["parts"] = timed(options)
    results["seconds"] = medians(results["all_seconds"])
    names = tqdm(contestants(options), desc="memory", unit="process")
    results["peak_memory"] = {name: in_own_process(peak_memory, name, options) for name in names}
    print("", *markdown_table(["", "samples/s", "times plain", "GB", *PARTS], rows(results)), "", sep="\n")
    print(machine_line(results))
    save_results(options.json, results)
    print(f"Wrote {options.json}.")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program; returns its exit status."""
    options = parse(argv)
    return exit_status("training", lambda: benchmark(options))


if __name__ == "__main__":
    sys.exit(main())
