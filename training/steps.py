"""A training step: distances of positive and negative pairs, the loss, its gradients."""

import math
from argparse import Namespace
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from common.errors import UserError
from data.negative_audio import NoiseNegatives
from models.dmc import TwoStreams
from models.losses import recipe_loss
from models.pairs import PairDistances, in_batch_pairs, single_negative_pairs
from models.recipes import ONE_TO_ONE, Recipe
from training.distributed import all_gather_with_grad, parallelize, shard_rows
from training.optim import MicroBatch, build_optimizer


def epochs_with_one_audio_cluster(options: Namespace) -> int:
    """How many epochs a network for several sources begins with one audio cluster.

    It learns to find any of the sources before it learns to tell them apart (Hu et al., "Curriculum Audiovisual
    Learning", 2020, begin with videos of one source).
    """
    return options.recipe.epoch // 2 if options.a_cluster > 1 and options.recipe.matching == ONE_TO_ONE else 0


def pair_distances(
    model: nn.Module, batch: Mapping[str, Any], recipe: Recipe, noise: NoiseNegatives | None = None
) -> PairDistances:
    """Distances of the pairs of a batch."""
    audios, visuals = batch_centers(model, batch, recipe, noise)
    if recipe.in_batch:
        return in_batch_pairs(*audios, *visuals, video_numbers(batch), recipe.matching)
    return single_negative_pairs((audios[0], visuals[0]), (audios[-1], visuals[-1]), recipe.matching)


def batch_centers(
    model: nn.Module, batch: Mapping[str, Any], recipe: Recipe, noise: NoiseNegatives | None
) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    """Centers of all audio and of all frames of a batch, which go through the network once.

    Positive and negative frames or audio go through it together, so that BatchNorm has the statistics of both. Of
    several processes each encodes its part, and all have the centers of the whole batch.

    Returns:
        Audio: the own one, [B, A, D], with noise behind it, [B + N, A, D], and the negative one, if there is one;
        frames, [B, V, D], likewise.
    """
    count, whole = len(batch["frame"]), batch.get("whole")
    spectrograms = [batch[key] for key in ("spectrogram", "negative_spectrogram") if key in batch]
    frames = [batch[key] for key in ("frame", "negative_frame") if key in batch]
    noise_spectrograms = noise.draw(spectrograms[0]) if noise and recipe.in_batch else spectrograms[0][:0]
    # [B + N or 2 B, A, D], [B or 2 B, V, D]
    audio, visual = model(torch.cat([*spectrograms, shard_rows(noise_spectrograms)]), torch.cat(frames))
    num_audio = count * len(spectrograms)
    noise_audio = all_gather_with_grad(audio[num_audio:], len(noise_spectrograms))
    audios = [all_gather_with_grad(centers, whole) for centers in audio[:num_audio].split(count)]
    visuals = [all_gather_with_grad(centers, whole) for centers in visual.split(count)]
    return [torch.cat([audios[0], noise_audio]), *audios[1:]], visuals


def video_numbers(batch: Mapping[str, Any]) -> torch.Tensor:
    """The number of the video of each second of the whole batch, int64 [B]."""
    return all_gather_with_grad(batch["video"], batch.get("whole"))


def swap_neighbors(rows: torch.Tensor) -> torch.Tensor:
    """Rows 0 and 1, 2 and 3, ... in each other's place. Their number is even."""
    return rows.unflatten(0, (-1, 2)).flip(1).flatten(0, 1)


def training_loss(
    model: nn.Module, batch: Mapping[str, Any], recipe: Recipe, noise: NoiseNegatives, mixup: bool
) -> tuple[torch.Tensor, PairDistances]:
    """The loss of a batch, and its distances.

    With mixup each frame is blended with its neighbor in the batch, and the audio of both belongs to the mixture, in
    the same shares (i-Mix, Lee et al., ICLR 2021). No mixture comes twice, so there is less to learn by heart. An odd
    number of frames is not mixed.
    """
    count = len(batch["frame"])
    if not mixup or count % 2 or batch.get("whole", count) % 2:
        pairs = pair_distances(model, batch, recipe, noise)
        return recipe_loss(pairs, recipe), pairs
    share = torch.rand(()).item()  # the same in all processes
    frames = batch["frame"].float()
    mixed = torch.lerp(swap_neighbors(frames), frames, share)
    (audio,), (visual,) = batch_centers(model, {**batch, "frame": mixed}, recipe, noise)
    video = video_numbers(batch)
    neighbor, own_audio, noise_audio = swap_neighbors(video), audio[: len(video)], audio[len(video) :]
    own = in_batch_pairs(audio, visual, video, recipe.matching, neighbor)
    swapped = torch.cat([swap_neighbors(own_audio), noise_audio])
    other = in_batch_pairs(swapped, visual, neighbor, recipe.matching, video)
    return share * recipe_loss(own, recipe) + (1 - share) * recipe_loss(other, recipe), own


