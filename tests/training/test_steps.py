"""A training step: the same loss and gradient in every precision, in micro-batches, and compiled."""

import copy
import math
from argparse import Namespace
from pathlib import Path
from typing import Any

import pytest
import torch

from data.negative_audio import NoiseNegatives
from models.dmc import DMC
from models.losses import cross_entropy_loss, recipe_loss
from models.pairs import PairDistances, in_batch_pairs
from models.recipes import IMPROVED
from tests.fixtures.small_network import small_backbones
from training.batches import train_and_val_loaders
from training.device import choose_precision
from training.optim import split_into_steps
from training.options import merge_options
from training.steps import AverageMeter, Stepper, build_stepper, pair_distances, training_loss

CPU = torch.device("cpu")
Batch = dict[str, Any]


def start(
    data_dir: Path, recipe: str, *settings: str, device: torch.device = CPU, **others: Any
) -> tuple[Stepper, Batch]:
    """A training before its first step, and its first batch."""
    given = {"recipe": recipe, "precision": "fp32", "batch_size": 6, "num_threads": 0, "cache": 0, **others}
    options = merge_options({"data_dir": str(data_dir), "set": ["image_size=32", *settings], **given}, {})
    torch.manual_seed(1)
    precision = choose_precision(options.precision, device, options.recipe_name)
    model = DMC(options.recipe, options.v_cluster, options.a_cluster, precision).to(device).train()
    noise = NoiseNegatives(data_dir, options.recipe.noise_negatives)
    loader, _ = train_and_val_loaders(options, device)
    return build_stepper(options, model, noise, device), next(iter(loader))


def first_gradient(stepper: Stepper, batch: Batch) -> tuple[float, torch.Tensor]:
    """Loss of the first batch and the gradient of all weights, without the scale of float16."""
    if stepper.scaler.is_enabled():  # the scale of a training after some skipped steps
        stepper.scaler.scale(torch.ones(()))
        stepper.scaler.update(64.0)
    loss = recipe_loss(pair_distances(stepper.model, batch, stepper.recipe, stepper.noise), stepper.recipe)
    stepper.scaler.scale(loss).backward()
    gradients = torch.cat([weight.grad.flatten() for weight in stepper.model.parameters()])
    return loss.item(), gradients / (stepper.scaler.get_scale() if stepper.scaler.is_enabled() else 1)


@pytest.mark.slow
@pytest.mark.parametrize("recipe", ["original", "improved"])
@pytest.mark.parametrize(("precision", "of_loss", "cosine"), [("bf16", 0.05, 0.9), ("fp16", 0.01, 0.98)])
def test_every_precision_gives_the_loss_and_gradient_direction_of_float32(
    training_set, recipe, precision, of_loss, cosine, capsys
):
    # A low beta: rounding must not move whole features to another cluster. ResNet-18 itself, as depth adds rounding.
    settings = ["beta=1", "image_size=64"]
    expected_loss, expected = first_gradient(*start(training_set, recipe, *settings))
    loss, found = first_gradient(*start(training_set, recipe, *settings, precision=precision))
    assert ("hundreds of times slower on a CPU" in capsys.readouterr().out) == (precision == "fp16")
    assert loss != expected_loss
    assert loss == pytest.approx(expected_loss, rel=of_loss)
    assert torch.nn.functional.cosine_similarity(found, expected, dim=0) > cosine


@small_backbones()
def test_micro_batches_give_the_gradient_of_the_whole_batch_and_one_step_at_their_end(training_set):
    # Without BatchNorm's own statistics, and with one negative frame each, micro-batches equal the whole batch.
    stepper, batch = start(training_set, "original")
    model = stepper.model.double().eval()
    batch = {name: batch[name] for name in ("spectrogram", "frame", "negative_frame", "video")}
    batch["spectrogram"] = batch["spectrogram"].double()
    sizes = [4, 2]
    cut = [dict(zip(batch, rows, strict=True)) for rows in zip(*(v.split(sizes) for v in batch.values()), strict=True)]
    before = copy.deepcopy(model.state_dict())
    expected_loss = recipe_loss(pair_distances(model, batch, stepper.recipe), stepper.recipe)
    expected = torch.autograd.grad(expected_loss, list(model.parameters()))

    for weight in model.parameters():
        weight.grad = torch.ones_like(weight)  # of an earlier step
    losses = []
    for number, part in enumerate(split_into_steps(model, cut, sizes, accumulate=2)):
        assert not stepper.optimizer.state  # no step yet
        assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
        losses.append(stepper.step(part)[0].item() * sizes[number] / 6)
    assert sum(losses) == pytest.approx(expected_loss.item(), rel=1e-10)
    for (name, weight), of_whole in zip(model.named_parameters(), expected, strict=True):
        assert (weight.grad - of_whole).norm() <= 1e-10 * of_whole.norm(), name
        assert not torch.equal(weight, before[name]), name
        assert stepper.optimizer.state[weight]["step"] == 1


