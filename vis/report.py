"""Writes one web page about a run: scores beside baselines, training curves, and a gallery with maps and sounds.

    python3 vis/report.py dmc.pkl --boxes datasets/demo/boxes.json --run runs/dmc

The page, dmc.html, is one file that opens from disk and asks nothing of the network. Its pictures can be sorted and
filtered; the maps over them, which the browser draws, can be made stronger or weaker and switched from cluster to
cluster, and under each picture is the sound of its second. Scores are those of metrics/score.py.
"""

import argparse
import base64
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

if not __package__:  # run by path: imports start at the repository root
    sys.path[0] = str(Path(__file__).resolve().parents[1])

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from tqdm import tqdm

from common.atomic import atomic_file
from common.cli import command, new_parser, seed_number, whole_number
from common.errors import SampleError, UserError
from common.exit_status import exit_status
from data.layout import boxes_file
from data.lists import labels_of_set
from metrics.annotations import Annotations, Boxes, read_annotations
from metrics.evaluate import THRESHOLD, has_objects, score_baselines, score_run, summary
from metrics.frame_keys import Frame
from metrics.matching import match_frames
from metrics.runs import Run, read_run
from metrics.score import frames_text, protocol
from metrics.table import figures_cells
from training.run_folder import LOG
from vis import training_curves
from vis.curves import read_log
from vis.draw import frames_of, ranking, read_frame, require_drawable, titles_of_sheet, v_cluster
from vis.overlay import COLORMAP, STRENGTH, color_table
from vis.page.clips import MEDIA_TYPE
from vis.page.gallery import (
    Card,
    Second,
    class_of,
    clips_of,
    corners_and_sizes,
    map_levels,
    small_jpeg,
    spread_over_videos,
)

TEMPLATES = Path(__file__).resolve().parent / "page" / "templates"
TEMPLATE = "report.html"


