"""Reads one frame or one spectrogram from disk into what the network takes.

Frames stay uint8 up to the device: `data.colors` changes their colours there, a batch at a time, and `models.dmc`
normalises them.
"""

import contextlib
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torchvision.transforms.v2 import functional

from common.errors import SampleError
from data.preprocess.settings import window_option

try:
    from torchvision.io import ImageReadMode, decode_jpeg, read_file
except ImportError:
    decode_jpeg = None

SPECTROGRAM_SHAPE = (201, 64)  # time, mel band; `data/spectrogram.py` writes it
RESIZE_OVER_CROP = 256 / 224  # published: resized to 256 x 256, then cropped to 224 x 224
AUGMENTATIONS = ("published", "strong")
JITTER = {"published": (0.7, 1.3), "strong": (0.6, 1.4)}  # factors of brightness, saturation and (strong) contrast
HUE = 0.1  # of the circle, either way
CROP_AREA = (0.5, 1.0)
CROP_LOG_ASPECT = 0.2
LONGEST_MASK = (40, 8)  # frames of a spectrogram, mel bands
MASKED_SHARE = 0.5  # of the sounds


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """A frame's file, of which only the first bytes have been read."""
    try:
        with Image.open(path) as image:
            yield image
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        remedy = f"delete {path.parent.parent} and run data/cut_video.py on this data set again"
        raise SampleError(f"the frame {path} cannot be read ({error}): {remedy}") from error


def load_picture(path: Path) -> Image.Image:
    """A frame as RGB picture.

    Raises:
        SampleError: it cannot be read.
    """
    with _opened(path) as image:
        image.load()  # also where there is nothing to convert: convert() would copy
        return image if image.mode == "RGB" else image.convert("RGB")


def frame_shape(path: Path) -> tuple[int, int, int]:
    """Shape of `load_frame`, [3, H, W], without decoding the frame.

    Raises:
        SampleError: it cannot be read.
    """
    with _opened(path) as image:
        return 3, image.height, image.width


def load_frame(path: Path) -> torch.Tensor:
    """A frame, uint8 RGB [3, H, W].

    torchvision decodes it in 0.6 of Pillow's time, to the same pixels. It is to give that up (announced in 0.29; the
    TorchCodec that it names does not load beside a PyTorch without CUDA): from then on, and for what it cannot read,
    Pillow decodes.

    Raises:
        SampleError: it cannot be read.
    """
    if decode_jpeg:
        with contextlib.suppress(RuntimeError):
            return decode_jpeg(read_file(str(path)), ImageReadMode.RGB)
    return torch.from_numpy(np.array(load_picture(path))).permute(2, 0, 1)


def load_spectrogram(path: Path) -> torch.Tensor:
    """A log-mel spectrogram, float32 [1, 201, 64].

    Raises:
        SampleError: it cannot be read, has another shape, or values that are no numbers.
    """
    return _load_array(path, path.parent.parent, f"delete {path.parent} and run", several=False).unsqueeze(0)


def load_spectrograms(path: Path) -> torch.Tensor:
    """The spectrograms of ``noise.npy`` or ``silence.npy``, float32 [n, 1, 201, 64].

    Raises:
        SampleError: they cannot be read, have another shape, or values that are no numbers.
    """
    return _load_array(path, path.parent, "run", several=True).unsqueeze(1)


def _load_array(path: Path, folder: Path, remedy: str, several: bool) -> torch.Tensor:
    """float32 [201, 64], or [n, 201, 64] if there are several.

    Args:
        path: of the file.
        folder: of all spectrograms.
        remedy: what to do where the file cannot be used, up to the program's name.
        several: whether it holds several.
    """
    try:
        spectrogram = np.load(path, allow_pickle=False)
        shape = getattr(spectrogram, "shape", ())
        if not isinstance(spectrogram, np.ndarray) or shape != (*shape[: int(several)], *SPECTROGRAM_SHAPE):
            raise ValueError(f"its shape is {shape or 'that of no array'}, not {SPECTROGRAM_SHAPE}")
        if not np.isfinite(spectrogram).all():
            raise ValueError("it holds values that are no finite numbers")
    except (OSError, ValueError, EOFError) as error:
        cutting = f"{remedy} data/cut_audio.py{window_option(folder)} on this data set again"
        raise SampleError(f"the spectrogram {path} cannot be used ({error}): {cutting}") from error
    return torch.from_numpy(spectrogram.astype(np.float32, copy=False))