def test_a_mixture_belongs_to_the_audio_of_both_frames_in_their_shares(monkeypatch):
    monkeypatch.setattr(torch, "rand", lambda size: torch.tensor(0.25))
    torch.manual_seed(0)
    audio, visual = torch.randn(5, 1, 3).double(), torch.randn(4, 1, 3).double()  # the last audio is noise
    frames, video = torch.randint(256, (4, 3, 2, 2), dtype=torch.uint8), torch.tensor([0, 1, 2, 0])
    seen = []
    noise = Namespace(draw=lambda like: like[:1])
    batch = {"frame": frames, "spectrogram": torch.zeros(4, 1, 201, 64), "video": video}
    loss, pairs = training_loss(
        lambda spectrograms, mixed: seen.append(mixed) or (audio, visual), batch, IMPROVED, noise, mixup=True
    )
    neighbor = [1, 0, 3, 2]
    torch.testing.assert_close(seen[0], 0.25 * frames + 0.75 * frames[neighbor])
    distance = (audio - visual[:, 0]).square().sum(-1)  # [5, 4]
    shown = [{0, 1}, {0, 1}, {0, 2}, {0, 2}]  # the videos that each mixture shows
    heard = [*video.tolist(), None]
    expected = 0
    for share, owners in ((0.25, range(4)), (0.75, neighbor)):
        for frame, own in enumerate(owners):
            frames_of_others = [distance[own, other] for other in range(4) if heard[own] not in shown[other]]
            audio_of_others = [distance[other, frame] for other in range(5) if heard[other] not in shown[frame]]
            for negative in (frames_of_others, audio_of_others):
                logits = -torch.stack([distance[own, frame], *negative]) / 0.1
                expected = expected - share * logits.log_softmax(0)[0] / (2 * 4)
    assert loss.item() == pytest.approx(expected.item())
    assert torch.equal(pairs.positive, distance[:4].diagonal())


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
@pytest.mark.parametrize("recipe", ["original", "improved"])
def test_a_compiled_network_trains_as_an_uncompiled_one_and_keeps_its_names(training_set, recipe):
    gpu = torch.device("cuda")
    (plain, batch), (compiled, _) = (start(training_set, recipe, "beta=1", device=gpu, compile=c) for c in (0, 1))
    assert compiled.model.state_dict().keys() == plain.model.state_dict().keys()
    (expected_loss, expected), (loss, found) = (first_gradient(stepper, batch) for stepper in (plain, compiled))
    assert loss == pytest.approx(expected_loss, rel=1e-2)
    assert torch.nn.functional.cosine_similarity(found, expected, dim=0) > 0.99


def test_losses_are_averaged_over_samples_whatever_the_batches():
    average = AverageMeter()
    torch.manual_seed(0)
    expected = []
    for count in (5, 3):
        pairs = in_batch_pairs(torch.randn(count, 1, 4), torch.randn(count, 2, 4), torch.arange(count), "nearest")
        loss = cross_entropy_loss(pairs)
        average.add(loss, pairs)
        expected.append((loss.item(), pairs.accuracy().item(), count))
    assert average.loss == pytest.approx(sum(loss * n for loss, _, n in expected) / 8, rel=1e-6)
    assert average.accuracy == pytest.approx(sum(accuracy * n for _, accuracy, n in expected) / 8, rel=1e-6)


def test_a_batch_without_negative_pairs_does_not_count_in_the_accuracy():
    positive, inf = torch.tensor([1.0]), torch.tensor([[math.inf]])
    average = AverageMeter()
    average.add(torch.tensor(0.5), PairDistances(positive, torch.tensor([[2.0, 3.0]])))
    average.add(torch.tensor(0.5), PairDistances(positive, inf))  # a last batch of one video
    assert (average.loss, average.accuracy) == (0.5, 1.0)
    assert average.distances == pytest.approx((1, (2**0.5 + 3**0.5) / 2))  # of finite pairs only
