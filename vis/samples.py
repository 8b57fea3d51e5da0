"""Draws a sheet of samples, one of each class: the frame, its box where there is one, and the spectrogram below it.

Shows what the network is given. Reads ``video_frames/``, ``audio_frames/``, ``labels.json`` and ``boxes.json`` of the
data set (the last two if they are there), writes ``DATA_DIR/samples.jpg``.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

if not __package__:  # run by path: imports start at the repository root
    sys.path[0] = str(Path(__file__).resolve().parents[1])

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from common.atomic import atomic_file
from common.cli import command, new_parser, positive_int
from common.errors import UserError
from common.exit_status import exit_status
from data.index import SecondIndex, index_seconds
from data.layout import boxes_file, video_frames_dir
from data.lists import label_of, labels_of_set
from data.preprocess.settings import audio_command
from data.transforms import load_picture, load_spectrogram

FRAME_SIZE = (240, 180)
SOUND_SIZE = (240, 72)
GAP = 8
CAPTION = 16
DECIBELS = (-80.0, 20.0)  # shown as black and white


def load_boxes(data_dir: Path) -> dict[str, Any]:
    """The data set's ``boxes.json``; empty if it has none.

    Raises:
        UserError: it cannot be read.
    """
    path = boxes_file(data_dir)
    try:
        return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read ({error})") from error


def one_of_each_class(seconds: SecondIndex, labels: dict[str, str], count: int) -> dict[str, int]:
    """Class -> index of its first video's middle second; the video's name stands for the class of unlabelled ones."""
    chosen: dict[str, int] = {}
    for number, name in enumerate(seconds.names):
        if len(chosen) < count:
            middle = int(seconds.first[number] + seconds.first[number + 1]) // 2
            chosen.setdefault(label_of(name, labels) or name, middle)
    return dict(sorted(chosen.items()))


def draw_frame(path: Path, boxes: dict[str, Any]) -> Image.Image:
    """A frame with its boxes in white."""
    picture = load_picture(path).resize(FRAME_SIZE)
    draw = ImageDraw.Draw(picture)
    key = "/".join(path.parts[-3:])
    for box in boxes.get(key, {}).get("bbox", []):
        x, y, width, height = (value * FRAME_SIZE[i % 2] for i, value in enumerate(box["normbox"]))
        draw.rectangle((x, y, x + width, y + height), outline="white", width=2)
    return picture


def draw_spectrogram(path: Path) -> Image.Image:
    """A spectrogram in grey: time to the right, low mel bands at the bottom, loud is white."""
    low, high = DECIBELS
    decibels = load_spectrogram(path)[0].numpy().T[::-1]  # [64, 201]
    grey = ((decibels - low) / (high - low) * 255).clip(0, 255).astype(np.uint8)
    return Image.fromarray(grey).resize(SOUND_SIZE).convert("RGB")


def draw_sheet(seconds: SecondIndex, chosen: dict[str, int], boxes: dict[str, Any]) -> Image.Image:
    """The sheet, five samples a row."""
    columns = min(5, len(chosen))
    rows = -(-len(chosen) // columns)
    cell = (FRAME_SIZE[0] + GAP, CAPTION + FRAME_SIZE[1] + SOUND_SIZE[1] + 2 * GAP)
    sheet = Image.new("RGB", (columns * cell[0] + GAP, rows * cell[1] + GAP), "black")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(12)
    for number, (label, index) in enumerate(chosen.items()):
        x, y = GAP + number % columns * cell[0], GAP + number // columns * cell[1]
        draw.text((x, y), f"{label}: {seconds.name(index)}, second {seconds.second[index]}", "white", font)
        sheet.paste(draw_frame(seconds.frame_paths(index)[0], boxes), (x, y + CAPTION))
        sheet.paste(draw_spectrogram(seconds.spectrogram_path(index)), (x, y + CAPTION + FRAME_SIZE[1]))
    return sheet


def write_sheet(options: argparse.Namespace) -> None:
    """Draw the sheet and write it.

    Raises:
        UserError: there are no samples, or a file cannot be read.
    """
    data_dir = options.data_dir
    folder = video_frames_dir(data_dir)
    names = sorted(path.name for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
    seconds = index_seconds(data_dir, names)
    if not len(seconds):
        cutting = f"{command('data/cut_video.py', data_dir)} and {audio_command(data_dir)}"
        raise UserError(f"{data_dir} has no video with frames and spectrograms: run {cutting}")
    labels = labels_of_set(data_dir)
    out = options.out or data_dir / "samples.jpg"
    picture_format = Image.registered_extensions().get(out.suffix.lower())
    if picture_format is None:
        raise UserError(f"{out}: no kind of picture ends with {out.suffix!r}, use .jpg or .png")
    sheet = draw_sheet(seconds, one_of_each_class(seconds, labels, options.count), load_boxes(data_dir))
    with atomic_file(out) as partial:
        sheet.save(partial, format=picture_format, quality=90)
    print(f"Wrote {out}. Next: {command('location_dmc.py', data_dir)}")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program; returns its exit status."""
    parser = new_parser(__doc__)
    parser.add_argument("--count", type=positive_int, default=10, help="most samples on the sheet (default: 10)")
    parser.add_argument("--out", type=Path, help="file of the sheet (default: DATA_DIR/samples.jpg)")
    options = parser.parse_args(argv)
    return exit_status("samples", lambda: write_sheet(options))


if __name__ == "__main__":
    sys.exit(main())
