"""Trains DMC on videos, and locates with it what sounds in the test videos.

Training keeps last.pth and best.pth in OUT, with args.json and log.csv, and ends by writing dmc.pkl.

  python3 location_dmc.py --v_cluster 2 --a_cluster 1
  python3 location_dmc.py --v_cluster 3 --a_cluster 1 --recipe improved
  python3 location_dmc.py --v_cluster 2 --a_cluster 1 --evaluate 1 --use_pretrain 1 --ckpt_file runs/dmc/best.pth
  torchrun --standalone --nproc_per_node=2 -- location_dmc.py --v_cluster 3 --a_cluster 1 --recipe improved
"""

import errno
import math
import os
import shlex
import signal
import sys
import time
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

# Threads that wait for one another spin. By default they do so for so long that all of them stall as soon as anything
# else wants a core, be it the processes that load data; without it a step takes a quarter longer. PyTorch reads this.
os.environ.setdefault("GOMP_SPINCOUNT", "2000")

import torch
from torch import nn
from tqdm import tqdm

from common.cli import INTERRUPTED, command
from common.errors import UserError, first_line
from data.dataset import PairDataset, SecondDataset, colored, pair_loader, second_loader
from data.dmc_pkl import csv_path, path_for_audio, write_dmc
from data.frame_cache import FrameCache, frame_cache
from data.index import SecondIndex, index_seconds
from data.lists import read_list
from data.memory import memory_to_spend
from data.negative_audio import NoiseNegatives, choose_audio
from data.preprocess.settings import audio_command, n_fft_of
from data.sampler import own_share
from models.dmc import DMC, build_dmc
from models.localization import locate
from models.losses import ContrastiveLoss, CrossEntropyLoss
from models.pairs import Comparison, compare_in_batch, compare_with_one
from training.checkpoint import Checkpoint, load_weights, read_checkpoint
from training.device import OnDevice, choose_device, pinned, restore_random_states, seed_everything
from training.distributed import average_statistics, gathered, own_part, shared
from training.micro_batches import StepPart, count_steps, step_parts
from training.optim import build_optimizer, build_scaler
from training.options import (
    check_options,
    checkpoint_args,
    inherited_words,
    merge_options,
    parse_options,
    picture_size,
    without_effect,
)
from training.precision import choose_precision, slow_training
from training.processes import (
    EndedByAnother,
    after_restart,
    explained_break,
    from_first,
    is_first,
    joined,
    joined_in_first,
)
from training.run_folder import BEST, LAST, RunFolder
from training.schedule import learning_rate
from training.visual_weights import load_visual_weights
from vis.tensorboard import open_log, require_packages

BATCHES_BETWEEN_CHECKS = 20  # of the loss: to look at it, the program has to wait for the device


# --- data ---------------------------------------------------------------------------------------------------------


def find_list(options: Namespace, list_name: str) -> SecondIndex:
    """The seconds of one of the lists; says how many there are.

    Raises:
        UserError: the list is missing or empty, or none of its videos has frames and spectrograms.
    """
    data_dir = Path(options.data_dir)
    path = Path(options.data_list_dir or data_dir) / getattr(options, f"{list_name}_list")
    if not path.exists():
        raise UserError(f"there is no list {path}: {command('data/split.py', data_dir)} writes those of {data_dir}")
    names = read_list(path)
    if not names:
        raise UserError(f"the list {path} is empty: draw it with {command('data/split.py', data_dir)} --force")
    seconds = index_seconds(data_dir, names)
    cutting = f"{command('data/cut_video.py', data_dir)} and {audio_command(data_dir)}"
    if not len(seconds):
        raise UserError(f"no video of {path} has frames and spectrograms in {data_dir}: run {cutting}")
    if seconds.without:
        print(f"{path}: {len(seconds.without)} videos lack frames or sound, as {seconds.without[0]}: run {cutting}")
    print(f"{list_name}: {len(seconds.names)} videos, {len(seconds)} seconds")
    return seconds


