"""Reads frames and spectrograms from the disk, without PyTorch: what draws them needs none."""

from pathlib import Path

import numpy as np
from PIL import Image

from common.errors import SampleError
from data.preprocess.settings import audio_command

UNREADABLE = (OSError, SyntaxError, ValueError, Image.DecompressionBombError)  # what Pillow raises for a damaged file
SPECTROGRAM_SHAPE = (201, 64)  # time, mel band; written by `data/media/spectrogram.py`


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


def read_spectrogram(path: Path) -> np.ndarray:
    """Read the log-mel spectrogram of a second, float32 [201, 64].

    Raises:
        SampleError: it cannot be read, has another shape, or holds NaN or infinite values.
    """
    return _read_spectrogram(path, (), path.parents[2], f"delete {path.parent} and run")


def read_spectrograms(path: Path) -> np.ndarray:
    """Read the spectrograms of ``noise.npy`` or ``silence.npy``, float32 [n, 201, 64]; raises as for one second."""
    return _read_spectrogram(path, (-1,), path.parents[1], "run")


def _read_spectrogram(path: Path, leading: tuple[int, ...], data_dir: Path, remedy: str) -> np.ndarray:
    """Read float32 [*leading, 201, 64], where -1 stands for any number."""
    try:
        spectrogram = np.load(path, allow_pickle=False)
        shape = getattr(spectrogram, "shape", None)
        if shape is None or shape != (*shape[: len(leading)], *SPECTROGRAM_SHAPE):
            raise ValueError(f"its shape is {shape}, not {(*leading, *SPECTROGRAM_SHAPE)}")
        if not np.isfinite(spectrogram).all():
            raise ValueError("it holds NaN or infinite values")
    except (OSError, ValueError, EOFError) as error:
        remedy = f"{remedy} {audio_command(data_dir)} again"
        raise SampleError(f"the spectrogram {path} cannot be used ({error}): {remedy}") from error
    return spectrogram.astype(np.float32, copy=False)
