"""All that is to be known of training on a GPU, in one command.

Samples/s of a plain loop and of location_dmc.py's own step, from JPEGs that are read and decoded anew each time
(--cache 0; the system has the files in its own cache); the share of time in which the GPU is busy; how near the step is
to the networks alone, forward and backward; peak memory; the largest batch; the time to IoU@0.5 0.6.

  python3 benchmarks/gpu.py --data_dir datasets/demo

Each run of a training is a process of its own. Hard links of the data set's seconds, in a folder inside it that is
removed afterwards, make an epoch so long that all processes load to the run's end, and what they had loaded ahead
before a clock starts is used up by then. The largest batch and the time to IoU@0.5 are of the data set itself.
"""

import argparse
import csv
import signal
import sys
import time
from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch
from torch.autograd import DeviceType
from torch.autograd.profiler_util import FunctionEventAvg
from torch.profiler import ProfilerActivity, profile, schedule

import location_dmc  # noqa: F401 - first, as it says how threads are to wait, before PyTorch is loaded
from benchmarks.clock import interleaved, medians
from benchmarks.linked_set import temporary_set
from benchmarks.own_process import in_own_process
from benchmarks.plain import PlainTraining
from benchmarks.programs import run_program
from benchmarks.results import machine_line, markdown_table, new_results, save_results
from benchmarks.steps import LOADED_AHEAD, OwnTraining, synchronize
from benchmarks.training import CLUSTERS, PLAIN, peak_gigabytes
from common.cli import available_cores, new_parser, positive_float, positive_int
from common.errors import first_line
from common.exit_status import exit_status
from data.index import index_seconds
from data.layout import boxes_file, list_path
from data.lists import read_list, write_list
from metrics.annotations import read_annotations
from metrics.evaluate import score_run, summary
from metrics.runs import read_run
from models.recipes import RECIPES
from training.device import choose_device

