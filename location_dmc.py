"""Trains DMC on videos, and localizes with it what sounds in the test videos.

python3 location_dmc.py --v_cluster 2 --a_cluster 1
python3 location_dmc.py --v_cluster 2 --a_cluster 1 --recipe improved
python3 location_dmc.py --v_cluster 2 --a_cluster 1 --evaluate 1 --use_pretrain 1 --ckpt_file runs/dmc/best.pth
"""

import contextlib
import math
import os
import shlex
import sys
import time
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from training.options import BEST, LAST, parse_options

if __name__ == "__main__" and "RANK" not in os.environ:
    parse_options(__doc__, None)  # answers --help and mistakes at once: the imports below take seconds

import numpy as np
import torch
from tqdm import tqdm

from common.at_work import at_work
from common.atomic import require_writable
from common.cli import command
from common.exit_status import exit_status
from data.dmc_pkl import csv_path, path_for_audio, write_dmc
from data.negative_audio import NoiseNegatives
from models.dmc import TwoStreams, build_network
from models.localization import Localizer
from models.losses import recipe_loss
from models.recipes import NO_WEIGHTS
from training.batches import adopt_spectrogram_settings, test_loaders, train_and_val_loaders
from training.checkpoints.checkpoint import Checkpoint, load_weights, read_checkpoint
from training.checkpoints.load import load_visual_weights
from training.checkpoints.published import export_published
from training.checkpoints.reference_distances import add_reference, read_reference
from training.checkpoints.run_folder import open_run_folder
from training.device import DeviceLoader, choose_device, choose_precision
from training.distributed import (
    EndedByAnother,
    average_statistics,
    broadcast_from_rank0,
    gather_to_rank0,
    is_main_process,
    process_group,
)
from training.interrupts import explained_errors, ignore_dying_loaders, sigterm_as_ctrl_c
from training.optim import scheduled_rate, split_into_steps
from training.start import read_options
from training.steps import (
    AverageMeter,
    Stepper,
    build_stepper,
    epochs_with_one_audio_cluster,
    log_row,
    pair_distances,
    require_finite,
)
from training.threads import choose_threads
from vis.tensorboard import open_log, require_packages

Maps = dict[str, np.ndarray]  # by the keys of frames

STEPS_BETWEEN_CHECKS = 20  # of the loss: to look at it, the program has to wait for the device


# --- model ------------------------------------------------------------------------------------------------------------


def build_model(options: Namespace, checkpoint: Checkpoint | None, device: torch.device) -> TwoStreams:
    """The network with its first weights: random, of the recipe's visual_weights, or of the checkpoint."""
    torch.manual_seed(options.seed)
    precision = choose_precision(options.precision, device, options.recipe_name)
    model = build_network(options.recipe, options.v_cluster, options.a_cluster, precision).to(device)
    print(
        f"DMC, recipe {options.recipe_name}, {options.v_cluster} visual and {options.a_cluster} audio clusters, "
        f"{str(precision).removeprefix('torch.')} on {device}"
    )
    if options.recipe.visual_weights != NO_WEIGHTS and not checkpoint:
        print(load_visual_weights(model, options.recipe.visual_weights))
    if checkpoint and (note := load_weights(model, checkpoint)):
        print(note)
    return model


# --- training ---------------------------------------------------------------------------------------------------------


def train_epoch(stepper: Stepper, loader: DeviceLoader, epoch: int, options: Namespace) -> AverageMeter:
    """Train on each second of the training list once, except for an incomplete last batch."""
    stepper.parallel.train()
    sampler, recipe = loader.loader.sampler, options.recipe
    sampler.set_epoch(epoch)
    average = AverageMeter()
    steps = math.ceil(len(loader) / options.accumulate)
    batches = tqdm(loader, desc=f"epoch {epoch}", unit="batch", leave=False)
    micro_batches = split_into_steps(stepper.parallel, batches, sampler.sizes(), options.accumulate)
    for number, micro_batch in enumerate(micro_batches):
        if micro_batch.first:
            step = (epoch - 1) * steps + micro_batch.step  # of the whole training
            rate = scheduled_rate(recipe.learning_rate, recipe.schedule, step, recipe.epoch * steps)
            for group in stepper.optimizer.param_groups:
                group["lr"] = rate
        loss, pairs = stepper.step(micro_batch)
        average.add(loss, pairs)
        if number % STEPS_BETWEEN_CHECKS == 0:
            require_finite(loss.item())
    require_finite(average.loss)
    average_statistics(stepper.model)
    return average


@torch.no_grad()
def validate(stepper: Stepper, loader: DeviceLoader) -> AverageMeter:
    """Loss and matching accuracy on the validation list, without any labels, and without noise negatives."""
    stepper.model.eval()
    average = AverageMeter()
    for batch in tqdm(loader, desc="validation", unit="batch", leave=False):
        pairs = pair_distances(stepper.model, batch, stepper.recipe)
        average.add(recipe_loss(pairs, stepper.recipe), pairs)
    require_finite(average.loss)
    return average


