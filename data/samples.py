"""Reads one frame or one spectrogram from disk into what the network takes.

Frames stay uint8 up to the device: `models.dmc` normalises them there.
"""

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torchvision.transforms.v2 import functional

from data.errors import SampleError

SPECTROGRAM_SHAPE = (201, 64)  # time, mel band; `data/spectrogram.py` writes it
RESIZE_OVER_CROP = 256 / 224  # published: resized to 256 x 256, then cropped to 224 x 224
JITTER = (0.7, 1.3)  # range of the factors of brightness and saturation


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


def augmented(image: Image.Image, size: int, rng: np.random.Generator) -> torch.Tensor:
    """A training picture, uint8 [3, size, size]: resized, then cropped, flipped and its colours changed at random."""
    resized = round(size * RESIZE_OVER_CROP)
    image = functional.resize(image, [resized, resized])
    top, left = rng.integers(resized - size + 1, size=2)
    image = functional.crop(image, int(top), int(left), size, size)
    if rng.random() < 0.5:
        image = functional.horizontal_flip(image)
    image = functional.adjust_brightness(image, rng.uniform(*JITTER))
    image = functional.adjust_saturation(image, rng.uniform(*JITTER))
    return functional.pil_to_tensor(image)


def plain(image: Image.Image, size: int) -> torch.Tensor:
    """A test picture, uint8 [3, size, size]: resized."""
    return functional.pil_to_tensor(functional.resize(image, [size, size]))
