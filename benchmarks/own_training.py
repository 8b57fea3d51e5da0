"""The training of `location_dmc.py`, step by step, and the time that its steps take."""

import contextlib
import io
import itertools
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import torch

from benchmarks.plain import PlainTraining
from benchmarks.shared import peak_memory
from common.errors import first_line
from data.negative_audio import NoiseNegatives
from models.dmc import build_network
from models.recipes import RECIPES
from training.batches import train_and_val_loaders
from training.device import DeviceLoader, choose_device, choose_precision
from training.optim import MicroBatch
from training.options import merge_options
from training.steps import build_stepper
from training.threads import choose_threads

CLUSTERS = {"original": 2, "improved": 3, "pretrained": 3, "cvpr2019": 10}  # of a frame
PARTS = ("loading", "forward", "clustering, loss", "backward", "optimizer")
STEPS_IN_PARTS = 3
WARM_UP = 3  # steps without the clock; on a GPU as many as are loaded ahead


class Training:
    """Trains step by step with the stepper and the loader of `location_dmc.py`."""

    def __init__(self, data_dir: Path, recipe: str, image_size: int, **options: object) -> None:
        given = {"recipe": recipe, "v_cluster": CLUSTERS[recipe], "set": [f"image_size={image_size}"], **options}
        merged = merge_options({"data_dir": str(data_dir), **given}, {})
        self.device = choose_device(merged.device)
        torch.manual_seed(merged.seed)
        precision = choose_precision(merged.precision, self.device, recipe)
        model = build_network(merged.recipe, merged.v_cluster, 1, precision).to(self.device).train()
        noise = NoiseNegatives(data_dir, merged.recipe.noise_negatives)
        self.stepper = build_stepper(merged, model, noise, self.device)
        with contextlib.redirect_stdout(io.StringIO()):
            loader = train_and_val_loaders(merged, self.device)[0]
        choose_threads(self.stepper, loader)
        self.steps_an_epoch = len(loader)
        self.batches = _endless(loader)

    def step(self, on_loaded: Callable[[], object] = lambda: None) -> None:
        """Load a batch and train on it."""
        batch = next(self.batches)
        on_loaded()
        self.stepper.step(MicroBatch(batch, step=0, weight=1.0, first=True, last=True))


def _endless(loader: DeviceLoader) -> Iterator[dict[str, Any]]:
    """The batches of one epoch after the other."""
    for epoch in itertools.count(1):
        loader.loader.sampler.set_epoch(epoch)
        yield from loader


def synchronize(device: torch.device) -> None:
    """Wait until a device has done all its work."""
    if device.type != "cpu":
        torch.get_device_module(device).synchronize()


def seconds_of_step(training: Training | PlainTraining, warm_up: int, steps: int) -> float:
    """Mean seconds of a step, loading included, after the warm-up."""
    for _ in range(warm_up):
        training.step()
    synchronize(training.device)
    if training.device.type == "cuda":  # kernels that were tried out may have taken more memory than the chosen ones
        torch.cuda.reset_peak_memory_stats(training.device)
    start = time.perf_counter()
    for _ in range(steps):
        training.step()
    synchronize(training.device)
    return (time.perf_counter() - start) / steps


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


@contextlib.contextmanager
def busy_processes(count: int) -> Iterator[None]:
    """Run processes that do nothing but keep a core busy."""
    processes = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def measure(
    data_dir: Path, steps: int, image_size: int, num_threads: int,
    recipe: str, precision: str, batch_size: int, compile: int, cache: int, beside: int,
) -> dict[str, Any]:  # fmt: skip
    """Figures of a training, measured once; none if a GPU has not enough memory for it.

    Args:
        recipe: another name is that of the plain loop.
        beside: busy processes that run at the same time.
    """
    device = choose_device("auto")
    parts = {}
    try:
        with busy_processes(beside):
            if recipe in RECIPES:
                options = {"precision": precision, "batch_size": batch_size, "compile": compile, "cache": cache}
                training = Training(data_dir, recipe, image_size, num_threads=num_threads, **options)
            else:
                training = PlainTraining(data_dir, image_size, batch_size, num_threads, device)
            warm_up = WARM_UP if device.type == "cpu" else max(WARM_UP, 2 * num_threads)  # PyTorch loads 2 each ahead
            seconds = seconds_of_step(training, warm_up, steps)
            if recipe in RECIPES and not compile:
                parts = seconds_of_parts(training, STEPS_IN_PARTS)
        memory = torch.cuda.max_memory_allocated(device) if device.type == "cuda" else peak_memory()
    except RuntimeError as error:  # cuBLAS and cuDNN have errors of their own for a lack of memory
        if device.type != "cuda":
            raise
        print(f"{recipe} {precision}, batch {batch_size}: {first_line(error)}", file=sys.stderr)
        return {}
    return {"samples_per_second": batch_size / seconds, "memory": memory, **parts}