def require_window(options: Namespace, new: bool) -> None:
    """Make sure that the data set's spectrograms have the window that the network is trained for.

    Args:
        options: of the program.
        new: whether the network is trained from scratch, so that it could be for any window.

    Raises:
        UserError: they were cut with another one.
    """
    found = n_fft_of(Path(options.data_dir))
    if found not in (None, options.n_fft):
        cutting = command("data/cut_audio.py", options.data_dir)
        raise UserError(
            f"the spectrograms of {options.data_dir} were cut with --n_fft {found}, but wanted is --n_fft "
            f"{options.n_fft}: {f'train with --n_fft {found}, or ' if new else ''}"
            f"cut them anew with {cutting} --n_fft {options.n_fft} --overwrite 1"
        )


def build_pair_loaders(options: Namespace, device: torch.device) -> tuple[OnDevice, OnDevice]:
    """Batches of the training list's pairs and of the validation list's, whose frames share the memory for them."""
    training = build_pair_loader(options, "train", device)
    cache = training.loader.dataset.cache
    return training, build_pair_loader(options, "val", device, cache.num_bytes if cache else 0)


def build_pair_loader(options: Namespace, list_name: str, device: torch.device, promised: int = 0) -> OnDevice:
    """Batches of a list's pairs: shuffled and augmented for training, always the same ones for validation.

    Args:
        options: those of the program.
        list_name: ``train`` or ``val``.
        device: where the batches go.
        promised: bytes of memory that other frames will take.
    """
    seconds = from_first(find_list, options, list_name)
    if len(seconds.names) < 2:
        raise UserError(
            f"the {list_name} list has one usable video, but a wrong pair takes a second one: add videos, then run "
            f"{command('data/split.py', options.data_dir)} --force"
        )
    training = list_name == "train"
    augmentation = options.augmentation if training and options.enable_img_augmentation else None
    spec_augment = bool(training and options.spec_augment)
    dataset = PairDataset(
        seconds,
        options.image_size,
        options.seed,
        augmentation,
        options.negatives,
        spec_augment,
        colors_later=device.type != "cpu",
        cache=build_cache(options, seconds, augmentation, list_name, promised),
    )
    loader = pair_loader(
        dataset,
        options.batch_size,
        options.num_threads,
        training,
        pinned(device),
        options.accumulate,
        own_share(),
    )
    return OnDevice(loader, device, colored)


def build_cache(
    options: Namespace, seconds: SecondIndex, augmentation: str | None, list_name: str, promised: int
) -> FrameCache | None:
    """Memory for a list's frames, if it is asked for and there is enough; says which.

    What is `promised` to others has not been taken yet, so that it still counts as free.
    """
    if not options.cache:
        return None
    cache = frame_cache(seconds, options.image_size, augmentation, memory_to_spend() - promised)
    if cache:
        print(f"--cache: up to {cache.num_bytes / 1e9:.2f} GB of memory for the frames of the {list_name} list")
    else:
        print(f"--cache: the frames of the {list_name} list do not fit into memory, they are read anew each time")
    return cache


def build_test_loader(options: Namespace, device: torch.device) -> OnDevice:
    """Batches of the test list's seconds, with their own sound or that of --audio."""
    seconds = from_first(find_list, options, "test")
    sound = choose_audio(options.audio, seconds, options.seed)
    dataset = SecondDataset(seconds, picture_size(options), options.test_frames == "first", sound)
    frames = options.batch_size // options.accumulate  # at a time, as in training
    loader = second_loader(dataset, frames, options.num_threads, pinned(device), own_share())
    return OnDevice(loader, device)


# --- training -----------------------------------------------------------------------------------------------------