@dataclass(frozen=True)
class Scored:
    """How well the maps of a run show what sounds; empty, with the reason, where that is not known.

    Attributes:
        boxes: key -> boxes, of frames that are scored.
        scores: key -> name -> score, of the same frames.
        table: cells of the table of figures, its head first, the run's row second.
        notes: sentences on what was counted and how.
        reason: why there are no scores.
    """

    boxes: dict[str, Boxes]
    scores: dict[str, dict[str, float]]
    table: list[list[str]]
    notes: list[str]
    reason: str = ""


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Options of this program."""
    parser = new_parser(__doc__)
    parser.add_argument("dmc_pkl", type=Path, help="maps of a run; dmc.csv beside it says how many sound clusters")
    parser.add_argument(
        "--boxes",
        type=Path,
        help="annotations, as of metrics/score.py (default: DATA_DIR/boxes.json where there is one)",
    )
    parser.add_argument("--run", type=Path, help="folder of the training, whose log.csv is drawn (default: no curves)")
    parser.add_argument("--out", type=Path, help="the page (default: dmc.html beside dmc.pkl)")
    parser.add_argument(
        "--count",
        type=whole_number,
        default=300,
        help="how many pictures, about as many of each video; 0 is all. 300 have at most 30 MB (default: 300)",
    )
    parser.add_argument(
        "--seed", type=seed_number, default=10, help="of the choice of pictures, and of the random map (default: 10)"
    )
    return parser.parse_args(argv)


# --- what is on the page ------------------------------------------------------------------------------------------


def read_scores(run: Run, options: argparse.Namespace) -> Scored:
    """The scores of a run, where there are boxes.

    Raises:
        UserError: the annotations are malformed; or they were asked for and do not fit the run.
    """
    path = options.boxes or boxes_file(options.data_dir)
    if options.boxes is None and not path.exists():
        return without_scores(f"There is no {path}, so nothing tells right from wrong; --boxes names another file.")
    annotations = read_annotations(path)
    try:
        return score(run, annotations, options.seed)
    except UserError as error:
        if options.boxes is not None:
            raise UserError(f"{run.path}: {error}") from error
        return without_scores(f"These maps cannot be scored: {error}.")


def without_scores(reason: str) -> Scored:
    """No scores, for a reason."""
    return Scored({}, {}, [], [], reason)


def score(run: Run, annotations: Annotations, seed: int) -> Scored:
    """The figures of `metrics/score.py`, for the run and what needs no learning.

    Raises:
        UserError: no map has an annotation, or a map cannot be scored.
    """
    name = str(run.path)
    boxes, _ = match_frames(run.maps.keys(), annotations)
    scores = score_run(run.maps, run.a_cluster, annotations)
    several = has_objects(run.a_cluster, annotations)
    baselines = score_baselines(run.maps, annotations, THRESHOLD, seed, several)
    table = figures_cells({name: summary(scores), **{name: summary(one) for name, one in baselines.items()}})
    notes = [
        f"{protocol(annotations, THRESHOLD, several, seed)['text']}.",
        *frames_text({name: run}, {name: scores}, annotations),
    ]
    return Scored(boxes, scores.by_frame(), table, notes)


def make_cards(
    keys: Sequence[str], run: Run, frames: dict[str, Frame], scored: Scored, options: argparse.Namespace
) -> tuple[list[Card], list[str]]:
    """The frames of the gallery; and a line for each that cannot be shown.

    Raises:
        UserError: the labels of the data set are malformed.
    """
    labels = labels_of_set(options.data_dir)
    cards, failures = [], []
    for key in tqdm(keys, desc="pictures", unit="frame", leave=False):
        try:
            cards.append(make_card(key, run, frames[key], scored, labels, options.data_dir))
        except SampleError as error:
            failures.append(f"{key}: {error}")
    return cards, failures


def make_card(key: str, run: Run, frame: Frame, scored: Scored, labels: dict[str, str], data_dir: Path) -> Card:
    """A frame of the gallery.

    Raises:
        SampleError: the frame or its maps cannot be shown.
    """
    maps, boxes = run.maps[key], scored.boxes.get(key)
    require_drawable(maps, v_cluster(run), run.a_cluster)
    jpeg, width, height = small_jpeg(read_frame(frame, data_dir))
    return Card(
        frame=frame,
        jpeg=jpeg,
        width=width,
        height=height,
        maps=map_levels(maps),
        boxes=corners_and_sizes(boxes),
        label=class_of(frame.video, labels, boxes),
        scores=scored.scores.get(key, {}),
        distance=float(np.linalg.norm(run.distances[key])) if run.distances and key in run.distances else None,
    )


# --- the page -----------------------------------------------------------------------------------------------------


def page_content(
    run: Run,
    scored: Scored,
    panels: list[training_curves.Panel],
    cards: list[Card],
    clips: dict[Second, bytes],
    missing: dict[Second, str],
    failures: list[str],
    options: argparse.Namespace,
) -> dict[str, Any]:
    """What the template fills in.

    Args:
        run: whose maps they are.
        scored: its scores.
        panels: its curves; empty without.
        cards: frames of the gallery.
        clips: MP3 of each second that has one.
        missing: why the other seconds have none.
        failures: lines on all that is missing.
        options: of this program.
    """
    videos = sorted({card.frame.video for card in cards})
    labels = sorted({card.label for card in cards if card.label})
    return {
        "run": run,
        "options": options,
        "scored": scored,
        "score_name": "CIoU" if any("ciou" in scores for scores in scored.scores.values()) else "IoU",
        "panels": panels,
        "drawing": training_curves,
        "cards": cards,
        "videos": videos,
        "labels": labels,
        "clusters": titles_of_sheet(v_cluster(run), run.a_cluster)[1 : 1 + v_cluster(run)],
        "strength": STRENGTH,
        "missing": missing,
        "failures": failures,
        "base64": as_text,
        "script": script_content(cards, clips, videos, labels),
    }


def script_content(
    cards: list[Card], clips: dict[Second, bytes], videos: list[str], labels: list[str]
) -> dict[str, Any]:
    """What the page's script works with; names stand as numbers, so that no letter of them can be taken for code."""
    number_of = {second: number for number, second in enumerate(clips)}
    return {
        "colors": as_text(color_table(COLORMAP).tobytes()),
        "mediaType": MEDIA_TYPE,
        "clips": [as_text(clip) for clip in clips.values()],
        "cards": [
            {
                "maps": [as_text(levels.tobytes()) for levels in card.maps],
                "rows": card.maps.shape[1],
                "columns": card.maps.shape[2],
                "clip": number_of.get(card.second),
                "video": videos.index(card.frame.video),
                "label": labels.index(card.label) if card.label else None,
                "score": ranking(card.scores) if card.scores else None,
                "pointing": card.scores.get("pointing"),
                "distance": card.distance,
            }
            for card in cards
        ],
    }


