"""All that is to be known of training on a GPU, in one command.

Samples/s from JPEGs on disk, of a plain loop and of location_dmc.py's own step; the share of time in which the GPU is
busy; how near the step is to the networks alone, forward and backward; the largest batch; the time to IoU@0.5 0.6.

  python3 benchmarks/gpu.py --data_dir datasets/demo
"""

import argparse
import csv
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch
from torch.autograd import DeviceType
from torch.autograd.profiler_util import FunctionEventAvg
from torch.profiler import ProfilerActivity, profile

import location_dmc  # noqa: F401 - first, as it says how threads are to wait, before PyTorch is loaded
from benchmarks.clock import interleaved, medians
from benchmarks.plain import PlainTraining
from benchmarks.programs import run_program
from benchmarks.results import machine_line, markdown_table, new_results, save_results
from benchmarks.steps import OwnTraining
from benchmarks.training import CLUSTERS, PLAIN
from data.command_line import available_cores, new_parser, positive_float, positive_int
from data.exit_status import exit_status
from data.layout import boxes_file
from data.seconds import find_seconds
from data.video_lists import read_list
from metrics.annotations import read_annotations
from metrics.evaluate import score_run, summary
from metrics.runs import read_run
from models.device import choose_device
from models.recipes import RECIPES

SMALLEST_BATCH = 16


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """The options."""
    parser = new_parser(__doc__)
    parser.add_argument("--device", choices=("cuda", "cpu", "mps"), default="cuda", help="default: %(default)s")
    parser.add_argument("--image_size", type=positive_int, default=224, help="pixels (default: %(default)s)")
    parser.add_argument("--batch_size", type=positive_int, default=256, help="sounds a step (default: %(default)s)")
    parser.add_argument("--most_batch", type=positive_int, default=65536, help="largest batch to try (%(default)s)")
    parser.add_argument("--steps", type=positive_int, default=20, help="timed steps of each (default: %(default)s)")
    parser.add_argument("--num_threads", type=positive_int, default=available_cores(), help="processes that load data")
    parser.add_argument("--compile", type=int, choices=(0, 1), default=0, help="1 compiles our networks (default: 0)")
    parser.add_argument("--iou", type=positive_float, default=0.6, help="IoU@0.5 to reach (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=Path("runs/benchmark/gpu"), help="folder of the training")
    parser.add_argument("--json", type=Path, help="file of all figures (default: OUT/gpu.json)")
    options = parser.parse_args(argv)
    options.json = options.json or options.out / "gpu.json"
    return options


def own_training(recipe: str, batch_size: int, options: argparse.Namespace) -> OwnTraining:
    """Ours, in the precision that suits the device."""
    given = {
        "recipe": recipe,
        "precision": "auto",
        "v_cluster": CLUSTERS[recipe],
        "image_size": options.image_size,
        "batch_size": batch_size,
        "data_dir": str(options.data_dir),
        "num_threads": options.num_threads,
        "compile": options.compile,
    }
    return OwnTraining(given, choose_device(options.device))


def plain_training(options: argparse.Namespace) -> PlainTraining:
    """The yardstick."""
    seconds = find_seconds(options.data_dir, read_list(options.data_dir / "train.txt"))
    device = choose_device(options.device)
    return PlainTraining(seconds, options.image_size, options.batch_size, options.num_threads, device)


def busy_share(training: OwnTraining | PlainTraining, steps: int) -> float:
    """Share of the time of some steps in which the GPU computes; 0 on a CPU."""
    start = time.perf_counter()
    with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as profiled:
        for _ in range(steps):
            training.step()
    seconds = time.perf_counter() - start
    return device_seconds(profiled.key_averages()) / seconds


def device_seconds(events: Iterable[FunctionEventAvg]) -> float:
    """Seconds that the GPU works, of what a profile lists.

    Operators on the CPU have the time of their kernels too, and spans that somebody named that of all within them.
    """
    kernels = [event for event in events if event.device_type == DeviceType.CUDA and not event.is_user_annotation]
    return sum(event.self_device_time_total for event in kernels) / 1e6


def seconds_of_networks(training: OwnTraining, steps: int) -> float:
    """Seconds that the two networks alone take for the forward and backward pass of a batch that is there already."""
    batch = next(training.batches)
    model, device = training.model, training.device

    def both() -> None:
        """Once through both networks and back."""
        frames = torch.cat([batch[key] for key in ("frame", "other_frame") if key in batch])
        outputs = [model.visual_features(frames), model.audio_features(batch["spectrogram"])]
        sum(output.float().square().mean() for output in outputs).backward()
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    return medians(interleaved({"networks": both}, steps, warm_ups=2))["networks"]


def largest_batch(recipe: str, options: argparse.Namespace) -> int:
    """The largest power of two, up to --most_batch, with which a step fits into the device's memory; 0 if none does."""
    fits, size = 0, SMALLEST_BATCH
    while size <= options.most_batch:
        try:
            one_step_of(recipe, size, options)
        except torch.OutOfMemoryError:
            break
        fits, size = size, size * 2
    return fits


def one_step_of(recipe: str, batch_size: int, options: argparse.Namespace) -> None:
    """Train on made-up samples, as a small data set does not fill a large batch."""
    training = own_training(recipe, 2, options)
    sample = next(training.batches)
    repeats = -(-batch_size // 2)
    batch = {
        key: sample[key].repeat(repeats, 1, 1, 1) for key in ("spectrogram", "frame", "other_frame") if key in sample
    }
    batch["video"] = torch.arange(len(batch["frame"]), device=training.device)
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


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """All figures of the steps; seconds are medians."""
    trainings: dict[str, Any] = {PLAIN: plain_training(options)}
    trainings |= {recipe: own_training(recipe, options.batch_size, options) for recipe in RECIPES}
    steps = {name: training.step for name, training in trainings.items()}
    seconds = medians(interleaved(steps, options.steps, warm_ups=3))
    found: dict[str, Any] = {}
    for name, training in trainings.items():
        found[name] = {
            "samples_per_second": options.batch_size / seconds[name],
            "times_plain": seconds[PLAIN] / seconds[name],
            "busy": busy_share(training, options.steps),
            "times_networks": seconds[name] / seconds_of_networks(training, options.steps) if name != PLAIN else None,
        }
        if training.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(training.device)
            training.step()
            found[name]["peak_gigabytes"] = torch.cuda.max_memory_allocated(training.device) / 1e9
    return found


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
    head = ["", "samples/s", "times plain", "busy", "times networks alone", "GB"]
    print(*markdown_table(head, rows), "", machine_line(results), sep="\n", flush=True)
    results["largest_batch"] = {recipe: largest_batch(recipe, options) for recipe in RECIPES}
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
    return exit_status("gpu", lambda: benchmark(options))


if __name__ == "__main__":
    sys.exit(main())