def compare(
    model: nn.Module, batch: dict[str, torch.Tensor], options: Namespace, noise: NoiseNegatives | None = None
) -> Comparison:
    """Distances of the right and wrong pairs of a batch; every sound and picture goes through the network once.

    Right and wrong pictures go through it together: BatchNorm has the statistics of both.
    Of several processes each computes its part, and all have the distances of the whole batch.
    """
    skip_alike = options.skip_alike if model.training else 0.0
    sounds, part, whole = batch["spectrogram"], len(batch["frame"]), batch.get("whole")
    in_batch = options.negatives == "batch"
    of_nothing = noise.draw(sounds) if noise else sounds[:0]
    frames = batch["frame"] if in_batch else torch.cat([batch["frame"], batch["other_frame"]])
    # [B + N, A, 512], [B or 2 B, V, 512]
    audio, visual = model(torch.cat([sounds, own_part(of_nothing)]), frames)
    audio = torch.cat([gathered(audio[:part], whole), gathered(audio[part:], len(of_nothing))])
    visuals = [gathered(centers, whole) for centers in visual.split(part)]
    if in_batch:
        return compare_in_batch(audio, *visuals, gathered(batch["video"], whole), options.matching, skip_alike)
    return compare_with_one(audio, *visuals, options.matching)


def build_loss(options: Namespace) -> nn.Module:
    """The loss that the options name."""
    background = bool(options.background_negatives)
    if options.loss == "contrastive":
        return ContrastiveLoss(background=background)
    return CrossEntropyLoss(options.temperature, background)


class Average:
    """Averages of loss and matching accuracy over an epoch's batches.

    Matching accuracy is how often a sound is nearer to its own picture than to one of another video.
    """

    def __init__(self) -> None:
        self.count = 0
        self._sums: list[torch.Tensor] = []  # stay on the device, so that no step waits for it

    def add(self, loss: torch.Tensor, pairs: Comparison) -> None:
        """Add a batch: its loss and its distances."""
        self.count += len(pairs.right)
        compared = pairs.all_wrong_pictures.isfinite().any(1).sum()  # none in a batch of a single video
        self._sums.append(torch.stack([loss.detach() * len(pairs.right), pairs.accuracy() * compared, compared]))

    def _sum(self) -> list[float]:
        return torch.stack(self._sums).cpu().double().sum(0).tolist()

    @property
    def loss(self) -> float:
        """Mean loss of a sound."""
        return self._sum()[0] / self.count

    @property
    def accuracy(self) -> float:
        """Mean share of wrong pictures that are farther than the right one."""
        _, farther, compared = self._sum()
        return farther / max(1.0, compared)


def require_finite(loss: float) -> None:
    """Raise UserError if a loss is NaN or infinite."""
    if not math.isfinite(loss):
        kept = f"{LAST} and {BEST} keep the last good weights"
        raise UserError(f"the loss became {loss}: stopped, {kept}. Try a lower --learning_rate")


def train_step(
    model: nn.Module,
    criterion: nn.Module,
    optimizer: torch.optim.Optimizer,
    scaler: torch.amp.GradScaler,
    part: StepPart,
    options: Namespace,
    noise: NoiseNegatives,
) -> tuple[torch.Tensor, Comparison]:
    """Train on a batch, or on a part of it; returns its loss, scalar, and its distances."""
    if part.begins:
        optimizer.zero_grad()
    pairs = compare(model, part.batch, options, noise)
    loss = criterion(pairs)
    scaler.scale(loss * part.weight).backward()
    if part.ends:
        scaler.step(optimizer)
        scaler.update()
    return loss, pairs


def train_epoch(
    model: nn.Module,
    criterion: nn.Module,
    optimizer: torch.optim.Optimizer,
    scaler: torch.amp.GradScaler,
    loader: OnDevice,
    epoch: int,
    options: Namespace,
    noise: NoiseNegatives,
) -> Average:
    """Train on each second of the training list once, less those that do not fill a last batch."""
    model.train()
    loader.set_epoch(epoch)
    average = Average()
    steps = count_steps(len(loader), options.accumulate)
    batches = tqdm(loader, desc=f"epoch {epoch}", unit="batch", leave=False)
    for number, part in enumerate(step_parts(model, batches, loader.sizes(), options.accumulate)):
        if part.begins:
            set_learning_rate(optimizer, options, (epoch - 1) * steps + part.step, options.epoch * steps)
        loss, pairs = train_step(model, criterion, optimizer, scaler, part, options, noise)
        average.add(loss, pairs)
        if number % BATCHES_BETWEEN_CHECKS == 0:
            require_finite(loss.item())
    require_finite(average.loss)
    return average