SMALLEST_BATCH = 16
LEAST_WARM_UP = 3  # steps: memory is allocated, kernels are chosen
LEAST_STEPS = 20


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """The options."""
    parser = new_parser(__doc__)
    parser.add_argument("--device", choices=("cuda", "cpu", "mps"), default="cuda", help="default: %(default)s")
    parser.add_argument("--image_size", type=positive_int, default=224, help="pixels (default: %(default)s)")
    parser.add_argument("--batch_size", type=positive_int, default=256, help="sounds a step (default: %(default)s)")
    parser.add_argument("--most_batch", type=positive_int, default=65536, help="largest batch to try (%(default)s)")
    parser.add_argument(
        "--steps",
        type=positive_int,
        help="timed steps of a run, several times as many as are loaded ahead, which go before them untimed: "
        f"{LOADED_AHEAD} for each process that loads (default: 4 times these, at least {LEAST_STEPS})",
    )
    parser.add_argument("--repeats", type=positive_int, default=3, help="runs of each, in turns (default: %(default)s)")
    parser.add_argument("--num_threads", type=positive_int, default=available_cores(), help="processes that load data")
    parser.add_argument("--compile", type=int, choices=(0, 1), default=0, help="1 compiles our networks (default: 0)")
    parser.add_argument("--iou", type=positive_float, default=0.6, help="IoU@0.5 to reach (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=Path("runs/benchmark/gpu"), help="folder of the training")
    parser.add_argument("--json", type=Path, help="file of all figures (default: OUT/gpu.json)")
    options = parser.parse_args(argv)
    options.json = options.json or options.out / "gpu.json"
    options.steps = options.steps or max(LEAST_STEPS, 4 * warm_up(options))
    return options


def warm_up(options: argparse.Namespace) -> int:
    """Steps before a clock starts: those for which batches may be there already."""
    return max(LEAST_WARM_UP, LOADED_AHEAD * options.num_threads)


def with_options(options: argparse.Namespace, **changes: object) -> argparse.Namespace:
    """The options with some changed."""
    return argparse.Namespace(**{**vars(options), **changes})


def own_training(recipe: str, batch_size: int, options: argparse.Namespace) -> OwnTraining:
    """Ours, in the precision that suits the device, its frames read anew each time."""
    given = {
        "recipe": recipe,
        "precision": "auto",
        "v_cluster": CLUSTERS[recipe],
        "image_size": options.image_size,
        "batch_size": batch_size,
        "data_dir": str(options.data_dir),
        "num_threads": options.num_threads,
        "compile": options.compile,
        "cache": 0,
    }
    return OwnTraining(given, choose_device(options.device))


def plain_training(options: argparse.Namespace) -> PlainTraining:
    """The yardstick."""
    seconds = index_seconds(options.data_dir, read_list(options.data_dir / "train.txt"))
    device = choose_device(options.device)
    return PlainTraining(seconds, options.image_size, options.batch_size, options.num_threads, device)


def build(name: str, options: argparse.Namespace) -> PlainTraining | OwnTraining:
    """The training that a row of the table is of."""
    return plain_training(options) if name == PLAIN else own_training(name, options.batch_size, options)


def seconds_of(training: OwnTraining | PlainTraining, steps: int) -> float:
    """Seconds of some steps together, loading included, until the device has done all of them."""
    synchronize(training.device)
    start = time.perf_counter()
    for _ in range(steps):
        training.step()
    synchronize(training.device)
    return time.perf_counter() - start


def busy_share(training: OwnTraining | PlainTraining, steps: int, before: int) -> float:
    """Share of the time of some steps in which the GPU computes; 0 on a CPU.

    Args:
        training: whose steps.
        steps: those that count.
        before: those before them, 1 at least, for which batches may be there already.
    """
    # Kernels alone: to list each operator on the CPU too would slow down what is measured.
    activities = [ProfilerActivity.CUDA if training.device.type == "cuda" else ProfilerActivity.CPU]
    with profile(activities=activities, schedule=schedule(wait=0, warmup=before, active=1)) as profiled:
        for _ in range(before):  # profiled and left out: also what is loaded while the profiler is set up goes by
            training.step()
            profiled.step()
        seconds = seconds_of(training, steps)  # all of them one step of the profile
    return device_seconds(profiled.key_averages()) / seconds


def device_seconds(events: Iterable[FunctionEventAvg]) -> float:
    """Seconds that the GPU computes, of what a profile lists.

    Operators on the CPU have the time of their kernels too, and spans that somebody named that of all within them;
    while batches are copied to the GPU, nothing is computed.
    """
    kernels = [
        event
        for event in events
        if event.device_type == DeviceType.CUDA
        and not event.is_user_annotation
        and not event.key.startswith(("Memcpy HtoD", "Memcpy DtoH"))
    ]
    return sum(event.self_device_time_total for event in kernels) / 1e6


def seconds_of_networks(training: OwnTraining, steps: int) -> float:
    """Seconds that the two networks alone take for the forward and backward pass of a batch that is there already."""
    batch = next(training.batches)
    model, device = training.model, training.device

    def both() -> None:
        """Once through both networks and back."""
        frames = torch.cat([batch[key] for key in ("frame", "negative_frame") if key in batch])
        outputs = [model.visual_features(frames), model.audio_features(batch["spectrogram"])]
        sum(output.float().square().mean() for output in outputs).backward()
        synchronize(device)

    return medians(interleaved({"networks": both}, steps, warm_ups=2))["networks"]


def largest_batch(recipe: str, options: argparse.Namespace) -> int:
    """The largest power of two, up to --most_batch, with which a step fits into the device's memory; 0 if none does."""
    fits, size = 0, SMALLEST_BATCH
    while size <= options.most_batch:
        try:
            one_step_of(recipe, size, options)
        except RuntimeError as error:  # also what cuBLAS and cuDNN say when there is no memory left for them
            print(f"{recipe}: a batch of {size} does not fit: {first_line(error)}", flush=True)
            break
        fits, size = size, size * 2
    return fits


def one_step_of(recipe: str, batch_size: int, options: argparse.Namespace) -> None:
    """Train on made-up samples, as a small data set does not fill a large batch."""
    with closing(own_training(recipe, 2, with_options(options, num_threads=0))) as training:
        sample = next(training.batches)
        repeats = -(-batch_size // 2)
        pictures_and_sounds = [key for key in ("spectrogram", "frame", "negative_frame") if key in sample]
        batch = {key: sample[key].repeat(repeats, 1, 1, 1) for key in pictures_and_sounds}
        batch["video"] = torch.arange(len(batch["frame"]), device=training.device)
        for _ in range(2):  # in the second one there is also what the optimizer keeps
            training.train_on(batch)


def time_to_iou(options: argparse.Namespace) -> dict[str, Any]:
    """Minutes of training and validation until the test frames are found; None where they never are."""
    run = options.out / "improved"
    log = options.out / "programs.log"
    where = ["--data_dir", options.data_dir, "--device", options.device, "--num_threads", options.num_threads]
    shared = ["--recipe", "improved", "--v_cluster", 3, "--a_cluster", 1, "--save_every", 1, "--overwrite", 1]
    arguments = [*where, *shared, "--out", run, "--dmc_pkl", run / "dmc.pkl", "--compile", options.compile]
    run_program("location_dmc.py", arguments, log)
    boxes = read_annotations(boxes_file(options.data_dir))
    seconds, found = 0.0, []
    with (run / "log.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        seconds += float(row["seconds"])
        maps = run / f"epoch_{int(row['epoch']):03d}.pkl"
        weights = ["--evaluate", 1, "--ckpt_file", maps.with_suffix(".pth"), "--dmc_pkl", maps]
        run_program("location_dmc.py", [*where, *weights, "--use_pretrain", 1], log)
        iou = summary(score_run(read_run(maps).maps, 1, boxes))["iou_at_0.5"]
        found.append({"epoch": int(row["epoch"]), "minutes": seconds / 60, "iou_at_0.5": iou})
        if iou >= options.iou:
            return {"minutes": seconds / 60, "epochs": found}
    return {"minutes": None, "epochs": found}


def figures_of(name: str, options: argparse.Namespace) -> dict[str, float]:
    """Figures of a run of one training, in a process that does nothing else."""
    before = warm_up(options)
    with closing(build(name, options)) as training:
        for _ in range(before):
            training.step()
        if training.device.type == "cuda":  # kernels that were tried out may have taken more than those chosen
            torch.cuda.reset_peak_memory_stats(training.device)
        seconds = seconds_of(training, options.steps) / options.steps
        found = {
            "samples_per_second": options.batch_size / seconds,
            "peak_gigabytes": peak_gigabytes(training.device),
            "busy": busy_share(training, options.steps, before),
        }
        if isinstance(training, OwnTraining):
            found["times_networks"] = seconds / seconds_of_networks(training, options.steps)
    return found


def seconds_of_media(options: argparse.Namespace) -> int:
    """How large a data set has to be for an epoch to outlast a run, and what is loaded ahead at its end."""
    steps = 2 * (warm_up(options) + options.steps) + 1  # timed, profiled, and a batch for the networks alone
    return options.batch_size * (steps + LOADED_AHEAD * options.num_threads)


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """All figures of the steps, of runs in turns: medians, but of memory the most."""
    runs: dict[str, list[dict[str, float]]] = {name: [] for name in (PLAIN, *RECIPES)}
    with temporary_set(options.data_dir, seconds_of_media(options)) as (folder, written):
        write_list(list_path(folder, "train"), list(written))
        linked = with_options(options, data_dir=folder)
        steps = f"{warm_up(options)} + {options.steps} steps"
        print(f"{options.repeats} runs of each training, of {steps} and as many that are profiled", flush=True)
        works = {name: lambda name=name: runs[name].append(in_own_process(figures_of, name, linked)) for name in runs}
        interleaved(works, options.repeats)
    found: dict[str, Any] = {name: summary_of(of_name) for name, of_name in runs.items()}
    for figures in found.values():
        figures["times_plain"] = figures["samples_per_second"] / found[PLAIN]["samples_per_second"]
    return found


def summary_of(runs: Sequence[dict[str, float]]) -> dict[str, Any]:
    """The median of each figure of a training's runs, of memory the most; and the runs."""
    found: dict[str, Any] = {figure: median(run[figure] for run in runs) for figure in runs[0]}
    return {**found, "peak_gigabytes": max(run["peak_gigabytes"] for run in runs), "runs": list(runs)}


def benchmark(options: argparse.Namespace) -> None:
    """Measure, print the table, save the figures after each part.

    Raises:
        UserError: this machine has no such device, or the data set cannot be trained on.
    """
    choose_device(options.device)
    results = new_results(options)
    results["steps"] = measure(options)
    save_results(options.json, results)
    columns = ("samples_per_second", "times_plain", "busy", "times_networks", "peak_gigabytes")
    rows = [[name, *(_cell(found.get(column)) for column in columns)] for name, found in results["steps"].items()]
    head = ["from JPEGs, without frame cache", "samples/s", "times plain", "busy", "times networks alone", "GB"]
    print("", *markdown_table(head, rows), "", machine_line(results), sep="\n", flush=True)
    results["largest_batch"] = {recipe: in_own_process(largest_batch, recipe, options) for recipe in RECIPES}
    print("Largest batch, of powers of two:", results["largest_batch"], flush=True)
    save_results(options.json, results)
    results["time_to_iou"] = time_to_iou(options)
    save_results(options.json, results)
    minutes = results["time_to_iou"]["minutes"]
    reached = "not reached" if minutes is None else f"reached after {minutes:.2f} minutes"
    print(f"IoU@0.5 {options.iou} on the test videos: {reached}.\nWrote {options.json}.")


def _cell(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program; returns its exit status."""
    options = parse(argv)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a plain kill ends it as Ctrl-C does
    return exit_status("gpu", lambda: benchmark(options))


if __name__ == "__main__":
    sys.exit(main())
