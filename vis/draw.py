"""Draws the maps of a run over their frames, and a sheet that says how well each shows what sounds.

    python3 vis/draw.py dmc.pkl
    python3 vis/draw.py dmc.pkl --boxes datasets/demo/boxes.json --choose worst --sheet worst.jpg
    python3 vis/draw.py dmc.pkl --videos NAME --count 0

The colour is the map of what sounds, in parts of its maximum: where it is half of it or more, the score counts a pixel
as predicted. With two sound clusters each has a picture of its own. Scores are those of metrics/score.py.
"""

import argparse
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

if not __package__:  # run by path: imports start at the repository root
    sys.path[0] = str(Path(__file__).resolve().parents[1])

import numpy as np
from PIL import Image
from tqdm import tqdm

from common.atomic import atomic_file
from common.cli import command, new_parser, seed_number, values_of_option, whole_number
from common.errors import SampleError, UserError
from common.exit_status import exit_status
from data.dmc_pkl import csv_path
from data.layout import boxes_file, frame_file, video_frames_dir
from data.transforms import load_picture
from metrics.annotations import Annotations, Boxes, read_annotations
from metrics.evaluate import score_run
from metrics.frame_keys import FORM, Frame, parse_frame
from metrics.matching import match_frames
from metrics.runs import Run, read_run
from vis.overlay import heat_picture, overlay, relative, with_boxes
from vis.sheet import MOST_ROWS, Row, cell, contact_sheet

CHOICES = ("random", "best", "worst", "first")
QUALITY = 90  # of JPEG


