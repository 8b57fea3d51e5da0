"""Reads the table of ESC-50 (Piczak, ACM Multimedia 2015): clips of 5 seconds in 50 classes, in 5 published folds."""

import csv
from pathlib import Path
from typing import NamedTuple

from common.errors import UserError


class AudioClip(NamedTuple):
    """A clip of ESC-50."""

    path: Path
    label: str  # its class, such as dog
    fold: int  # 1 to 5; all clips of one source recording are in one fold


def esc50_table(folder: Path) -> Path:
    """Return the file that makes a folder one in ESC-50's layout."""
    return Path(folder) / "meta" / "esc50.csv"


def read_esc50(folder: Path) -> list[AudioClip]:
    """Return the clips of a folder in ESC-50's layout, ``audio/*.wav`` and ``meta/esc50.csv``, in the table's order."""
    path = esc50_table(folder)
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            clips = [
                AudioClip(Path(folder) / "audio" / row["filename"], row["category"], int(row["fold"]))
                for row in csv.DictReader(file)
            ]
    except (OSError, ValueError, TypeError, KeyError, csv.Error) as error:
        expected = "the columns filename, fold, category"
        raise UserError(
            f"{path} is not the table of ESC-50, with {expected} ({type(error).__name__}: {error})"
        ) from error
    if not clips:
        raise UserError(f"{path} has no clips: fetch it again")
    return clips
