"""Draws a sheet of training samples, one of each class: a frame with its boxes, and the spectrogram of its second.

It shows what the network is given. Reads ``video_frames/`` and ``audio_frames/`` of the data set, ``labels.json`` and
``boxes.json`` if they exist, and writes ``DATA_DIR/samples.jpg``.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

if not __package__:  # run by path: imports start at the repository root
    sys.path[0] = str(Path(__file__).resolve().parents[1])

import numpy as np
from PIL import Image

from common.cli import command, new_parser, positive_int
from common.exit_status import exit_status
from data.index import SecondIndex, index_data_dir
from data.lists import label_of, labels_of_set
from data.read import open_frame, read_spectrogram
from metrics.maps.annotations import parse_frame
from vis.frames import boxes_of_set
from vis.overlay import draw_boxes
from vis.sheet import cell, column_sheet, image_format, save_image

SPECTROGRAM_SIZE = (213, 72)  # as wide as a frame of 4:3 on the sheet
# Shown as black and white, by the number of columns: decibels, and log(mel + 0.01) of five seconds.
RANGES = {201: (-80.0, 20.0), 496: (-4.6, 3.4)}


def one_of_each_class(seconds: SecondIndex, labels: dict[str, str], count: int) -> dict[str, int]:
    """Class -> index of the middle second of its first video. A video without a class counts as a class of its own."""
    chosen: dict[str, int] = {}
    for number, name in enumerate(seconds.names):
        if len(chosen) < count:
            middle = int(seconds.first[number] + seconds.first[number + 1]) // 2
            chosen.setdefault(label_of(name, labels) or name, middle)
    return dict(sorted(chosen.items()))


def draw_spectrogram(path: Path) -> Image.Image:
    """A spectrogram in grey: time to the right, low mel bands at the bottom, white is loud."""
    spectrogram = read_spectrogram(path).T[::-1]  # [64, T]
    low, high = RANGES[spectrogram.shape[1]]
    grey = ((spectrogram - low) / (high - low) * 255).clip(0, 255).astype(np.uint8)
    return Image.fromarray(grey).resize(SPECTROGRAM_SIZE).convert("RGB")


def write_sheet(options: argparse.Namespace) -> None:
    """Draw the sheet and write it."""
    data_dir = options.data_dir
    seconds = index_data_dir(data_dir)
    out = options.out or data_dir / "samples.jpg"
    image_format(out)
    boxes, columns = boxes_of_set(data_dir), []
    for label, index in one_of_each_class(seconds, labels_of_set(data_dir), options.count).items():
        name = seconds.name(index)
        title = f"{name}, second {seconds.second[index]}"
        path = seconds.frame_paths(index)[0]
        frame, found = np.asarray(open_frame(path)), boxes.get(parse_frame(str(path)))
        drawn = cell(draw_boxes(frame, found.corners) if found else frame)
        images = [drawn, draw_spectrogram(seconds.spectrogram_path(index))]
        columns.append((title if label == name else f"{label}: {title}", images))
    save_image(column_sheet(columns, ["frame", "spectrogram"]), out)
    print(f"Wrote {out}. Next: {command('location_dmc.py', data_dir)}")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program. Returns its exit status."""
    parser = new_parser(__doc__)
    parser.add_argument("--count", type=positive_int, default=10, help="at most this many samples (default: 10)")
    parser.add_argument("--out", type=Path, help="file of the sheet (default: DATA_DIR/samples.jpg)")
    options = parser.parse_args(argv)
    return exit_status("samples", lambda: write_sheet(options))


if __name__ == "__main__":
    sys.exit(main())
