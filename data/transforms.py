"""Reads frames and spectrograms, and augments the frames.

Frames stay uint8 up to the device: a whole batch gets its color jitter there, and `models.dmc` normalizes them.
"""

import contextlib
import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torchvision.transforms.v2 import functional

from common.errors import SampleError
from data.preprocess.settings import audio_command

try:
    from torchvision.io import ImageReadMode, decode_jpeg, read_file
except ImportError:
    decode_jpeg = None

UNREADABLE = (OSError, SyntaxError, ValueError, Image.DecompressionBombError)  # what Pillow raises for a damaged file
SPECTROGRAM_SHAPES = (201, 64), (496, 64)  # time, mel band; of one and of five seconds, by `data/media/spectrogram.py`
RESIZE_OVER_CROP = 256 / 224  # published: resized to 256 x 256, then cropped to 224 x 224
AUGMENTATIONS = ("published", "strong")
JITTER = {"published": (0.7, 1.3), "strong": (0.6, 1.4)}  # factors of brightness, saturation and (strong) contrast
HUE = 0.1  # of the color circle, in both directions
CROP_AREA = (0.5, 1.0)
CROP_LOG_ASPECT = 0.2
JITTER_SUFFIX = "_jitter"  # the color factors of batch["frame"] are batch["frame_jitter"]


# --- reading ------------------------------------------------------------------------------------------------------


def open_frame(path: Path) -> Image.Image:
    """Read a frame as an RGB image of Pillow.

    Raises:
        SampleError: it cannot be read.
    """
    try:
        with Image.open(path) as image:
            image.load()  # convert() would copy an RGB image
            return image if image.mode == "RGB" else image.convert("RGB")
    except UNREADABLE as error:
        remedy = f"delete {path.parent.parent} and run data/cut_video.py on this data set again"
        raise SampleError(f"the frame {path} cannot be read ({error}): {remedy}") from error


def load_frame(path: Path) -> torch.Tensor:
    """Read a frame, uint8 RGB [3, H, W].

    torchvision decodes a frame in 0.6 of Pillow's time, to the same pixels. Its decoder is deprecated (since 0.29; the
    suggested TorchCodec does not load beside a PyTorch without CUDA). Pillow decodes once the decoder is gone, and all
    files that torchvision cannot read.
    """
    if decode_jpeg:
        with contextlib.suppress(RuntimeError):
            return decode_jpeg(read_file(str(path)), ImageReadMode.RGB)
    return torch.from_numpy(np.array(open_frame(path))).permute(2, 0, 1)


def load_spectrogram(path: Path) -> torch.Tensor:
    """Read the log-mel spectrogram of a second, float32 [1, T, 64].

    Raises:
        SampleError: it cannot be read, has another shape, or holds NaN or infinite values.
    """
    return _load_spectrogram(path, (), path.parents[2], f"delete {path.parent} and run").unsqueeze(0)


def load_spectrograms(path: Path) -> torch.Tensor:
    """Read the spectrograms of ``noise.npy`` or ``silence.npy``, float32 [n, 1, T, 64]; raises as for one second."""
    return _load_spectrogram(path, (-1,), path.parents[1], "run").unsqueeze(1)


def _load_spectrogram(path: Path, leading: tuple[int, ...], data_dir: Path, remedy: str) -> torch.Tensor:
    """Read float32 [*leading, T, 64], where -1 stands for any number."""
    try:
        spectrogram = np.load(path, allow_pickle=False)
        shape = getattr(spectrogram, "shape", None)
        if shape is None or shape not in [(*shape[: len(leading)], *known) for known in SPECTROGRAM_SHAPES]:
            expected = " or ".join(str((*leading, *known)) for known in SPECTROGRAM_SHAPES)
            raise ValueError(f"its shape is {shape}, not {expected}")
        if not np.isfinite(spectrogram).all():
            raise ValueError("it holds NaN or infinite values")
    except (OSError, ValueError, EOFError) as error:
        remedy = f"{remedy} {audio_command(data_dir)} again"
        raise SampleError(f"the spectrogram {path} cannot be used ({error}): {remedy}") from error
    return torch.from_numpy(spectrogram.astype(np.float32, copy=False))


# --- resizing and cropping ----------------------------------------------------------------------------------------


def resized_side(size: int, augmentation: str | None) -> int | None:
    """Return the side of the square that `resize` gives; None where each frame keeps its own shape."""
    if augmentation == "strong":
        return None
    return round(size * RESIZE_OVER_CROP) if augmentation == "published" else size


def resize(frame: torch.Tensor, size: int, augmentation: str | None = None) -> torch.Tensor:
    """Resize a frame as it is needed before all random changes; the result can be cached.

    Args:
        frame: uint8 [3, H, W].
        size: final side of the square frame.
        augmentation: one of `AUGMENTATIONS`; None for testing and validation.
    """
    side = resized_side(size, augmentation)
    return functional.resize(frame, [side, side]) if side else frame


def random_crop(frame: torch.Tensor, size: int, rng: np.random.Generator, augmentation: str) -> torch.Tensor:
    """Crop a frame of `resize` at random, uint8 [3, h, w] -> [3, size, size]."""
    return (_published_crop if augmentation == "published" else _strong_crop)(frame, size, rng)