def set_learning_rate(optimizer: torch.optim.Optimizer, options: Namespace, step: int, steps: int) -> None:
    """Set the learning rate of a step of the whole training."""
    for group in optimizer.param_groups:
        group["lr"] = learning_rate(options.learning_rate, options.schedule, options.warmup, step, steps)


@torch.no_grad()
def validate(model: DMC, criterion: nn.Module, loader: OnDevice, options: Namespace) -> Average:
    """Loss and matching accuracy on the validation list, without any labels."""
    model.eval()
    average = Average()
    for batch in tqdm(loader, desc="validation", unit="batch", leave=False):
        pairs = compare(model, batch, options)
        average.add(criterion(pairs), pairs)
    return average


def train(
    options: Namespace,
    model: DMC,
    train_loader: OnDevice,
    val_loader: OnDevice,
    noise: NoiseNegatives,
    folder: RunFolder,
    resumed: Checkpoint | None,
) -> None:
    """Train up to `options.epoch` epochs; after each, log, save and print a line."""
    criterion = build_loss(options)
    trainable, note = shared(model, train_loader.device)
    if note:
        print(note)
    optimizer = build_optimizer(model.parameters(), options)
    scaler = build_scaler(optimizer, model.precision, val_loader.device)
    if options.compile:
        model.compile_training()
    args = checkpoint_args(options)
    if resumed is None:
        folder.start(model, optimizer, args)
    else:
        resume(optimizer, folder, resumed, args)
    with open_log(options, folder, val_loader.loader.dataset.seconds, val_loader.device) as log:
        for epoch in range(folder.epoch + 1, options.epoch + 1):
            start = time.perf_counter()
            trained = train_epoch(trainable, criterion, optimizer, scaler, train_loader, epoch, options, noise)
            average_statistics(model)
            seconds = time.perf_counter() - start
            validated = validate(model, criterion, val_loader, options)
            require_finite(validated.loss)
            row = {
                "epoch": epoch,
                "loss": trained.loss,
                "train_accuracy": trained.accuracy,
                "val_loss": validated.loss,
                "val_accuracy": validated.accuracy,
                "learning_rate": optimizer.param_groups[0]["lr"],
                "seconds": time.perf_counter() - start,
                "samples_per_second": trained.count / seconds,
            }
            if log:  # before the epoch is saved: what a kill leaves unsaved is taken back on resuming
                log.add_epoch(row, model)
            folder.save_epoch(model, optimizer, args, row, options.save_every)
            print(epoch_line(row, options.epoch), flush=True)


def resume(optimizer: torch.optim.Optimizer, folder: RunFolder, checkpoint: Checkpoint, args: dict[str, Any]) -> None:
    """Bring optimizer, folder and random states to where a checkpoint left them; `args` wins over its options.

    Raises:
        UserError: the checkpoint holds weights only.
    """
    state = checkpoint.state
    if "optimizer" not in state:
        raise UserError(f"{checkpoint.path} holds weights only: start from it with --use_pretrain 1 --ckpt_file")
    optimizer.load_state_dict(state["optimizer"])
    folder.go_on(state, args)
    restore_random_states(state["random_states"])


def epoch_line(row: dict[str, Any], epochs: int) -> str:
    """One line on an epoch."""
    return (
        f"epoch {row['epoch']}/{epochs}  loss {row['loss']:.4f}  matching accuracy train {row['train_accuracy']:.3f} "
        f"val {row['val_accuracy']:.3f}  {row['seconds']:.0f} s  {row['samples_per_second']:.1f} samples/s"
    )


