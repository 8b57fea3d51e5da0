"""Reads frames into tensors, and augments them.

Frames stay uint8 up to the device: they get their color jitter there, and `models.dmc` normalizes them.
"""

import contextlib
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
JITTER = (0.7, 1.3)  # factors of brightness and saturation
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


def side_before_crop(size: int) -> int:
    """Return the side of a frame of which `random_crop` takes `size` pixels."""
    return round(size * RESIZE_OVER_CROP)


def resize(frame: torch.Tensor, side: int) -> torch.Tensor:
    """Resize a frame to a square, uint8 [3, H, W] -> [3, side, side]."""
    return functional.resize(frame, [side, side])


def random_crop(frame: torch.Tensor, size: int, rng: np.random.Generator) -> torch.Tensor:
    """Crop a square frame at random, uint8 [3, side, side] -> [3, size, size]."""
    top, left = rng.integers(frame.shape[1] - size + 1, size=2)
    return frame[:, top : top + size, left : left + size]


def random_flip(frame: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """Flip half of the frames from left to right."""
    return frame.flip(-1) if rng.random() < 0.5 else frame


# --- color jitter -------------------------------------------------------------------------------------------------


def sample_color_jitter(rng: np.random.Generator) -> torch.Tensor:
    """Draw the factors of `apply_color_jitter` for a frame, float32 [2]."""
    return torch.tensor([rng.uniform(*JITTER), rng.uniform(*JITTER)], dtype=torch.float32)


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
    """Change brightness, then saturation of each frame, as torchvision's ``adjust_`` functions do.

    Those take one frame at a time, which costs a GPU more than the network does.

    Args:
        frames: uint8 RGB [B, 3, H, W].
        factors: of brightness and saturation, float32 [B, 2]; 1 changes nothing.

    Returns:
        uint8 [B, 3, H, W].
    """
    brightness, saturation = factors[..., None, None, None].unbind(1)  # [B, 1, 1, 1]
    # A crop of a decoded frame has its colors interleaved; separate planes are far faster.
    rgb = (frames.contiguous() * (brightness / 255)).clamp_(max=1)
    gray = 0.299 * rgb[:, :1] + 0.587 * rgb[:, 1:2] + 0.114 * rgb[:, 2:]  # luminance, ITU-R BT.601
    return torch.lerp(gray.expand_as(rgb), rgb, saturation).clamp_(0, 1).mul_(255).round_().to(torch.uint8)
