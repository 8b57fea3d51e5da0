"""Writes a web page about a run: scores beside baselines, training curves, and a gallery with maps and audio.

    python3 vis/report.py dmc.pkl --boxes datasets/demo/boxes.json --run runs/dmc

The page, dmc.html, is one file. It opens from disk and loads nothing from the network. You can sort and filter the
frames, change the strength of the maps, switch between clusters, and play the audio of each frame's second. Scores are
those of metrics/score.py.
"""

import argparse
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

if not __package__:  # run by path: imports start at the repository root
    sys.path[0] = str(Path(__file__).resolve().parents[1])

import numpy as np

from common.atomic import atomic_file
from common.cli import command, new_parser, seed_number, whole_number
from common.errors import UserError
from common.exit_status import exit_status
from metrics.maps.evaluate import has_objects, score_baselines
from metrics.maps.figures import summary
from metrics.maps.protocol import describe
from metrics.maps.runs import Run, frames_text, read_run
from metrics.table import figures_cells
from training.options import BEST, LOG
from vis.frames import ScoredFrames, frames_of, map_titles, score_frames
from vis.page.clips import clips_of, failure_lines
from vis.page.gallery import make_cards, spread_over_videos
from vis.page.render import render
from vis.training_curves import read_log, svg_panels


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Options of this program."""
    parser = new_parser(__doc__)
    parser.add_argument(
        "dmc_pkl", type=Path, help="maps of a run; dmc.csv beside it tells the number of audio clusters"
    )
    parser.add_argument(
        "--boxes", type=Path, help="annotations as for metrics/score.py (default: DATA_DIR/boxes.json if it exists)"
    )
    parser.add_argument("--run", type=Path, help="folder of the training; its log.csv is drawn (default: no curves)")
    parser.add_argument("--out", type=Path, help="the page (default: dmc.html beside dmc.pkl)")
    parser.add_argument(
        "--count",
        type=whole_number,
        default=300,
        help="number of frames, about as many of each video; 0 means all. 300 take at most 30 MB (default: 300)",
    )
    parser.add_argument(
        "--seed", type=seed_number, default=10, help="seed of the choice of frames and of the random map (default: 10)"
    )
    return parser.parse_args(argv)


def score_table(run: Run, scored: ScoredFrames, seed: int) -> tuple[list[list[str]], list[str]]:
    """The cells of the table of metrics/score.py (head, run, baselines), and notes on what was scored and how."""
    annotations, scores = scored.annotations, scored.run_scores
    if scores is None:
        return [], []
    name = str(run.path)
    several = has_objects(run.a_cluster, annotations, scores.protocol)
    all_scores = {name: scores, **score_baselines(run.maps, annotations, scores.protocol, seed, several)}
    table = figures_cells({row: summary(one) for row, one in all_scores.items()})
    text = describe(scores.protocol, annotations, several, seed)["text"]
    return table, [f"{text}.", *frames_text({name: run}, {name: scores}, annotations)]


def familiarity(run: Run, folder: Path | None) -> str | None:
    """What the distances of a run are beside those of its training; None without the training."""
    if not folder or not (folder / BEST).exists() or not run.distances:
        return None
    from training.checkpoints.checkpoint import read_checkpoint  # here, as they load PyTorch
    from training.checkpoints.reference_distances import read_reference

    reference = read_reference(read_checkpoint(folder / BEST).state)
    distances = np.concatenate(list(run.distances.values()))
    return reference and (reference.warning(distances) or reference.describe(distances))


def write_report(options: argparse.Namespace) -> int:
    """Write the page. Returns the exit status, 1 if something is missing on it."""
    out = options.out or options.dmc_pkl.with_suffix(".html")
    if out.resolve() == options.dmc_pkl.resolve():
        raise UserError(f"{out} holds the maps: name another file for the page with --out")
    if out.is_dir():
        raise UserError(f"{out} is a folder: name a file for the page with --out")
    run = read_run(options.dmc_pkl)
    frames = frames_of(run)
    curves = read_log(options.run / LOG) if options.run else {}
    scored = score_frames(run, options.boxes, options.data_dir)
    table, notes = score_table(run, scored, options.seed)
    keys = spread_over_videos(frames, options.count, options.seed)
    cards, failures = make_cards(keys, run, frames, scored, options.data_dir)
    clips, missing = clips_of(dict.fromkeys(card.second for card in cards), options.data_dir)
    failures += failure_lines(missing)
    page = render(
        cards,
        clips,
        run=run,
        options=options,
        scored=scored,
        table=table,
        notes=notes,
        score_name="CIoU" if any("ciou" in scores for scores in scored.scores.values()) else "IoU",
        curves=curves,
        panels=svg_panels(curves) if curves else {},
        clusters=map_titles(run),
        missing=missing,
        failures=failures,
        familiarity=familiarity(run, options.run),
    )
    out.parent.mkdir(parents=True, exist_ok=True)
    with atomic_file(out) as partial:
        # File systems allow names that are not valid text. UTF-8 cannot encode them.
        partial.write_text(page, encoding="utf-8", errors="xmlcharrefreplace")

    if scored.reason:
        print(f"No scores on the page: {scored.reason}")
    if failures:
        print("Missing on the page:", *failures, sep="\n  ", file=sys.stderr)
    videos = len({card.frame.video for card in cards})
    draw = f"{command('vis/draw.py', options.data_dir)} {shlex.quote(str(options.dmc_pkl))}"
    print(
        f"Wrote {out}: {len(cards)} frames of {videos} videos, {out.stat().st_size / 1e6:.1f} MB. "
        f"Next: open it in a browser; {draw} writes the overlays as files"
    )
    return 1 if failures else 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program. Returns its exit status."""
    options = parse(argv)
    return exit_status("report", lambda: write_report(options))


if __name__ == "__main__":
    sys.exit(main())
