"""Reads frames and spectrograms from the disk, without PyTorch: what draws them needs none."""

from pathlib import Path

import numpy as np
from PIL import Image

from common.errors import SampleError, first_line
from data.preprocess.settings import audio_command

FORMATS = ("JPEG", "PNG", "WEBP", "BMP")  # of a file named .jpg; for some of the others Pillow starts programs
UNREADABLE = (OSError, SyntaxError, ValueError, Image.DecompressionBombError)  # what Pillow raises for a damaged file
SPECTROGRAM_SHAPES = (201, 64), (496, 64)  # time, mel band; of one and of five seconds, by `data/media/spectrogram.py`
LOUDEST = 1e6  # decibels: no spectrogram has more


def open_frame(path: Path) -> Image.Image:
    """Read a frame as an RGB image of Pillow; SampleError if it cannot be read."""
    try:
        with Image.open(path, formats=FORMATS) as image:
            image.load()  # convert() would copy an RGB image
            return image if image.mode == "RGB" else image.convert("RGB")
    except UNREADABLE as error:
        remedy = f"delete {path.parent.parent} and run data/cut_video.py on this data set again"
        raise SampleError(f"the frame {path} cannot be read ({error}): {remedy}") from error


def read_spectrogram(path: Path) -> np.ndarray:
    """Read the log-mel spectrogram of a second, float32 [T, 64]; SampleError if the file holds something else."""
    return _read_spectrogram(path, (), path.parents[2], f"delete {path.parent} and run")


def read_spectrograms(path: Path) -> np.ndarray:
    """Read the spectrograms of ``noise.npy`` or ``silence.npy``, float32 [n, T, 64]."""
    return _read_spectrogram(path, (-1,), path.parents[1], "run")


def _read_spectrogram(path: Path, leading: tuple[int, ...], data_dir: Path, remedy: str) -> np.ndarray:
    """Read float32 [*leading, T, 64], where -1 stands for any number."""
    try:
        spectrogram = np.load(path, allow_pickle=False)
        shape = getattr(spectrogram, "shape", None)
        if shape is None or shape not in [(*shape[: len(leading)], *known) for known in SPECTROGRAM_SHAPES]:
            expected = " or ".join(str((*leading, *known)) for known in SPECTROGRAM_SHAPES)
            raise ValueError(f"its shape is {shape}, not {expected}")
        if not np.issubdtype(spectrogram.dtype, np.floating):
            raise ValueError(f"its type is {spectrogram.dtype}, not float32")
        if not (np.abs(spectrogram) <= LOUDEST).all():
            raise ValueError("it holds NaN or other values that are no decibels")
    except Exception as error:  # numpy raises many kinds for a damaged header, and MemoryError for the size it states
        remedy = f"{remedy} {audio_command(data_dir)} again"
        raise SampleError(f"the spectrogram {path} cannot be used ({first_line(error)}): {remedy}") from error
    return spectrogram.astype(np.float32, copy=False)
