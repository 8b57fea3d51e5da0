"""Draws the maps of a run over their frames, and optionally a sheet with maps, boxes and scores.

    python3 vis/draw.py dmc.pkl
    python3 vis/draw.py dmc.pkl --boxes datasets/demo/boxes.json --choose worst --sheet worst.jpg
    python3 vis/draw.py dmc.pkl --videos NAME --count 0

The color shows the matched map, relative to its maximum. The score predicts the pixels that reach half of the maximum.
With two audio clusters there is an overlay for each. Scores are those of metrics/score.py.
"""

import argparse
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

if not __package__:  # run by path: imports start at the repository root
    sys.path[0] = str(Path(__file__).resolve().parents[1])

import numpy as np
from PIL import Image
from tqdm import tqdm

from common.cli import command, new_parser, seed_number, values_of_option, whole_number
from common.errors import SampleError, UserError
from common.exit_status import exit_status
from data.dmc_pkl import csv_path
from metrics.maps.annotations import Frame
from metrics.maps.runs import Run, read_run
from vis.frames import ScoredFrames, frames_of, main_score, map_titles, read_frame, require_drawable, score_frames
from vis.overlay import colorize, draw_boxes, overlay, relative
from vis.sheet import MAX_ROWS, Row, cell, contact_sheet, image_format, save_image

