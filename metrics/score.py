"""Score the maps of one or several runs against annotated boxes, beside baselines that need no learning.

    python3 metrics/score.py dmc.pkl                             # boxes.json of the data set
    python3 metrics/score.py dmc.pkl --boxes vggss.json
    python3 metrics/score.py dmc.pkl --negatives dmc_shuffled.pkl dmc_noise.pkl dmc_silence.pkl
    python3 metrics/score.py --compare one/dmc.pkl other/dmc.pkl

A map is resized to 224 x 224 pixels, and predicts those that reach a threshold. The scores:

  IoU       of the predicted pixels and the union of the boxes: its mean, and the share of frames that reach 0.3 or 0.5
  AUC       area under the share of frames that reach an IoU of 0, 0.05, ..., 1
  pointing  share of frames whose maximum lies in a box
  CIoU      several sources: mean IoU over the objects of a frame, each with a map of its own; so is pointing
  NSA       several sources: share of the area below 0.2 in the maps without a sound

Published numbers depend on the rules, so each --protocol stands for those of a publication, with its rounding. The
first line of the output says what the rules are. docs/evaluation.md compares the protocols.

Lines below a run's figures are their 95% intervals: a bootstrap over videos.
"""

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

if not __package__:  # run by path: imports start at the repository root
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from common.cli import new_parser, number, seed_number
from common.errors import UserError
from common.exit_status import exit_status
from data.dmc_pkl import csv_path
from data.layout import boxes_file
from metrics.maps.annotations import Annotations, read_annotations
from metrics.maps.baselines import BELOW_MARK, below_text, better_baselines, learned_baselines
from metrics.maps.detection import Distances, detect, universal_threshold
from metrics.maps.evaluate import Scores, has_objects, score_baselines, score_run
from metrics.maps.figures import Figures, differences, per_class, per_video, summary
from metrics.maps.interactive import interact
from metrics.maps.pauses import follow
from metrics.maps.protocol import PROTOCOLS, describe, protocol_for
from metrics.maps.runs import Run, frames_text, read_run
from metrics.table import figures_table, latex_table, markdown_table, write_json

part_of_maximum = number(float, lambda value: 0 < value <= 1, "not above 0 and at most 1")


def threshold(text: str) -> float | str:
    """The type of --threshold."""
    return text if text in ("median", "adaptive") else part_of_maximum(text)


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """The options of this program."""
    parser = new_parser(__doc__)
    parser.add_argument(
        "dmc_pkl",
        type=Path,
        nargs="+",
        help="maps of one or several runs. The baselines use the frames of the first",
    )
    parser.add_argument("--boxes", type=Path, help="file or folder of annotations (default: DATA_DIR/boxes.json)")
    parser.add_argument("--protocol", choices=PROTOCOLS, help="rules (default: those for the annotations' format)")
    parser.add_argument(
        "--threshold",
        type=threshold,
        help="part of its maximum from which a map predicts a pixel; median: its brighter half; adaptive: as many "
        "pixels as the truth has, an upper bound (default: of the protocol)",
    )
    text = "maps of the first run with negative audio (location_dmc.py --audio), compared by the distances"
    parser.add_argument("--negatives", type=Path, nargs="+", default=[], help=text)
    parser.add_argument(
        "--validation",
        type=Path,
        nargs="+",
        help="maps of the validation list, with its own audio and with negative audio. They give the universal "
        "threshold of the distance, which is then applied to the negatives",
    )
    parser.add_argument("--compare", action="store_true", help="print how the other runs differ from the first")
    parser.add_argument("--per_video", action="store_true", help="print a table of each run's videos")
    parser.add_argument("--per_class", action="store_true", help="print a table of each run's classes (category_id)")
    parser.add_argument("--seed", type=seed_number, default=10, help="of random map and bootstrap (default: 10)")
    style = parser.add_mutually_exclusive_group()
    for name, make_table in (("markdown", markdown_table), ("latex", latex_table)):
        style.add_argument(
            f"--{name}", dest="table", action="store_const", const=make_table, help=f"print {name} tables, in percent"
        )
    parser.add_argument("--json", type=Path, help="also write the scores to this file")
    parser.set_defaults(table=figures_table)
    return parser.parse_args(argv)


def read_inputs(options: argparse.Namespace) -> tuple[dict[str, Run], Annotations]:
    """The runs by their paths, and the annotations."""
    paths = [str(path) for path in (*options.dmc_pkl, *options.negatives)]
    if twice := {path for path in paths if paths.count(path) > 1}:
        raise UserError(f"{min(twice)} is named twice")
    path = options.boxes or boxes_file(options.data_dir)
    if options.boxes is None and not path.exists():
        raise UserError(f"there is no {path}: name a file or folder of annotations with --boxes")
    annotations = read_annotations(path)
    return {path: read_run(Path(path)) for path in paths}, annotations


@contextmanager
def named(*paths: object) -> Iterator[None]:
    """Name the files in an error."""
    try:
        yield
    except UserError as error:
        raise UserError(f"{' and '.join(map(str, paths))}: {error}") from error


