"""Masks of AVSBench: ``NAME/013.png`` is of second 13, as `data/import_sets.py` links them."""

from pathlib import Path

import numpy as np
from PIL import Image

from common.errors import UserError


def find_masks(folder: Path) -> dict[tuple[str, int], Path]:
    """The masks of a folder by NAME and second."""
    found = {
        (path.parent.name, int(path.stem)): path for path in sorted(folder.glob("*/*.png")) if path.stem.isdecimal()
    }
    if not found:
        raise UserError(f"the folder {folder} contains no NAME/000.png: data/import_sets.py --avsbench makes one")
    return found


def read_mask(path: Path, size: int) -> np.ndarray:
    """The pixels of a mask that are not black, bool [size, size]."""
    try:
        with Image.open(path) as image:
            return np.asarray(image.convert("L").resize((size, size), Image.Resampling.NEAREST)) > 0
    except (OSError, ValueError, SyntaxError) as error:
        raise UserError(f"the mask {path} cannot be read ({error})") from error
