"""Colours of a batch, against torchvision's functions for one picture."""

import numpy as np
import pytest
import torch
from torchvision.transforms.v2 import functional

from data.colors import change_colors
from data.dataset import PairDataset, colored, pair_loader
from data.index import index_seconds
from data.transforms import AUGMENTATIONS, color_factors
from tests.fixtures.sample_set import add_video

UNCHANGED = (1.0, 1.0, 1.0, 0.0)


def by_torchvision(picture: torch.Tensor, factors: torch.Tensor) -> torch.Tensor:
    brightness, saturation, contrast, hue = factors.tolist()
    changed = functional.adjust_brightness(picture / 255, brightness)
    changed = functional.adjust_contrast(functional.adjust_saturation(changed, saturation), contrast)
    return functional.adjust_hue(changed, hue) * 255


def pictures() -> torch.Tensor:
    """Noise, and what has no hue: grey, black and white; and pure colours."""
    torch.manual_seed(0)
    batch = torch.randint(0, 256, (40, 3, 12, 20), dtype=torch.uint8)
    batch[0], batch[1], batch[2] = 128, 0, 255
    for channel in range(3):
        batch[3 + channel] = 0
        batch[3 + channel, channel] = 255
    batch[6, :, :, :10] = 0
    return batch


def test_every_picture_is_changed_as_torchvision_changes_it_alone():
    batch = pictures()
    factors = torch.stack([color_factors(np.random.default_rng(seed), "strong") for seed in range(len(batch))])
    factors[10:20, 3] = torch.linspace(-0.5, 0.5, 10)
    factors[20, 3] = 0  # beside others that are turned
    found = change_colors(batch, factors)
    assert found.dtype == torch.uint8 and found.shape == batch.shape
    for picture, own, changed in zip(batch, factors, found, strict=True):
        assert (by_torchvision(picture, own) - changed).abs().max() < 1  # of 255 levels: rounding


@pytest.mark.parametrize("augmentation", AUGMENTATIONS)
def test_a_picture_in_a_batch_is_what_it_is_alone(augmentation):
    batch = pictures()
    factors = torch.stack([color_factors(np.random.default_rng(seed), augmentation) for seed in range(len(batch))])
    alone = [change_colors(picture[None], own[None])[0] for picture, own in zip(batch, factors, strict=True)]
    assert torch.equal(change_colors(batch, factors), torch.stack(alone))


@pytest.mark.parametrize("count", [2, 4])
def test_factors_that_change_nothing_give_the_very_pictures(count):
    batch = pictures()
    assert torch.equal(change_colors(batch, torch.tensor([UNCHANGED[:count]] * len(batch))), batch)


def test_the_given_pictures_stay_as_they_are_and_their_order_in_memory_changes_nothing():
    batch, factors = pictures(), torch.tensor([(1.2, 0.7, 1.3, 0.07)] * 40)
    before = batch.clone()
    expected = change_colors(batch, factors)
    assert torch.equal(batch, before)
    colors_together = batch.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2)
    cropped = torch.nn.functional.pad(batch, (5, 5, 5, 5))[..., 5:-5, 5:-5]
    assert torch.equal(change_colors(colors_together, factors), expected)
    assert torch.equal(change_colors(cropped, factors), expected)


@pytest.mark.parametrize("count", [2, 4])
def test_nothing_looks_into_values_for_which_a_gpu_would_have_to_be_waited_for(count):
    batch = torch.empty(2, 3, 8, 8, dtype=torch.uint8, device="meta")  # has no values: looking into them is an error
    assert change_colors(batch, torch.empty(2, count, device="meta")).shape == batch.shape


def test_the_published_augmentation_leaves_contrast_and_hue():
    factors = torch.stack([color_factors(np.random.default_rng(seed), "published") for seed in range(300)])
    assert factors.shape == (300, 2)
    batch, neutral = pictures(), torch.tensor([UNCHANGED] * 40)
    neutral[:, :2] = factors[:40]
    assert torch.equal(change_colors(batch, factors[:40]), change_colors(batch, neutral))
    for column in (0, 1):
        assert 0.7 <= factors[:, column].min() < 0.72 and 1.28 < factors[:, column].max() <= 1.3


@pytest.mark.parametrize("negatives", ["one", "batch"])
@pytest.mark.parametrize("augmentation", AUGMENTATIONS)
def test_colours_changed_later_on_the_device_are_those_changed_by_the_workers(tmp_path, augmentation, negatives):
    for number, name in enumerate("ab"):
        add_video(tmp_path, name, kind=number, size=40)
    seconds = index_seconds(tmp_path, ["a", "b"])
    here, later = (
        next(iter(pair_loader(PairDataset(seconds, 32, 3, augmentation, negatives, colors_later=flag), 6, 0, True)))
        for flag in (False, True)
    )
    finished = colored(later)
    assert finished.keys() == here.keys() < later.keys()
    assert not torch.equal(later["frame"], here["frame"])
    assert all(torch.equal(finished[key], here[key]) for key in here)
