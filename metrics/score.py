"""Score the maps of one or several runs against boxes, beside what needs no learning.

    python3 metrics/score.py dmc.pkl                             # boxes.json of the data set
    python3 metrics/score.py dmc.pkl --boxes vggss.json
    python3 metrics/score.py dmc.pkl dmc_shuffled.pkl dmc_noise.pkl dmc_silence.pkl

A map is resized to 224 x 224 pixels, and predicts the pixels of at least --threshold times its maximum. mean IoU is
that of the prediction with the union of a frame's boxes, IoU@0.5 the share of frames with at least 0.5, AUC the area
under that share over the thresholds 0, 0.05, ..., 1, pointing the share of frames whose maximum lies in a box. For
several sources, CIoU is the mean IoU over a frame's objects, each with a map of its own, and pointing is of these too;
NSA is the share of the area below 0.2 in the maps of no sound. Every published number depends on the threshold and on
what is counted:

  MUSIC (Hu et al., NeurIPS 2020): solos IoU with the boxes at half of the maximum; duets, in its published code, CIoU
      over the classes of a frame at 0.3, each with the map of its class above 0.2 of the maximum. Here clusters, which
      have no class, are assigned to the objects by the best one-to-one match, at half of the maximum. Frames without a
      box are not counted.
  VGG-SS (Chen et al., CVPR 2021): called cIoU there too; the prediction is the brighter half of the pixels, by the
      median of the map, whatever its maximum, so that a published number says little beside one of this program.
  Flickr-SoundNet (Senocak et al., CVPR 2018; its 250 frames as scored by Chen et al.): cIoU with the consensus of the
      annotators, min(1, boxes / 2), over the consensus and the predicted pixels that nobody marked; the brighter half
      of the pixels again.

Published code cuts the edges of boxes to whole pixels; here a box holds the pixels whose centres lie in it.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

if not __package__:  # run by path: imports start at the repository root
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from common.atomic import atomic_file
from common.cli import new_parser, seed_number
from common.errors import UserError
from common.exit_status import exit_status
from data.dmc_pkl import csv_path
from data.layout import boxes_file
from metrics.annotations import FORMATS, Annotations, read_annotations
from metrics.baselines import DISC_RADIUS
from metrics.evaluate import (
    THRESHOLD,
    Scores,
    has_objects,
    per_class,
    per_video,
    score_baselines,
    score_run,
    summary,
)
from metrics.matching import Counts
from metrics.runs import Run, negatives, read_run, roc_auc
from metrics.scores import SIZE
from metrics.table import figures_table

TRUTHS = {
    "music": "MUSIC: IoU with the union of a frame's boxes",
    "vggss": "VGG-SS: IoU with the union of the boxes, middle frame of each clip",
    "flickr": "Flickr-SoundNet: IoU is cIoU with the consensus min(1, boxes / 2), middle frame of each clip",
}


def part_of_maximum(text: str) -> float:
    """An option's value in (0, 1]."""
    value = float(text)
    if not 0 < value <= 1:
        raise argparse.ArgumentTypeError(f"{text} is no part of the maximum, above 0 to 1")
    return value


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Options of this program."""
    parser = new_parser(__doc__)
    parser.add_argument(
        "dmc_pkl",
        type=Path,
        nargs="+",
        help="maps of one or several runs. The baselines are on the frames of the first. A run's maps with other "
        "sounds, beside it and named as it is with _shuffled, _noise or _silence (location_dmc.py --audio), are told "
        "from it by their distances",
    )
    parser.add_argument("--boxes", type=Path, help="file or folder of annotations (default: DATA_DIR/boxes.json)")
    parser.add_argument("--format", choices=FORMATS, help="of the annotations (default: by what --boxes holds)")
    parser.add_argument(
        "--threshold",
        type=part_of_maximum,
        default=THRESHOLD,
        help=f"part of its maximum from which on a map predicts a pixel (default: {THRESHOLD})",
    )
    parser.add_argument("--per_video", action="store_true", help="also a table of each run's videos")
    parser.add_argument("--per_class", action="store_true", help="also a table of each run's classes (category_id)")
    parser.add_argument("--seed", type=seed_number, default=10, help="of the random map (default: 10)")
    parser.add_argument("--json", type=Path, help="write all of it to this file too")
    return parser.parse_args(argv)


def protocol(annotations: Annotations, threshold: float, several: bool, seed: int) -> dict[str, str | float]:
    """What was counted and how, for the output and the JSON."""
    words = (
        f"{TRUTHS[annotations.format]}; a map at {SIZE} x {SIZE} pixels predicts what is at least {threshold:g} of its "
        "maximum; AUC over IoU 0, 0.05, ..., 1; pixels that share the maximum point in part"
    )
    if several:
        words += (
            "; CIoU: mean over a frame's objects (boxes of one category_id), each with one map of its own, best match; "
            "pointing is of each object's own map, IoU of the maximum of the matched maps; NSA: below 0.2"
        )
    return {
        "format": annotations.format,
        "annotations": str(annotations.path),
        "threshold": threshold,
        "size": SIZE,
        "disc_radius": DISC_RADIUS,
        "seed": seed,
        "text": words,
    }


def counted(counts: Counts, annotations: Annotations) -> str:
    """What became of a run's frames and of the annotations, in a sentence or two."""
    text = f"{counts.frames_scored} frames scored"
    if annotations.format == "music":
        text += f", {counts.matched_by_rank} of them matched by rank within the second"
    text += (
        f"; {counts.annotations_without_map} annotations without a map, "
        f"{counts.maps_without_annotation} maps without an annotation"
    )
    if counts.annotated_without_box:
        text += f"; {counts.annotated_without_box} annotated without a box, not scored"
    text += "."
    beyond = []
    if counts.annotations_between_frames:
        beyond.append(f"{counts.annotations_between_frames} annotated frames between those that were extracted")
    if counts.videos_without_map:
        beyond.append(f"{counts.videos_without_map} videos of which there are no maps")
    return text + (f" {annotations.path} also holds {' and '.join(beyond)}." if beyond else "")