# --- evaluation ---------------------------------------------------------------------------------------------------


def evaluate(model: DMC, loader: OnDevice, path: Path) -> None:
    """Write ``dmc.pkl`` and ``dmc.csv`` for the test list, of which each process locates its share.

    Raises:
        UserError: the weights are no finite numbers.
    """
    model.eval()
    maps, distances = {}, {}
    for batch in tqdm(loader, desc="evaluation", unit="batch", leave=False):
        located = locate(model, batch)
        maps |= zip(batch["keys"], located.maps, strict=True)
        distances |= zip(batch["keys"], located.distances, strict=True)
    maps, distances = joined_in_first(maps), joined_in_first(distances)
    if is_first():
        write_dmc(path, maps, distances)
        print(f"Wrote the maps of {len(maps)} frames to {path} and their distances to {csv_path(path)}.")


# --- program ------------------------------------------------------------------------------------------------------


def checkpoint_to_load(given: dict[str, Any]) -> Path | None:
    """The checkpoint that the options ask for; None for a training from scratch."""
    options = merge_options(given, {})
    out = Path(options.out)
    if options.resume and not options.evaluate:
        if (out / LAST).exists():
            return out / LAST
        start = f"from {options.ckpt_file or out / BEST}" if options.use_pretrain else "fresh"
        print(f"--resume 1: there is no {out / LAST}, so the training starts {start}")
    if options.evaluate and not options.use_pretrain:
        print(f"--evaluate 1 without --use_pretrain 1: using {options.ckpt_file or out / BEST}")
    if options.evaluate or options.use_pretrain:
        return Path(options.ckpt_file or out / BEST)
    return None


def read_start(given: dict[str, Any]) -> tuple[dict[str, Any], Checkpoint | None]:
    """What the program starts from: the options given, with `--resume 1` after a restart, and the checkpoint if any."""
    given = after_restart(given, Path(merge_options(given, {}).out) / LAST)
    path = checkpoint_to_load(given)
    return given, read_checkpoint(path) if path else None