def train(options: Namespace, model: TwoStreams, checkpoint: Checkpoint | None, device: torch.device) -> str | None:
    """Train up to `epoch` epochs. After each one log, save and print a line. Ends with the weights of ``best.pth``.

    Returns a warning if the training has found nothing.
    """
    noise = NoiseNegatives(Path(options.data_dir), options.recipe.noise_negatives)
    train_loader, val_loader = train_and_val_loaders(options, device)
    stepper = build_stepper(options, model, noise, device)
    choose_threads(stepper, train_loader)
    folder = open_run_folder(options, stepper, checkpoint)
    epochs, alone = options.recipe.epoch, epochs_with_one_audio_cluster(options)
    if alone:
        print(f"Epochs 1 to {alone}: one audio cluster; then {options.a_cluster}")
    with open_log(options, folder, val_loader.loader.dataset.seconds, device) as log:
        for epoch in range(folder.epoch + 1, epochs + 1):
            model.a_cluster = 1 if epoch <= alone else options.a_cluster
            start = time.perf_counter()
            trained = train_epoch(stepper, train_loader, epoch, options)
            speed = trained.count / (time.perf_counter() - start)
            validated = validate(stepper, val_loader)
            row = log_row(epoch, stepper, trained, validated, time.perf_counter() - start, speed)
            if log:  # before the epoch is saved: what a kill leaves unsaved is taken back on resuming
                log.add_epoch(row, model)
            folder.save_epoch(row)
            print(epoch_line(row, epochs), flush=True)
    best = broadcast_from_rank0(read_checkpoint, folder.path / BEST)
    load_weights(model, best)
    if is_main_process():
        add_reference(best, Localizer(model, options.recipe), val_loader.loader.dataset.seconds, options, device)
    print(f"Trained {folder.epoch} epochs: {folder.path} holds {BEST}, {LAST}, log.csv, args.json.")
    return folder.warning()


def epoch_line(row: dict[str, Any], epochs: int) -> str:
    """One line on an epoch."""
    return (
        f"epoch {row['epoch']}/{epochs}  loss {row['loss']:.4f}  matching accuracy train {row['train_accuracy']:.3f} "
        f"val {row['val_accuracy']:.3f}  {row['seconds']:.0f} s  {row['samples_per_second']:.1f} samples/s"
    )


# --- localization -----------------------------------------------------------------------------------------------------


def localize_list(localizer: Localizer, loader: DeviceLoader) -> tuple[Maps, Maps]:
    """Maps [v_cluster, h, w] and distances [a_cluster] by frame, of the part of the test list of this process."""
    localizer.model.eval()
    maps, distances = {}, {}
    for batch in tqdm(loader, desc="evaluation", unit="batch", leave=False):
        found = localizer(batch["spectrogram"], batch["frames"], batch["second"])
        maps |= zip(batch["keys"], found.maps, strict=True)
        distances |= zip(batch["keys"], found.distances, strict=True)
    return maps, distances


def localize_swapped(localizer: Localizer, loaders: list[DeviceLoader]) -> tuple[Maps, Maps]:
    """The map that each source of a frame has alone, [sources, h, w], and their distances [sources], by frame."""
    localizer.model.a_cluster = 1  # one source, one cluster
    found = [localize_list(localizer, loader) for loader in loaders]
    maps, distances = (
        {key: np.stack([one[key][0] for one in ones]) for key in ones[0]} for ones in zip(*found, strict=True)
    )
    return maps, distances


def localize(localizer: Localizer, loaders: list[DeviceLoader], path: Path) -> list[float]:
    """Write ``dmc.pkl`` and ``dmc.csv`` of the test list, of which each process localizes a part; returns distances."""
    maps, distances = localize_swapped(localizer, loaders) if len(loaders) > 1 else localize_list(localizer, *loaders)
    maps, distances = gather_to_rank0(maps), gather_to_rank0(distances)
    if is_main_process():
        write_dmc(path, maps, distances)
        print(f"Wrote the maps of {len(maps)} frames to {path} and their distances to {csv_path(path)}.")
    return [distance for row in distances.values() for distance in row]


# --- program ----------------------------------------------------------------------------------------------------------


def run(options: Namespace, checkpoint: Checkpoint | None) -> None:
    """Train, unless --evaluate 1 is given, and localize with the weights of ``best.pth``."""
    device = choose_device(options.device)
    if options.export_published:
        print(export_published(build_model(options, checkpoint, device), options.export_published))
        return
    require_packages(options.log)
    dmc_pkl = path_for_audio(options.dmc_pkl, options.audio)
    require_writable(dmc_pkl)
    adopt_spectrogram_settings(options, from_scratch=checkpoint is None)
    test_batches = test_loaders(options, device)  # also before training: fail now, not after hours
    model = build_model(options, checkpoint, device)
    warning = None
    if not options.evaluate:
        with at_work(Path(options.out)) if is_main_process() else contextlib.nullcontext():
            warning = train(options, model, checkpoint, device)
    if options.audio != "own":
        print(f"--audio {options.audio}: this is not the own audio, so the maps go to {dmc_pkl}, not {options.dmc_pkl}")
    distances = localize(Localizer(model, options.recipe), test_batches, dmc_pkl)
    if options.evaluate and options.audio == "own" and (reference := read_reference(checkpoint.state)):
        warning = reference.warning(distances)
    draw, score = (
        f"{command(script, options.data_dir)} {shlex.quote(str(dmc_pkl))}"
        for script in ("vis/draw.py", "metrics/score.py")
    )
    print(f"Next: {draw} draws them, {score} scores them if there is a boxes.json.")
    if warning:
        print(warning)


def work(argv: Sequence[str] | None) -> int:
    """All of the program; returns its exit status."""
    evaluating = False
    try:
        with explained_errors(), process_group():
            options, checkpoint = read_options(__doc__, argv)
            evaluating = bool(options.evaluate)
            run(options, checkpoint)
    except EndedByAnother:
        return 1
    except KeyboardInterrupt as interrupt:
        ignore_dying_loaders()
        left = "no maps were written" if evaluating else f"--resume 1 resumes a training from its {LAST}"
        raise KeyboardInterrupt(f"stopped; {left}") from interrupt
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program; returns its exit status."""
    sigterm_as_ctrl_c()
    return exit_status("location_dmc.py", lambda: work(argv))


if __name__ == "__main__":
    sys.exit(main())