@dataclass(frozen=True)
class Truth:
    """What annotators say about a run's frames, and how well its maps agree; empty where nothing is known.

    Attributes:
        boxes: key -> boxes, of frames that are scored.
        scores: key -> name -> score, of the same frames, as metrics/score.py has them.
    """

    boxes: dict[str, Boxes]
    scores: dict[str, dict[str, float]]


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Options of this program."""
    parser = new_parser(__doc__)
    parser.add_argument("dmc_pkl", type=Path, help="maps of a run; dmc.csv beside it says how many sound clusters")
    parser.add_argument("--out", type=Path, help="folder of the pictures (default: dmc_overlays beside dmc.pkl)")
    parser.add_argument("--count", type=whole_number, default=20, help="how many frames; 0 is all (default: 20)")
    parser.add_argument(
        "--videos", nargs="+", action="extend", metavar="NAME", help="only frames of these videos (default: of all)"
    )
    parser.add_argument(
        "--choose",
        choices=CHOICES,
        default="random",
        help="which frames: best and worst are those of the highest and lowest IoU (of several sounds CIoU), first is "
        "in the order of dmc.pkl (default: random)",
    )
    parser.add_argument("--seed", type=seed_number, default=10, help="of the random frames (default: 10)")
    parser.add_argument(
        "--boxes",
        type=Path,
        help="annotations, as of metrics/score.py, whose boxes are drawn; without it none are, except on the sheet, "
        "and scores are of DATA_DIR/boxes.json where there is one",
    )
    parser.add_argument(
        "--sheet",
        type=Path,
        help="also one picture of them all, .jpg or .png: in each row the frame with its boxes, every cluster's map, "
        "the matched map over the frame, and its scores",
    )
    return parser.parse_args(values_of_option(sys.argv[1:] if argv is None else argv, "--videos", parser))


# --- which frames -------------------------------------------------------------------------------------------------


def frames_of(run: Run) -> dict[str, Frame]:
    """The frame of each key.

    Raises:
        UserError: a key has another form.
    """
    frames = {key: parse_frame(key) for key in run.maps}
    if wrong := [key for key, frame in frames.items() if frame is None]:
        raise UserError(f"{run.path}: the key {wrong[0]!r:.100} is not of the form {FORM}")
    return {key: frame for key, frame in frames.items() if frame is not None}


def read_truth(run: Run, options: argparse.Namespace) -> Truth:
    """Boxes and scores of a run, where they are wanted and there.

    Raises:
        UserError: annotations that were asked for cannot be had, or annotations are malformed.
    """
    asked_for = options.boxes is not None or options.choose in ("best", "worst")
    path = options.boxes or boxes_file(options.data_dir)
    if not asked_for and not (options.sheet and path.exists()):
        return Truth({}, {})
    if options.boxes is None and not path.exists():
        raise UserError(f"--choose {options.choose} needs boxes, and there is no {path}: name a file with --boxes")
    annotations = read_annotations(path)
    try:
        return truth_of(run, annotations)
    except UserError as error:
        if asked_for:
            raise UserError(f"{run.path}: {error}") from error
        print(f"No scores on the sheet: {error}")
        return Truth({}, {})


def truth_of(run: Run, annotations: Annotations) -> Truth:
    """Boxes and scores of a run's annotated frames.

    Raises:
        UserError: no map has an annotation, or a map cannot be scored.
    """
    boxes, _ = match_frames(run.maps.keys(), annotations)
    return Truth(boxes, score_run(run.maps, run.a_cluster, annotations).by_frame())


def select_frames(frames: dict[str, Frame], truth: Truth, options: argparse.Namespace) -> list[str]:
    """Keys of the frames to draw: best and worst in that order, others in the order of the maps.

    Raises:
        UserError: nothing is left to choose from.
    """
    wanted = frozenset(options.videos or ())
    keys = [key for key, frame in frames.items() if not wanted or frame.video in wanted]
    if not keys:
        example = next(iter(frames.values())).video
        raise UserError(f"{options.dmc_pkl} has no map of {' or of '.join(options.videos)}; it has some of {example}")
    if options.choose in ("best", "worst"):
        keys = [key for key in keys if key in truth.scores]
        if not keys:
            raise UserError(f"--choose {options.choose}: none of these videos' maps has a box, so that none is scored")
        sign = -1 if options.choose == "best" else 1
        keys.sort(key=lambda key: sign * ranking(truth.scores[key]))
    count = min(options.count or len(keys), len(keys))
    if options.choose != "random":
        return keys[:count]
    drawn = np.random.default_rng(options.seed).choice(len(keys), count, replace=False)
    return [keys[index] for index in sorted(drawn)]


def ranking(scores: dict[str, float]) -> float:
    """What best and worst are judged by: IoU, where several things sound that of each with its own map."""
    return scores.get("ciou", scores["iou"])


# --- pictures -----------------------------------------------------------------------------------------------------


def read_frame(frame: Frame, data_dir: Path) -> np.ndarray:
    """The picture of a frame, uint8 [H, W, 3].

    Raises:
        SampleError: it is gone, or cannot be read.
    """
    path = video_frames_dir(data_dir) / frame.video / frame_file(frame.second, frame.index)
    if not path.exists():
        folder = path.parent.parent  # where there is one, its video counts as cut, and is skipped
        cutting = f"delete {folder} and run" if folder.exists() else "run"
        remedy = f"{cutting} {command('data/cut_video.py', data_dir)}, or name the maps' data set with --data_dir"
        raise SampleError(f"the frame {path} is not there: {remedy}")
    return np.asarray(load_picture(path))


def require_drawable(maps: np.ndarray, v_cluster: int, a_cluster: int) -> None:
    """Make sure that the maps of a frame can be drawn.

    Raises:
        SampleError: they cannot.
    """
    if len(maps) < a_cluster or 0 in maps.shape:
        raise SampleError(f"its maps have the shape {maps.shape}, too small for {a_cluster} sound clusters")
    if len(maps) != v_cluster:
        raise SampleError(f"it has {len(maps)} maps where the first frame has {v_cluster}")
    if not np.isfinite(maps).all():
        raise SampleError("its maps hold values that are no finite numbers")


def overlay_name(frame: Frame, cluster: int, a_cluster: int) -> str:
    """File name of an overlay: ``NAME_013_00411.jpg``, ``NAME_013_00411_1.jpg`` where there are several clusters."""
    suffix = f"_{cluster}" if a_cluster > 1 else ""
    return f"{frame.video}_{frame.second:03d}_{frame.index:05d}{suffix}.jpg"


def sheet_row(
    frame: Frame, picture: np.ndarray, maps: np.ndarray, overlays: list[np.ndarray], truth: Truth, key: str
) -> Row:
    """A frame's row of the sheet."""
    boxes = truth.boxes.get(key)
    size = picture.shape[:2]
    shown = [
        with_boxes(picture, boxes.corners) if boxes else picture,
        *(heat_picture(heat, *size) for heat in maps),
        *overlays,
    ]
    text = f"{frame.video}   second {frame.second}, frame {frame.index}"
    return Row(text, [cell(one) for one in shown], score_lines(truth.scores.get(key), bool(truth.scores)))


def score_lines(scores: dict[str, float] | None, others_have: bool) -> list[str]:
    """A frame's scores as lines; that it has none, if others have."""
    if scores is None:
        return ["no box"] if others_have else []
    words = {"ciou": "CIoU", "iou": "IoU", "pointing": "pointing"}
    return [f"{word} {scores[name]:.2f}" for name, word in words.items() if name in scores]