def random_flip(frame: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """Flip half of the frames from left to right."""
    return frame.flip(-1) if rng.random() < 0.5 else frame


def _published_crop(frame: torch.Tensor, size: int, rng: np.random.Generator) -> torch.Tensor:
    """Crop seven eighths of each side."""
    top, left = rng.integers(frame.shape[1] - size + 1, size=2)
    return frame[:, top : top + size, left : left + size]


def _strong_crop(frame: torch.Tensor, size: int, rng: np.random.Generator) -> torch.Tensor:
    """Crop half to all of the area with a similar aspect ratio (random resized crop; Szegedy et al., CVPR 2015)."""
    full_height, full_width = frame.shape[1:]
    area, aspect = rng.uniform(*CROP_AREA), math.exp(rng.uniform(-CROP_LOG_ASPECT, CROP_LOG_ASPECT))
    width = min(full_width, round(full_width * math.sqrt(area * aspect)))
    height = min(full_height, round(full_height * math.sqrt(area / aspect)))
    top, left = rng.integers(full_height - height + 1), rng.integers(full_width - width + 1)
    return functional.resized_crop(frame, int(top), int(left), height, width, [size, size])


# --- color jitter -------------------------------------------------------------------------------------------------


def sample_color_jitter(rng: np.random.Generator, augmentation: str) -> torch.Tensor:
    """Draw the factors of `apply_color_jitter` for a frame.

    Returns:
        float32 [2], brightness and saturation; for ``strong`` [4], contrast and the shift of the hue too.
    """
    jitter = JITTER[augmentation]
    factors = [rng.uniform(*jitter), rng.uniform(*jitter)]
    if augmentation == "strong":
        factors += [rng.uniform(*jitter), rng.uniform(-HUE, HUE)]
    return torch.tensor(factors, dtype=torch.float32)


def apply_color_jitter_to_batch(batch: dict[str, Any]) -> dict[str, Any]:
    """Apply the color factors that a batch of a `PairDataset` with `jitter_later` holds, and remove them."""
    factors = {key.removesuffix(JITTER_SUFFIX): batch[key] for key in batch if key.endswith(JITTER_SUFFIX)}
    rest = {key: value for key, value in batch.items() if not key.endswith(JITTER_SUFFIX)}
    return rest | {key: apply_color_jitter(batch[key], values) for key, values in factors.items()}


def apply_color_jitter(frames: torch.Tensor, factors: torch.Tensor) -> torch.Tensor:
    """Change brightness, then saturation, contrast and hue of each frame, as torchvision's ``adjust_`` functions do.

    Those take one frame at a time, which costs a GPU more than the network does. A CPU is faster with one frame at a
    time, because it fits into the CPU's cache.

    Args:
        frames: uint8 RGB [B, 3, H, W].
        factors: float32 [B, 2], brightness and saturation, where 1 changes nothing; or [B, 4] with contrast and the
            shift of the hue, -0.5 to 0.5 of the color circle.

    Returns:
        uint8 [B, 3, H, W].
    """
    # The number of factors decides, not their values: reading a value would wait for the GPU.
    brightness, saturation, *others = factors[..., None, None, None].unbind(1)  # [B, 1, 1, 1]
    # A crop of a decoded frame has its colors interleaved; separate planes are far faster.
    rgb = (frames.contiguous() * (brightness / 255)).clamp_(max=1)
    rgb = _blend(rgb, _luminance(rgb), saturation)
    if others:
        contrast, hue = others
        rgb = _blend(rgb, _luminance(rgb).mean((2, 3), keepdim=True), contrast)
        rgb = _shift_hue(rgb, hue)
    return rgb.mul_(255).round_().to(torch.uint8)


def _luminance(rgb: torch.Tensor) -> torch.Tensor:
    """ITU-R BT.601, [B, 3, H, W] -> [B, 1, H, W]."""
    return 0.299 * rgb[:, :1] + 0.587 * rgb[:, 1:2] + 0.114 * rgb[:, 2:]


def _blend(rgb: torch.Tensor, other: torch.Tensor, factor: torch.Tensor) -> torch.Tensor:
    return torch.lerp(other.expand_as(rgb), rgb, factor).clamp_(0, 1)


def _shift_hue(rgb: torch.Tensor, shift: torch.Tensor) -> torch.Tensor:
    """Convert RGB to HSV, shift the hue by a part of the color circle, and convert back."""
    value, strongest = rgb.max(1, keepdim=True)  # [B, 1, H, W]
    chroma = value - rgb.amin(1, keepdim=True)
    # Hue in sixths of the circle, from red.
    sector = (rgb.roll(-1, 1) - rgb.roll(-2, 1)).gather(1, strongest) / chroma.clamp(min=1e-6) + 2 * strongest
    # https://en.wikipedia.org/wiki/HSL_and_HSV, HSV to RGB, alternative: n = 5, 3, 1 give red, green, blue.
    n = torch.arange(5.0, 0, -2, device=rgb.device).view(3, 1, 1)
    k = (n + sector + 6 * shift) % 6
    return value - chroma * torch.minimum(k, 4 - k).clamp_(0, 1)