@dataclass
class Stepper:
    """All that a step changes, and all that it needs beside its batch."""

    recipe: Recipe
    model: TwoStreams  # the network
    parallel: nn.Module  # the same network, perhaps with gradients averaged over several processes
    optimizer: torch.optim.Optimizer
    scaler: torch.amp.GradScaler  # of the loss for float16, whose smallest number is so large that gradients would be 0
    noise: NoiseNegatives

    def step(self, micro_batch: MicroBatch) -> tuple[torch.Tensor, PairDistances]:
        """Train on a micro-batch; the last one of a step changes the weights. Returns its loss and distances."""
        if micro_batch.first:
            self.optimizer.zero_grad()
        # With several audio clusters, each of the objects in a mixture would need a visual cluster of its own.
        mixup = self.recipe.mixup and self.recipe.in_batch and self.model.a_cluster == 1
        loss, pairs = training_loss(self.parallel, micro_batch.batch, self.recipe, self.noise, mixup)
        self.scaler.scale(loss * micro_batch.weight).backward()
        if micro_batch.last:
            self.scaler.step(self.optimizer)
            self.scaler.update()
        return loss, pairs


def build_stepper(options: Namespace, model: TwoStreams, noise: NoiseNegatives, device: torch.device) -> Stepper:
    """Build optimizer and scaler; make the network parallel, and compile it if that is asked for."""
    parallel = parallelize(model, device)
    optimizer = build_optimizer(model.parameters(), options.recipe.learning_rate)
    scaler = torch.amp.GradScaler(device.type, enabled=model.precision == torch.float16)
    if options.compile and device.type == "cuda":
        model.visual_net.compile()
        model.audio_net.compile()
    elif options.compile:
        print(f"--compile 1 has no effect on {device}: it is for CUDA GPUs")
    if scaler.is_enabled() and device.type == "cpu":
        # PyTorch has no fast gradients of convolutions in float16 there: 4.4 s against 5 ms in bfloat16 (2.14).
        print(
            "--precision fp16 trains hundreds of times slower on a CPU than fp32: stop (Ctrl-C), take --precision auto",
            flush=True,
        )
    return Stepper(options.recipe, model, parallel, optimizer, scaler, noise)


def require_finite(loss: float) -> None:
    """Raise UserError if a loss is NaN or infinite."""
    if not math.isfinite(loss):
        kept = "last.pth and best.pth keep the last good weights"
        raise UserError(f"the loss became {loss}: stopped, {kept}. Try a lower --learning_rate")


class AverageMeter:
    """Averages of loss and matching accuracy over the batches of an epoch.

    Matching accuracy: how often audio is nearer to its own frame than to a frame of another video; where the negatives
    are audio, how often a frame is nearer to its own audio.
    """

    def __init__(self) -> None:
        self.count = 0
        self._sums: list[torch.Tensor] = []  # stay on the device, so that no step waits for it

    def add(self, loss: torch.Tensor, pairs: PairDistances) -> None:
        """Add a batch: its loss and its distances."""
        self.count += len(pairs.positive)
        compared = pairs.negative.isfinite()
        rows = compared.any(1).sum()  # none in a batch of a single video
        distance, negative = pairs.positive.detach().sqrt(), pairs.negative.detach().sqrt()
        sums = [loss.detach() * len(distance), pairs.accuracy() * rows, rows]
        sums += [distance.sum(), negative.where(compared, 0).sum(), compared.sum()]
        self._sums.append(torch.stack(sums))

    def _sum(self) -> list[float]:
        return torch.stack(self._sums).cpu().double().sum(0).tolist()

    @property
    def loss(self) -> float:
        """Mean loss of a sample."""
        return self._sum()[0] / self.count

    @property
    def accuracy(self) -> float:
        """Mean share of negative pairs that are farther apart than the positive one."""
        _, farther, rows, *_ = self._sum()
        return farther / max(1.0, rows)

    @property
    def distances(self) -> tuple[float, float]:
        """Mean matched distance D of positive and of negative pairs."""
        *_, positive, negative, compared = self._sum()
        return positive / self.count, negative / max(1.0, compared)


def log_row(
    epoch: int, stepper: Stepper, trained: AverageMeter, validated: AverageMeter, seconds: float, speed: float
) -> dict[str, Any]:
    """The line of an epoch in ``log.csv``; `seconds` of training and validation, `speed` in samples a second."""
    return {
        "epoch": epoch,
        "a_cluster": stepper.model.a_cluster,
        "loss": trained.loss,
        "train_accuracy": trained.accuracy,
        "val_loss": validated.loss,
        "val_accuracy": validated.accuracy,
        "positive_distance": trained.distances[0],
        "negative_distance": trained.distances[1],
        "learning_rate": stepper.optimizer.param_groups[0]["lr"],
        "seconds": seconds,
        "samples_per_second": speed,
    }
