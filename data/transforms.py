"""Reads frames into tensors, and augments them.

Frames stay uint8 up to the device: they get their color jitter there, and `models.dmc` normalizes them.
"""

import contextlib
import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torchvision.transforms.v2 import functional

from data.read import UNREADABLE, open_frame

try:
    from torchvision.io import ImageReadMode, decode_jpeg, read_file
except ImportError:
    decode_jpeg = None

RESIZE_OVER_CROP = 256 / 224  # published: resized to 256 x 256, then cropped to 224 x 224
AUGMENTATIONS = ("published", "strong")
JITTER = {"published": (0.7, 1.3), "strong": (0.6, 1.4)}  # factors of brightness, saturation and (strong) contrast
HUE = 0.1  # of the color circle, in both directions
CROP_AREA = (0.5, 1.0)
CROP_LOG_ASPECT = 0.2
FRAMES_ON_CPU = 4  # that get their color jitter together
JITTER_SUFFIX = "_jitter"  # the color factors of batch["frame"] are batch["frame_jitter"]


# --- reading ------------------------------------------------------------------------------------------------------


def load_frame(path: Path) -> torch.Tensor:
    """Read a frame, uint8 RGB [3, H, W].

    With torchvision's decoder a batch is loaded in 0.9 of the time that Pillow takes, with the same pixels. It is
    deprecated (since 0.29; the suggested TorchCodec does not load beside a PyTorch without CUDA). Pillow decodes once
    the decoder is gone, and all files that torchvision cannot read.

    A small file can state any size, and torchvision reserves the memory. Pillow has a limit, and applies it to the
    header.
    """
    if decode_jpeg:
        with contextlib.suppress(RuntimeError, *UNREADABLE):
            Image.open(path, formats=("JPEG",)).close()
            return decode_jpeg(read_file(str(path)), ImageReadMode.RGB)
    return torch.from_numpy(np.array(open_frame(path))).permute(2, 0, 1)


# --- resizing and cropping ----------------------------------------------------------------------------------------


def resized_side(size: int, augmentation: str | None) -> int | None:
    """Return the side of the square that `resize` gives; None where each frame keeps its own shape."""
    if augmentation == "strong":
        return None
    return round(size * RESIZE_OVER_CROP) if augmentation == "published" else size


def resize(frame: torch.Tensor, size: int, augmentation: str | None = None) -> torch.Tensor:
    """Resize a frame, uint8 [3, H, W], as it is needed before all random changes; the result can be cached.

    `size` is the final side of the square frame; without augmentation, in tests and validation, it is that already.
    """
    side = resized_side(size, augmentation)
    return functional.resize(frame, [side, side]) if side else frame


def random_crop(frame: torch.Tensor, size: int, rng: np.random.Generator, augmentation: str) -> torch.Tensor:
    """Crop a frame of `resize` at random, uint8 [3, h, w] -> [3, size, size].

    ``published`` takes seven eighths of each side; ``strong`` half to all of the area with a similar aspect ratio
    (random resized crop; Szegedy et al., CVPR 2015).
    """
    full_height, full_width = frame.shape[1:]
    if augmentation == "published":
        top, left = rng.integers(full_height - size + 1, size=2)
        return frame[:, top : top + size, left : left + size]
    area, aspect = rng.uniform(*CROP_AREA), math.exp(rng.uniform(-CROP_LOG_ASPECT, CROP_LOG_ASPECT))
    width = min(full_width, round(full_width * math.sqrt(area * aspect)))
    height = min(full_height, round(full_height * math.sqrt(area / aspect)))
    top, left = rng.integers(full_height - height + 1), rng.integers(full_width - width + 1)
    return functional.resized_crop(frame, int(top), int(left), height, width, [size, size])


def random_flip(frame: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """Flip half of the frames from left to right."""
    return frame.flip(-1) if rng.random() < 0.5 else frame


# --- color jitter -------------------------------------------------------------------------------------------------


def sample_color_jitter(rng: np.random.Generator, augmentation: str) -> torch.Tensor:
    """Draw the factors of `apply_color_jitter` for a frame, float32 [2] or, for ``strong``, [4]."""
    jitter = JITTER[augmentation]
    factors = [rng.uniform(*jitter), rng.uniform(*jitter)]
    if augmentation == "strong":
        factors += [rng.uniform(*jitter), rng.uniform(-HUE, HUE)]
    return torch.tensor(factors, dtype=torch.float32)


def apply_color_jitter_to_batch(batch: dict[str, Any]) -> dict[str, Any]:
    """Apply the color factors that a batch of a `PairDataset` holds, and remove them.

    A CPU takes a few frames at a time: they fit into its cache, and all cores have work.
    """
    finished = {key: value for key, value in batch.items() if not key.endswith(JITTER_SUFFIX)}
    for key in batch.keys() - finished.keys():
        name, size = key.removesuffix(JITTER_SUFFIX), len(batch[key])
        if batch[key].device.type == "cpu":
            size = FRAMES_ON_CPU
        parts = map(apply_color_jitter, batch[name].split(size), batch[key].split(size))
        finished[name] = torch.cat(list(parts))
    return finished


def apply_color_jitter(frames: torch.Tensor, factors: torch.Tensor) -> torch.Tensor:
    """Change brightness, then saturation, contrast and hue of each frame, as torchvision's ``adjust_`` functions do.

    Those take one frame at a time, which costs a GPU more than the network does.

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