def require_writable(path: Path) -> None:
    """Make the folder of a result, and raise OSError now if it cannot be written later."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not os.access(path.parent, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path.parent))


def explained(error: RuntimeError) -> str | None:
    """What the user can do about an error of PyTorch; None if it is none of those that they can mend."""
    if isinstance(error, torch.OutOfMemoryError):
        return (
            "the device's memory is too small: give --accumulate 2 or more, or a smaller --batch_size or --image_size"
        )
    if "DataLoader worker" in str(error):
        return (
            f"a process that loads data died, for want of memory? Give --cache 0 or a smaller --num_threads ({error})"
        )
    if any(kind.__name__ == "BackendCompilerFailed" for kind in type(error).__mro__):  # PyTorch has it in private
        return f"--compile 1 failed ({first_line(error)}): install a C++ compiler, as g++, or give --compile 0"
    return explained_break(error)


def is_stopped(error: RuntimeError) -> bool:
    """Whether a plain kill, of the program and of what it had started, reached a process that loads data first."""
    return "DataLoader worker" in str(error) and "Terminated" in str(error)


def tell_inherited(options: Namespace, given: dict[str, Any], checkpoint: Checkpoint) -> None:
    """Print the options that come from the checkpoint, and say if its data set is not here."""
    if words := inherited_words(options, given):
        print(f"from {checkpoint.path}: {words}")
    data_dir = checkpoint.args.get("data_dir", options.data_dir)
    if "data_dir" not in given and data_dir != options.data_dir:
        print(f"{checkpoint.path} was trained on {data_dir}, which is not here: using {options.data_dir}")


def run(options: Namespace, checkpoint: Checkpoint | None) -> None:
    """Train, unless only an evaluation is asked for, and evaluate with the best weights.

    Raises:
        UserError: something that the user can mend.
    """
    device = choose_device(options.device)
    require_packages(options.log)
    dmc_pkl = path_for_audio(options.dmc_pkl, options.audio)
    require_writable(dmc_pkl)
    require_window(options, new=checkpoint is None)
    test_loader = build_test_loader(options, device)  # also before training: fail now, not after hours
    seed_everything(options.seed)
    precision = choose_precision(options.precision, device)
    model = build_dmc(options, precision).to(device)
    print(
        f"DMC, recipe {options.recipe}, {options.v_cluster} visual and {options.a_cluster} sound clusters, "
        f"{str(precision).removeprefix('torch.')} on {device}"
    )
    if not options.evaluate and (warning := slow_training(precision, device)):
        print(warning, flush=True)
    if options.visual_weights and checkpoint:
        print(f"--visual_weights is not used: {checkpoint.path} brings weights of its own")
    elif options.visual_weights:
        print(load_visual_weights(model, options.visual_weights))
    if checkpoint and (note := load_weights(model, checkpoint)):
        print(note)
    if not options.evaluate:
        noise = NoiseNegatives(Path(options.data_dir), options.noise_negatives)
        pair_loaders = build_pair_loaders(options, device)
        folder = RunFolder(Path(options.out))
        resuming = checkpoint is not None and checkpoint.path == folder.path / LAST and bool(options.resume)
        if not resuming:
            from_first(folder.require_free, bool(options.overwrite))
        train(options, model, *pair_loaders, noise, folder, checkpoint if resuming else None)
        load_weights(model, from_first(read_checkpoint, folder.path / BEST))
        print(f"Trained {folder.epoch} epochs: {folder.path} holds {BEST}, {LAST}, log.csv, args.json.")
    if options.audio != "own":
        print(f"--audio {options.audio}: not their own sound, so the maps go to {dmc_pkl}, not {options.dmc_pkl}")
    model.set_testing(options)
    evaluate(model, test_loader, dmc_pkl)
    drawing, scoring = (
        f"{command(script, options.data_dir)} {shlex.quote(str(dmc_pkl))}"
        for script in ("vis/draw.py", "metrics/score.py")
    )
    print(f"Next: {drawing} draws them, {scoring} scores them if there is a boxes.json.")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program; returns its exit status."""
    given: dict[str, Any] = {}
    signal.signal(signal.SIGTERM, end_like_ctrl_c)
    try:
        with joined():
            parser, given = parse_options(__doc__, argv)
            given, checkpoint = from_first(read_start, given)
            options = merge_options(given, checkpoint.args if checkpoint else {})
            if problem := check_options(options):
                parser.error(problem)
            if checkpoint:
                tell_inherited(options, given, checkpoint)
            for sentence in without_effect(options, given):
                print(sentence)
            run(options, checkpoint)
    except EndedByAnother:
        return 1
    except UserError as error:
        print(f"location_dmc.py: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(
            f"location_dmc.py: cannot read or write {error.filename or 'a file'} ({error.strerror or error})",
            file=sys.stderr,
        )
        return 1
    except RuntimeError as error:
        if is_stopped(error):
            return stopped(given)
        if (explanation := explained(error)) is None:
            raise
        print(f"location_dmc.py: {explanation}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return stopped(given)
    return 0


def end_like_ctrl_c(*_: object) -> NoReturn:
    """What a plain kill does, of this process or of all that it has started too."""
    let_loaders_die()
    raise KeyboardInterrupt


def let_loaders_die() -> None:
    """From now on a process that loads data may die: else PyTorch raises an error, wherever this program is then."""
    if hasattr(signal, "SIGCHLD"):
        signal.signal(signal.SIGCHLD, lambda *_: None)  # no SIG_DFL, which Python reports where one is already there


def stopped(given: dict[str, Any]) -> int:
    """Say that the program was stopped; returns its exit status."""
    let_loaders_die()
    left = "no maps were written" if given.get("evaluate") else f"--resume 1 goes on with a training from its {LAST}"
    print(f"location_dmc.py: stopped; {left}", file=sys.stderr)
    return INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
