"""Score the maps of one or several runs against annotated boxes, beside baselines that need no learning.

    python3 metrics/score.py dmc.pkl                             # boxes.json of the data set
    python3 metrics/score.py dmc.pkl --boxes vggss.json
    python3 metrics/score.py dmc.pkl dmc_shuffled.pkl dmc_noise.pkl dmc_silence.pkl

A map is resized to 224 x 224 pixels. It predicts the pixels of at least --threshold times its maximum. The scores:

  IoU       of the predicted pixels and the union of the boxes: its mean, and the share of frames that reach 0.3 or 0.5
  AUC       area under the share of frames that reach an IoU of 0, 0.05, ..., 1
  pointing  share of frames whose maximum lies in a box
  CIoU      several sources: mean IoU over the objects of a frame, each with a map of its own; so is pointing
  NSA       several sources: share of the area below 0.2 in the maps without a sound

Published numbers depend on the threshold and the protocol:

  MUSIC (Hu et al., NeurIPS 2020): solos by IoU with the boxes at half of the maximum. The published code scores duets
      by CIoU over the classes of a frame at 0.3, each class with its map above 0.2 of the maximum. Clusters have no
      class, so here the best one-to-one match assigns them to the objects, at half of the maximum. Frames without a
      box do not count.
  VGG-SS (Chen et al., CVPR 2021): the published cIoU is this IoU, but the prediction is the brighter half of the
      pixels, by the median of the map and not by its maximum. So a published number compares poorly with this program.
  Flickr-SoundNet (Senocak et al., CVPR 2018; 250 frames as scored by Chen et al.): cIoU with the consensus of the
      annotators, min(1, boxes / 2), over the consensus and the predicted pixels without votes. The published
      prediction is again the brighter half of the pixels.

Published code rounds the edges of boxes to whole pixels. Here a box has the pixels whose centers lie in it.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

if not __package__:  # run by path: imports start at the repository root
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from common.cli import new_parser, number, seed_number
from common.errors import UserError
from common.exit_status import exit_status
from data.layout import boxes_file
from metrics.annotations import FORMATS, Annotations, read_annotations
from metrics.evaluate import THRESHOLD, has_objects, per_class, per_video, score_baselines, score_run, summary
from metrics.protocol import frames_text, protocol
from metrics.runs import Run, negatives, read_run, roc_auc
from metrics.table import figures_table, write_json


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """The options of this program."""
    parser = new_parser(__doc__)
    parser.add_argument(
        "dmc_pkl",
        type=Path,
        nargs="+",
        help="maps of one or several runs. The baselines use the frames of the first. Maps with negative audio "
        "(location_dmc.py --audio: _shuffled, _noise or _silence in the name, in the same folder) are also compared "
        "with their run by the distances",
    )
    parser.add_argument("--boxes", type=Path, help="file or folder of annotations (default: DATA_DIR/boxes.json)")
    parser.add_argument("--format", choices=FORMATS, help="of the annotations (default: detected)")
    help_text = f"part of its maximum from which a map predicts a pixel (default: {THRESHOLD})"
    part_of_maximum = number(float, lambda value: 0 < value <= 1, "not above 0 and at most 1")
    parser.add_argument("--threshold", type=part_of_maximum, default=THRESHOLD, help=help_text)
    parser.add_argument("--per_video", action="store_true", help="print a table of each run's videos")
    parser.add_argument("--per_class", action="store_true", help="print a table of each run's classes (category_id)")
    parser.add_argument("--seed", type=seed_number, default=10, help="for the random map (default: 10)")
    parser.add_argument("--json", type=Path, help="also write the scores to this file")
    return parser.parse_args(argv)


def read_inputs(options: argparse.Namespace) -> tuple[dict[str, Run], Annotations]:
    """The runs by their paths, and the annotations."""
    paths = [str(path) for path in options.dmc_pkl]
    if twice := {path for path in paths if paths.count(path) > 1}:
        raise UserError(f"{min(twice)} is named twice")
    path = options.boxes or boxes_file(options.data_dir)
    if options.boxes is None and not path.exists():
        raise UserError(f"there is no {path}: name a file or folder of annotations with --boxes")
    annotations = read_annotations(path, options.format)
    return {path: read_run(Path(path)) for path in paths}, annotations


@contextmanager
def named(*paths: str) -> Iterator[None]:
    """Name the files in an error."""
    try:
        yield
    except UserError as error:
        raise UserError(f"{' and '.join(paths)}: {error}") from error


def compare_with_negatives(runs: dict[str, Run]) -> tuple[dict[str, dict[str, float]], list[str]]:
    """ROC AUC of each run against each of its negative-audio runs; and a line for each."""
    areas: dict[str, dict[str, float]] = {}
    lines = []
    for run, audio, other in negatives(runs.values()):
        of_run = areas.setdefault(str(run.path), {})
        title = f"{run.path}: ROC AUC of own against {audio}"
        if run.distances is None or other.distances is None:
            lines.append(f"{title}: needs the distances of both, in their .csv files")
            continue
        with named(str(run.path), str(other.path)):
            of_run[audio], count = roc_auc(run.distances, other.distances)
        lines.append(f"{title}, by matched distance: {of_run[audio]:.3f} ({count} frames)")
    return areas, lines


def score(options: argparse.Namespace) -> None:
    """Print the tables, and write them as JSON on request."""
    runs, annotations = read_inputs(options)
    scores = {}
    for path, run in runs.items():
        with named(path):
            scores[path] = score_run(run.maps, run.a_cluster, annotations, options.threshold)
    several = any(has_objects(run.a_cluster, annotations) for run in runs.values())
    first_maps = next(iter(runs.values())).maps
    baselines = score_baselines(first_maps, annotations, options.threshold, options.seed, several)
    rules = protocol(annotations, options.threshold, several, options.seed)
    areas, area_lines = compare_with_negatives(runs)
    content = {
        "protocol": rules,
        "counts": {path: asdict(one.counts) for path, one in scores.items()},
        "runs": {path: {"a_cluster": runs[path].a_cluster, **summary(one)} for path, one in scores.items()},
        "baselines": {name: summary(one) for name, one in baselines.items()},
        "roc_auc": areas,
    }
    print(f"Protocol: {rules['text']}.", *frames_text(runs, scores, annotations), sep="\n")
    print("", *figures_table({**content["runs"], **content["baselines"]}), sep="\n")
    if area_lines:
        print("", *area_lines, sep="\n")
    for wanted, unit, figures_of in ((options.per_video, "video", per_video), (options.per_class, "class", per_class)):
        if wanted:
            tables = content[f"per_{unit}"] = {path: figures_of(one) for path, one in scores.items()}
            for path, table in tables.items():
                print("", f"{path}:", *figures_table(table, unit), sep="\n")
    if options.json:
        write_json(options.json, content)
        print(f"\nWrote {options.json}.")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program."""
    options = parse(argv)
    return exit_status("score", lambda: score(options))


if __name__ == "__main__":
    sys.exit(main())
