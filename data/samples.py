"""Reads one frame or one spectrogram from disk into what the network takes.

Frames stay uint8 up to the device: `models.dmc` normalises them there.
"""

import math
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torchvision.transforms.v2 import functional

from data.errors import SampleError

SPECTROGRAM_SHAPE = (201, 64)  # time, mel band; `data/spectrogram.py` writes it
RESIZE_OVER_CROP = 256 / 224  # published: resized to 256 x 256, then cropped to 224 x 224
AUGMENTATIONS = ("published", "strong")
JITTER = {"published": (0.7, 1.3), "strong": (0.6, 1.4)}  # factors of brightness, saturation and (strong) contrast
HUE = 0.1  # of the circle, either way
CROP_AREA = (0.5, 1.0)
CROP_LOG_ASPECT = 0.2
LONGEST_MASK = (40, 8)  # frames of a spectrogram, mel bands
MASKED_SHARE = 0.5  # of the sounds


def load_frame(path: Path) -> Image.Image:
    """A frame as RGB picture.

    Raises:
        SampleError: it cannot be read.
    """
    try:
        with Image.open(path) as image:
            return image.convert("RGB")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        remedy = f"delete {path.parent.parent} and run data/cut_video.py on this data set again"
        raise SampleError(f"the frame {path} cannot be read ({error}): {remedy}") from error


def load_spectrogram(path: Path) -> torch.Tensor:
    """A log-mel spectrogram, float32 [1, 201, 64].

    Raises:
        SampleError: it cannot be read, has another shape, or values that are no numbers.
    """
    remedy = f"delete {path.parent} and run data/cut_audio.py on this data set again"
    return _load_array(path, remedy, several=False).unsqueeze(0)


def load_spectrograms(path: Path) -> torch.Tensor:
    """The spectrograms of ``noise.npy`` or ``silence.npy``, float32 [n, 1, 201, 64].

    Raises:
        SampleError: they cannot be read, have another shape, or values that are no numbers.
    """
    return _load_array(path, "run data/cut_audio.py on this data set again", several=True).unsqueeze(1)


def _load_array(path: Path, remedy: str, several: bool) -> torch.Tensor:
    """float32 [201, 64], or [n, 201, 64] if there are several."""
    try:
        spectrogram = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise SampleError(f"the spectrogram {path} cannot be read ({error}): {remedy}") from error
    shape = getattr(spectrogram, "shape", ())
    if not isinstance(spectrogram, np.ndarray) or shape != (*shape[: int(several)], *SPECTROGRAM_SHAPE):
        raise SampleError(f"the spectrogram {path} has shape {shape or 'no array'}, not {SPECTROGRAM_SHAPE}: {remedy}")
    if not np.isfinite(spectrogram).all():
        raise SampleError(f"the spectrogram {path} holds values that are no finite numbers: {remedy}")
    return torch.from_numpy(spectrogram.astype(np.float32, copy=False))


def augmented(image: Image.Image, size: int, rng: np.random.Generator, augmentation: str = "published") -> torch.Tensor:
    """A training picture, uint8 [3, size, size]: cropped, flipped and its colours changed at random.

    Args:
        image: RGB.
        size: pixels of a side.
        rng: all chance.
        augmentation: one of `AUGMENTATIONS`.
    """
    image = _published_crop(image, size, rng) if augmentation == "published" else _strong_crop(image, size, rng)
    if rng.random() < 0.5:
        image = functional.horizontal_flip(image)
    low, high = JITTER[augmentation]
    image = functional.adjust_brightness(image, rng.uniform(low, high))
    image = functional.adjust_saturation(image, rng.uniform(low, high))
    if augmentation == "strong":
        image = functional.adjust_contrast(image, rng.uniform(low, high))
        image = functional.adjust_hue(image, rng.uniform(-HUE, HUE))
    return functional.pil_to_tensor(image)


def _published_crop(image: Image.Image, size: int, rng: np.random.Generator) -> Image.Image:
    """Resized whole, whatever its shape, then cropped by an eighth."""
    resized = round(size * RESIZE_OVER_CROP)
    image = functional.resize(image, [resized, resized])
    top, left = rng.integers(resized - size + 1, size=2)
    return functional.crop(image, int(top), int(left), size, size)


def _strong_crop(image: Image.Image, size: int, rng: np.random.Generator) -> Image.Image:
    """Half to all of the picture's area, about as wide as high (random resized crop; Szegedy et al., CVPR 2015)."""
    area, aspect = rng.uniform(*CROP_AREA), math.exp(rng.uniform(-CROP_LOG_ASPECT, CROP_LOG_ASPECT))
    width = min(image.width, round(image.width * math.sqrt(area * aspect)))
    height = min(image.height, round(image.height * math.sqrt(area / aspect)))
    top, left = rng.integers(image.height - height + 1), rng.integers(image.width - width + 1)
    return functional.resized_crop(image, int(top), int(left), height, width, [size, size])


def spec_augmented(spectrogram: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """A training sound: begun at a random time, the rest put behind; perhaps without a stretch, and some mel bands.

    What is masked has the mean (SpecAugment; Park et al., Interspeech 2019, there with warped time).

    Args:
        spectrogram: float32 [1, 201, 64].
        rng: all chance.
    """
    changed = spectrogram.roll(int(rng.integers(spectrogram.shape[1])), 1)
    for axis, longest in zip((1, 2), LONGEST_MASK, strict=True):
        length = int(rng.integers(1, longest + 1))
        start = int(rng.integers(changed.shape[axis] - length + 1))
        if rng.random() < MASKED_SHARE:
            changed.narrow(axis, start, length).fill_(spectrogram.mean())
    return changed


def plain(image: Image.Image, size: int) -> torch.Tensor:
    """A test picture, uint8 [3, size, size]: resized."""
    return functional.pil_to_tensor(functional.resize(image, [size, size]))