def frames_text(runs: dict[str, Run], scores: dict[str, Scores], annotations: Annotations) -> list[str]:
    """Lines on what was scored: once, or for each run where they differ."""
    lines = [
        f"There is no {csv_path(run.path)}: {name} is taken as maps of one sound."
        for name, run in runs.items()
        if run.distances is None
    ]
    first, *others = scores.values()
    if all(set(other.keys) == set(first.keys) and other.counts == first.counts for other in others):
        return [*lines, counted(first.counts, annotations)]
    lines.append(f"The runs differ in their frames; the baselines are on those of {next(iter(runs))}.")
    return [*lines, *(f"{name}: {counted(one.counts, annotations)}" for name, one in scores.items())]


def tell_apart(runs: dict[str, Run]) -> tuple[dict[str, dict[str, float]], list[str]]:
    """ROC AUC of each run's distances against each of its negatives; and lines that say it.

    Raises:
        UserError: two of them share no frame.
    """
    name_of = {run.path: name for name, run in runs.items()}
    areas: dict[str, dict[str, float]] = {}
    lines = []
    for path, others in negatives([run.path for run in runs.values()]).items():
        own, of_own = runs[name_of[path]], areas.setdefault(name_of[path], {})
        for audio, other_path in others.items():
            other = runs[name_of[other_path]]
            what = f"{name_of[path]}: ROC AUC of own against {audio}"
            if own.distances is None or other.distances is None:
                lines.append(f"{what}: not without the distances of both, in their .csv")
                continue
            try:
                of_own[audio], count = roc_auc(own.distances, other.distances)
            except UserError as error:
                raise UserError(f"{path} and {other_path}: {error}") from error
            lines.append(f"{what}, by matched distance: {of_own[audio]:.3f} ({count} frames)")
    return areas, lines


def evaluate(options: argparse.Namespace) -> tuple[dict, list[str]]:
    """All that the options ask for: as content of a JSON file, and as lines to print.

    Raises:
        UserError: a file cannot be used.
    """
    paths = [str(path) for path in options.dmc_pkl]
    if twice := {path for path in paths if paths.count(path) > 1}:
        raise UserError(f"{min(twice)} is given twice")
    path = options.boxes or boxes_file(options.data_dir)
    if options.boxes is None and not path.exists():
        raise UserError(f"there is no {path}: name a file or folder of annotations with --boxes")
    annotations = read_annotations(path, options.format)
    runs = {path: read_run(Path(path)) for path in paths}
    scores = {}
    for path, run in runs.items():
        try:
            scores[path] = score_run(run.maps, run.a_cluster, annotations, options.threshold)
        except UserError as error:
            raise UserError(f"{path}: {error}") from error
    several = any(has_objects(run.a_cluster, annotations) for run in runs.values())
    baselines = score_baselines(runs[paths[0]].maps, annotations, options.threshold, options.seed, several)

    used = protocol(annotations, options.threshold, several, options.seed)
    areas, area_lines = tell_apart(runs)
    content = {
        "protocol": used,
        "counts": {path: asdict(one.counts) for path, one in scores.items()},
        "runs": {path: {"a_cluster": runs[path].a_cluster, **summary(one)} for path, one in scores.items()},
        "baselines": {name: summary(one) for name, one in baselines.items()},
        "roc_auc": areas,
    }
    rows = {**content["runs"], **content["baselines"]}
    lines = [f"Protocol: {used['text']}.", *frames_text(runs, scores, annotations), "", *figures_table(rows)]
    lines += ["", *area_lines] if area_lines else []
    for wanted, key, title, parts in (
        (options.per_video, "per_video", "video", per_video),
        (options.per_class, "per_class", "class", per_class),
    ):
        if wanted:
            content[key] = {path: parts(one) for path, one in scores.items()}
            for path, table in content[key].items():
                lines += ["", f"{path}:", *figures_table(table, title)]
    return content, lines


def write_json(path: Path, content: dict) -> None:
    """Write the figures, whole or not at all.

    Raises:
        UserError: it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_file(path) as partial:
            partial.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    except OSError as error:
        raise UserError(f"{path} cannot be written ({error.strerror})") from error


def score(options: argparse.Namespace) -> None:
    """Print the table of the runs, and write it as JSON if that is asked for.

    Raises:
        UserError: a file is unreadable, malformed or does not fit the others.
    """
    content, lines = evaluate(options)
    print("\n".join(lines))
    if options.json:
        write_json(options.json, content)
        print(f"\nWrote {options.json}.")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program; returns its exit status."""
    options = parse(argv)
    return exit_status("score", lambda: score(options))


if __name__ == "__main__":
    sys.exit(main())