SCORE_NAMES = {"ciou": "CIoU", "iou": "IoU", "pointing": "pointing"}
RANKED = {"best": -1, "worst": 1}  # sign by which their scores ascend


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Options of this program."""
    parser = new_parser(__doc__)
    parser.add_argument(
        "dmc_pkl", type=Path, help="maps of a run; dmc.csv beside it tells the number of audio clusters"
    )
    parser.add_argument("--out", type=Path, help="folder of the overlays (default: dmc_overlays beside dmc.pkl)")
    parser.add_argument("--count", type=whole_number, default=20, help="number of frames; 0 means all (default: 20)")
    parser.add_argument(
        "--videos", nargs="+", action="extend", metavar="NAME", help="only frames of these videos (default: all)"
    )
    parser.add_argument(
        "--choose",
        choices=("random", "best", "worst", "first"),
        default="random",
        help="best and worst rank by IoU (by CIoU with several sources); first is the order of dmc.pkl "
        "(default: random)",
    )
    parser.add_argument("--seed", type=seed_number, default=10, help="seed of the random choice (default: 10)")
    parser.add_argument(
        "--boxes",
        type=Path,
        help="annotations as for metrics/score.py. Draws their boxes on the overlays and scores the maps with them "
        "(default: scores with DATA_DIR/boxes.json if it exists, draws boxes on the sheet only)",
    )
    parser.add_argument(
        "--sheet",
        type=Path,
        help="also write one image, .jpg or .png, with a row for each frame: boxes, all maps, overlays, scores",
    )
    return parser.parse_args(values_of_option(sys.argv[1:] if argv is None else argv, "--videos", parser))


def select_frames(frames: dict[str, Frame], scored: ScoredFrames, options: argparse.Namespace) -> list[str]:
    """Keys of the frames to draw. Best and worst are sorted by score, others keep the order of the maps."""
    keys = [key for key, frame in frames.items() if not options.videos or frame.video in options.videos]
    if not keys:
        example = next(iter(frames.values())).video
        raise UserError(f"{options.dmc_pkl} has no map of {' or of '.join(options.videos)}. It has maps of {example}")
    if options.choose in RANKED:
        keys = [key for key in keys if key in scored.scores]
        if not keys:
            raise UserError(f"--choose {options.choose}: no map of these videos has a box, so none has a score")
        keys.sort(key=lambda key: RANKED[options.choose] * main_score(scored.scores[key]))
    count = min(options.count or len(keys), len(keys))
    if options.choose != "random":
        return keys[:count]
    drawn = np.random.default_rng(options.seed).choice(len(keys), count, replace=False)
    return [keys[index] for index in sorted(drawn)]


def draw_frame(
    key: str, frame: Frame, run: Run, scored: ScoredFrames, out: Path, options: argparse.Namespace
) -> Row | None:
    """Write the overlays of a frame. Returns its row of the sheet if the user asked for a sheet."""
    pixels, maps = read_frame(frame, options.data_dir), run.maps[key]
    require_drawable(maps, run)
    boxes = scored.boxes.get(key)
    overlays = [overlay(pixels, relative(one)) for one in maps[: run.a_cluster]]
    if options.boxes and boxes:
        overlays = [draw_boxes(one, boxes.corners) for one in overlays]
    for cluster, image in enumerate(overlays):
        suffix = f"_{cluster}" if run.a_cluster > 1 else ""
        name = f"{frame.video}_{frame.second:03d}_{frame.index:05d}{suffix}.jpg"
        save_image(Image.fromarray(image), out / name)
    if not options.sheet:
        return None
    shown = draw_boxes(pixels, boxes.corners) if boxes else pixels
    images = [shown, *(colorize(one, *pixels.shape[:2]) for one in maps), *overlays]
    figures = ["no box"] if scored.scores else []
    if scores := scored.scores.get(key):
        figures = [f"{title} {scores[name]:.2f}" for name, title in SCORE_NAMES.items() if name in scores]
    return Row(f"{frame.video}   second {frame.second}, frame {frame.index}", list(map(cell, images)), figures)


def draw(options: argparse.Namespace) -> int:
    """Write overlays and sheet. Returns the exit status, 1 if a frame could not be drawn."""
    run = read_run(options.dmc_pkl)
    if run.distances is None:
        print(f"There is no {csv_path(run.path)}: {run.path} counts as maps of one audio cluster.")
    frames = frames_of(run)
    needed_by = f"--choose {options.choose}" if options.choose in RANKED else ""
    scored = ScoredFrames()
    if needed_by or options.boxes or options.sheet:
        scored = score_frames(run, options.boxes, options.data_dir, needed_by)
    if scored.reason:
        print(f"No scores on the sheet: {scored.reason}")
    keys = select_frames(frames, scored, options)
    if options.sheet:
        image_format(options.sheet)
        if len(keys) > MAX_ROWS:
            raise UserError(f"--sheet holds at most {MAX_ROWS} frames, not {len(keys)}: lower --count")
    out = options.out or options.dmc_pkl.with_name(f"{options.dmc_pkl.stem}_overlays")
    out.mkdir(parents=True, exist_ok=True)

    rows: list[Row | None] = []
    videos = {frame.video for frame in frames.values()}
    failures = [f"{name}: {run.path} has no map of it" for name in options.videos or () if name not in videos]
    for key in tqdm(keys, desc="overlays", unit="frame", leave=False):
        try:
            rows.append(draw_frame(key, frames[key], run, scored, out, options))
        except SampleError as error:
            failures.append(f"{key}: {error}")
    if options.sheet and rows:
        overlays = ["overlay"] if run.a_cluster == 1 else [f"overlay {number}" for number in range(run.a_cluster)]
        save_image(contact_sheet(["frame", *map_titles(run), *overlays], rows), options.sheet)
    if failures:
        print(f"{len(failures)} could not be drawn:", *failures, sep="\n  ", file=sys.stderr)
    sheet = f", and all of them on {options.sheet}" if options.sheet and rows else ""
    boxes = f" --boxes {shlex.quote(str(options.boxes))}" if options.boxes else ""
    score = f"{command('metrics/score.py', options.data_dir)}{boxes} {shlex.quote(str(options.dmc_pkl))}"
    print(f"Wrote the overlays of {len(rows)} frames to {out}{sheet}. Next: {score}")
    return 1 if failures else 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program. Returns its exit status."""
    options = parse(argv)
    return exit_status("draw", lambda: draw(options))


if __name__ == "__main__":
    sys.exit(main())