def compare_with_negatives(
    own: Run, negatives: Sequence[Run], scores: Scores, options: argparse.Namespace
) -> dict[str, Figures]:
    """The figures of a run against each of its negatives, and against all together."""
    limit = None
    if options.validation:
        if not negatives or len(options.validation) == 1:
            raise UserError(
                "--validation needs maps with own and with negative audio, and --negatives to be applied to"
            )
        validation = [distances_of(read_run(path)) for path in options.validation]
        with named(*options.validation):
            limit = universal_threshold(validation[0], validation[1:])
    groups = {run.path.stem.removeprefix(f"{own.path.stem}_"): [distances_of(run)] for run in negatives}
    if len(groups) > 1:
        groups["all"] = [distances for (distances,) in groups.values()]
    distances = distances_of(own) if groups else {}
    with named(own.path, *options.negatives):
        return {audio: detect(distances, group, scores, limit, options.seed) for audio, group in groups.items()}


def distances_of(run: Run) -> Distances:
    """The distances of a run that is compared with another audio."""
    if run.distances is None:
        raise UserError(f"there is no {csv_path(run.path)}, whose distances are compared: evaluate again")
    return run.distances


def score(options: argparse.Namespace) -> None:
    """Print the tables, and write them as JSON on request."""
    runs, annotations = read_inputs(options)
    protocol = protocol_for(annotations, options.protocol, options.threshold)
    scores = {}
    for path, run in runs.items():
        with named(path):
            scores[path] = score_run(run.maps, run.a_cluster, annotations, protocol)
    several = any(has_objects(run.a_cluster, annotations, protocol) for run in runs.values())
    first, *others = map(str, options.dmc_pkl)
    negatives = [runs[str(path)] for path in options.negatives]
    against = compare_with_negatives(runs[first], negatives, scores[first], options)
    learned = learned_baselines(options.data_dir, scores[first].frames, annotations)
    baselines = score_baselines(runs[first].maps, annotations, protocol, options.seed, several, learned)
    figures = {name: summary(one, options.seed) for name, one in (scores | baselines).items()}
    content = {
        "protocol": describe(protocol, annotations, several, options.seed),
        "counts": {path: asdict(one.counts) for path, one in scores.items()},
        "runs": {path: {"a_cluster": run.a_cluster, **figures[path]} for path, run in runs.items()},
        "baselines": {name: figures[name] for name in baselines},
        "negatives": {first: against} if against else {},
    }
    baseline_rows = {name: {**figures[name], "intervals": None} for name in baselines}
    own = {path: run for path, run in runs.items() if run.audio == "own" and run.path not in options.negatives}
    below = {path: lower for path in own if (lower := better_baselines(figures[path], baseline_rows))}
    content["below"] = below
    run_rows = {f"{path} {BELOW_MARK}" if path in below else path: row for path, row in content["runs"].items()}
    tables = [("", "", {**run_rows, **baseline_rows})]

    def add(name: str, heading: str, rows: dict[str, Figures]) -> None:
        if rows:
            content[name] = rows
            tables.append((heading, "", rows))

    swapped = {path: run.maps for path, run in runs.items() if run.audio == "swap"}
    alone = {path: interact(maps, annotations, protocol, options.seed) for path, maps in swapped.items()}
    add("interactive", "Each source alone:", alone)
    if annotations.resting:
        rests = {path: follow(run.maps, run.a_cluster, annotations, options.seed) for path, run in own.items()}
        add("pauses", "Sources that rest:", rests)
    compared = {}
    for path in others if options.compare else ():
        with named(first, path):
            compared[path] = differences(scores[first], scores[path], options.seed)
    add("differences", f"Differences from {first}:", compared)
    if against:
        tables.append((f"{first} against other audio, by distance:", "audio", against))
    for wanted, unit, figures_of in ((options.per_video, "video", per_video), (options.per_class, "class", per_class)):
        if wanted:
            content[f"per_{unit}"] = {path: figures_of(one) for path, one in scores.items()}
            tables += [(f"{path}:", unit, table) for path, table in content[f"per_{unit}"].items()]
    default = "" if options.protocol else f" (the default for the format {annotations.format})"
    above = [f"Protocol{default}: {content['protocol']['text']}.", *frames_text(runs, scores, annotations)]
    print_tables(tables, options.table, above, [below_text(path, lower) for path, lower in below.items()])
    if options.json:
        write_json(options.json, content)
        print(f"\n{comment_of(options.table)}Wrote {options.json}.")


def comment_of(table: Callable) -> str:
    """What begins a line of text beside the tables of a kind."""
    return "% " if table is latex_table else ""


def print_tables(tables: Sequence[tuple], table: Callable, above: Sequence[str], below: Sequence[str]) -> None:
    """Print tables, each a heading, the title of its rows and the rows, between lines of text."""
    comment = comment_of(table)
    print(*(comment + line for line in above), sep="\n")
    for heading, title, rows in tables:
        first = [comment + heading] if heading else []
        first += [""] if heading and table is markdown_table else []  # else the heading joins the table
        print("", *first, *table(rows, title), sep="\n")
    if below:
        print("", *(comment + line for line in below), sep="\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program."""
    options = parse(argv)
    return exit_status("score", lambda: score(options))


if __name__ == "__main__":
    sys.exit(main())