def titles_of_sheet(v_cluster: int, a_cluster: int) -> list[str]:
    """What stands over the columns."""
    if a_cluster == 1:
        return ["frame", "matched map", *(f"map {number}" for number in range(1, v_cluster)), "overlay"]
    matched = [f"map of sound {number}" for number in range(a_cluster)]
    others = [f"map {number}" for number in range(a_cluster, v_cluster)]
    return ["frame", *matched, *others, *(f"overlay {number}" for number in range(a_cluster))]


# --- program ------------------------------------------------------------------------------------------------------


def require_sheet(path: Path, count: int) -> None:
    """Make sure that a sheet can be written to a file and holds a number of frames.

    Raises:
        UserError: it cannot.
    """
    if Image.registered_extensions().get(path.suffix.lower()) not in Image.SAVE:
        raise UserError(f"{path}: no kind of picture ends with {path.suffix!r}, use .jpg or .png")
    if count > MOST_ROWS:
        raise UserError(f"--sheet holds at most {MOST_ROWS} frames, not {count}: lower --count")


def draw(options: argparse.Namespace) -> int:
    """Do what the options ask for; returns the exit status, 1 if a frame could not be drawn.

    Raises:
        UserError: nothing can be drawn.
    """
    run = read_run(options.dmc_pkl)
    if run.distances is None:
        print(f"There is no {csv_path(run.path)}: {run.path} is taken as maps of one sound.")
    frames = frames_of(run)
    truth = read_truth(run, options)
    keys = select_frames(frames, truth, options)
    if options.sheet:
        require_sheet(options.sheet, len(keys))
    out = options.out or options.dmc_pkl.with_name(f"{options.dmc_pkl.stem}_overlays")
    out.mkdir(parents=True, exist_ok=True)

    rows: list[Row | None] = []
    there = {frame.video for frame in frames.values()}
    failures = [f"{name}: {run.path} has no map of it" for name in options.videos or () if name not in there]
    for key in tqdm(keys, desc="overlays", unit="frame", leave=False):
        try:
            rows.append(draw_frame(frames[key], key, run, truth, out, options))
        except SampleError as error:
            failures.append(f"{key}: {error}")
    if on_sheet := [row for row in rows if row]:
        options.sheet.parent.mkdir(parents=True, exist_ok=True)
        save_picture(contact_sheet(titles_of_sheet(v_cluster(run), run.a_cluster), on_sheet), options.sheet)
    report(len(rows), failures, out, options)
    return 1 if failures else 0


def v_cluster(run: Run) -> int:
    """Maps of a frame."""
    return len(next(iter(run.maps.values())))


def draw_frame(frame: Frame, key: str, run: Run, truth: Truth, out: Path, options: argparse.Namespace) -> Row | None:
    """Write the overlays of a frame; returns its row of the sheet, if there is to be one.

    Raises:
        SampleError: the frame or its maps cannot be drawn.
    """
    picture, maps = read_frame(frame, options.data_dir), run.maps[key]
    require_drawable(maps, v_cluster(run), run.a_cluster)
    overlays = [overlay(picture, relative(heat)) for heat in maps[: run.a_cluster]]
    if options.boxes and key in truth.boxes:
        overlays = [with_boxes(one, truth.boxes[key].corners) for one in overlays]
    for cluster, drawn in enumerate(overlays):
        save_picture(Image.fromarray(drawn), out / overlay_name(frame, cluster, run.a_cluster))
    return sheet_row(frame, picture, maps, overlays, truth, key) if options.sheet else None


def save_picture(picture: Image.Image, path: Path) -> None:
    """Write a picture, whole or not at all, in the format that its name ends with."""
    with atomic_file(path) as partial:
        picture.save(partial, format=Image.registered_extensions()[path.suffix.lower()], quality=QUALITY)


def report(drawn: int, failures: list[str], out: Path, options: argparse.Namespace) -> None:
    """Print every failure with its reason, what was written, and what to run next."""
    if failures:
        print(f"{len(failures)} could not be drawn:", file=sys.stderr)
        for failure in failures:
            print(f"  {failure}", file=sys.stderr)
    sheet = f", and all of them on {options.sheet}" if options.sheet and drawn else ""
    boxes = f" --boxes {shlex.quote(str(options.boxes))}" if options.boxes else ""
    score = f"{command('metrics/score.py', options.data_dir)}{boxes} {shlex.quote(str(options.dmc_pkl))}"
    print(f"Wrote the overlays of {drawn} frames to {out}{sheet}. Next: {score}")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program; returns its exit status."""
    options = parse(argv)
    return exit_status("draw", lambda: draw(options))


if __name__ == "__main__":
    sys.exit(main())