def as_text(content: bytes) -> str:
    """Bytes as base64."""
    return base64.b64encode(content).decode("ascii")


def render(content: dict[str, Any]) -> str:
    """The page. Whatever stands in names is escaped, in the text and in the script."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(TEMPLATE).render(content)


# --- program ------------------------------------------------------------------------------------------------------


def write_report(options: argparse.Namespace) -> int:
    """Do what the options ask for; returns the exit status, 1 if something is missing on the page.

    Raises:
        UserError: there is nothing to write a page about.
    """
    out = options.out or options.dmc_pkl.with_suffix(".html")
    if out.resolve() == options.dmc_pkl.resolve():
        raise UserError(f"{out} holds the maps: name another file for the page with --out")
    if out.is_dir():
        raise UserError(f"{out} is a folder: name a file for the page with --out")
    run = read_run(options.dmc_pkl)
    frames = frames_of(run)
    panels = training_curves.panels_of(read_log(options.run / LOG)) if options.run else []
    scored = read_scores(run, options)
    keys = spread_over_videos(frames, options.count, options.seed)
    cards, failures = make_cards(keys, run, frames, scored, options)
    clips, missing = clips_of(dict.fromkeys(card.second for card in cards), options.data_dir)
    failures += failures_of_sounds(missing)

    page = render(page_content(run, scored, panels, cards, clips, missing, failures, options))
    out.parent.mkdir(parents=True, exist_ok=True)
    with atomic_file(out) as partial:
        # A name that is no text, as file systems admit, has letters that UTF-8 has not.
        partial.write_text(page, encoding="utf-8", errors="xmlcharrefreplace")
    report(cards, scored, failures, out, options)
    return 1 if failures else 0


def failures_of_sounds(missing: dict[Second, str]) -> list[str]:
    """A line for each video and reason for which seconds have no sound."""
    seconds: dict[tuple[str, str], list[str]] = {}
    for (video, second), reason in missing.items():
        seconds.setdefault((video, reason), []).append(str(second))
    return [f"{video}, sound of second {', '.join(of)}: {reason}" for (video, reason), of in seconds.items()]


def report(cards: list[Card], scored: Scored, failures: list[str], out: Path, options: argparse.Namespace) -> None:
    """Print what is missing and why, what was written, and what to do next."""
    if scored.reason:
        print(f"No scores on the page: {scored.reason}")
    if failures:
        print("Missing on the page:", file=sys.stderr)
        for failure in failures:
            print(f"  {failure}", file=sys.stderr)
    videos = len({card.frame.video for card in cards})
    size = out.stat().st_size / 1e6
    again = f"{command('vis/draw.py', options.data_dir)} {shlex.quote(str(options.dmc_pkl))}"
    print(
        f"Wrote {out}: {len(cards)} pictures of {videos} videos, {size:.1f} MB. Next: open it in a browser; "
        f"{again} makes files of the pictures"
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program; returns its exit status."""
    options = parse(argv)
    return exit_status("report", lambda: write_report(options))


if __name__ == "__main__":
    sys.exit(main())