def before_chance(picture: torch.Tensor, size: int, augmentation: str | None) -> torch.Tensor:
    """What is done to a picture before any chance: what it gives can be kept for the next epochs.

    Args:
        picture: uint8 [3, H, W].
        size: pixels of a side that it will have in the end.
        augmentation: one of `AUGMENTATIONS`; None for no chance at all.

    Returns:
        uint8 [3, h, w].
    """
    shape = shape_before_chance(size, augmentation)
    return plain(picture, shape[-1]) if shape else picture


def shape_before_chance(size: int, augmentation: str | None) -> tuple[int, int, int] | None:
    """Shape of what `before_chance` gives; None where every picture keeps its own."""
    if augmentation == "strong":
        return None
    side = round(size * RESIZE_OVER_CROP) if augmentation == "published" else size
    return 3, side, side


def cropped(picture: torch.Tensor, size: int, rng: np.random.Generator, augmentation: str) -> torch.Tensor:
    """A training picture, uint8 [3, size, size]: cropped and flipped at random.

    Args:
        picture: uint8 [3, h, w], of `before_chance`.
        size: pixels of a side.
        rng: all chance.
        augmentation: one of `AUGMENTATIONS`.
    """
    crop = _published_crop if augmentation == "published" else _strong_crop
    picture = crop(picture, size, rng)
    return picture.flip(-1) if rng.random() < 0.5 else picture


def _published_crop(picture: torch.Tensor, size: int, rng: np.random.Generator) -> torch.Tensor:
    """Of a whole picture, whatever its shape was, less an eighth."""
    top, left = rng.integers(picture.shape[1] - size + 1, size=2)
    return picture[:, top : top + size, left : left + size]


def _strong_crop(picture: torch.Tensor, size: int, rng: np.random.Generator) -> torch.Tensor:
    """Half to all of the picture's area, about as wide as high (random resized crop; Szegedy et al., CVPR 2015)."""
    full_height, full_width = picture.shape[1:]
    area, aspect = rng.uniform(*CROP_AREA), math.exp(rng.uniform(-CROP_LOG_ASPECT, CROP_LOG_ASPECT))
    width = min(full_width, round(full_width * math.sqrt(area * aspect)))
    height = min(full_height, round(full_height * math.sqrt(area / aspect)))
    top, left = rng.integers(full_height - height + 1), rng.integers(full_width - width + 1)
    return functional.resized_crop(picture, int(top), int(left), height, width, [size, size])


def color_factors(rng: np.random.Generator, augmentation: str) -> torch.Tensor:
    """How a training picture's colours are to be changed, see `data.colors.change_colors`.

    Args:
        rng: all chance.
        augmentation: one of `AUGMENTATIONS`.

    Returns:
        float32 [2]: factors of brightness and saturation; if it is ``strong`` [4]: of contrast too, and the turn of the
        hue.
    """
    jitter = JITTER[augmentation]
    factors = [rng.uniform(*jitter), rng.uniform(*jitter)]
    if augmentation == "strong":
        factors += [rng.uniform(*jitter), rng.uniform(-HUE, HUE)]
    return torch.tensor(factors, dtype=torch.float32)


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


def plain(picture: torch.Tensor, size: int) -> torch.Tensor:
    """A test picture, uint8 [3, size, size]: resized from uint8 [3, H, W]."""
    return functional.resize(picture, [size, size])
