"""Trains recipes on generated data sets with several seeds, scores them, and prints the table.

    python3 benchmarks/recipes.py                                            # everything: days on 2 cores
    python3 benchmarks/recipes.py --recipes improved --sets solo --seeds 1
    python3 benchmarks/recipes.py --recipes improved --set normalize=0      # an ablation

Kinds of sets: solo has one sounding object a video, distractor a silent one beside it, duet two sounding ones.
--extra_set adds a set of another origin, whose name ends with its kind: a recipe is to be chosen on several sets.
Minutes are those of training and validation. You can interrupt the program at any time; running it again resumes. Once
all networks are trained, it only scores them.
"""

import argparse
import csv
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

if not __package__:  # run by path: imports start at the repository root
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from benchmarks.recipe_table import table
from benchmarks.shared import machine_line, run_program
from common.cli import plain_parser, positive_int
from common.errors import UserError
from common.exit_status import exit_status
from data.dmc_pkl import NEGATIVE_AUDIO, csv_path, path_for_audio
from data.layout import boxes_file
from metrics.maps.annotations import read_annotations
from metrics.maps.detection import collect, figures_at
from metrics.maps.evaluate import has_objects, score_baselines, score_ceiling, score_run
from metrics.maps.figures import summary
from metrics.maps.runs import read_run
from models.recipes import IMPROVED, PRETRAINED
from training.options import (
    ARGS,
    BEST,
    DATA_OPTIONS,
    LOG,
    NOT_FROM_CHECKPOINT,
    PRECISIONS,
    checkpoint_args,
    merge_options,
    setting,
)

KINDS = {  # -> options of data/make_demo.py
    "solo": ("--sources", 1, "--distractors", 0),
    "distractor": ("--sources", 1, "--distractors", 1),
    "duet": ("--sources", 2, "--distractors", 0),
}
# recipe -> kind of set -> visual clusters, audio clusters, epochs
TRAININGS = {
    "original": {"solo": (2, 1, 100), "distractor": (2, 1, 100), "duet": (3, 2, 100)},
    "improved": {"solo": (2, 1, IMPROVED.epoch), "distractor": (3, 1, 40), "duet": (4, 2, 40)},
    "pretrained": {"solo": (3, 1, PRETRAINED.epoch), "distractor": (4, 1, PRETRAINED.epoch), "duet": (4, 2, 16)},
    "cvpr2019": {"solo": (10, 1, 100), "distractor": (10, 1, 100), "duet": (10, 2, 100)},
}
FIRST_SEED = 10  # the default seed of every program
MAPS = "dmc.pkl"


@dataclass(frozen=True)
class Training:
    """A training by `location_dmc.py`."""

    set_name: str
    label: str
    out: Path
    options: dict[str, Any]


def kind_of(set_name: str) -> str:
    """The kind of a set; an extra set has it at the end of its name."""
    return next(kind for kind in KINDS if set_name.endswith(kind))


def prepare_set(options: argparse.Namespace, set_name: str) -> None:
    """Make the missing parts of a data set: videos, unless it is an extra set, lists, frames, spectrograms."""
    data_dir = ("--data_dir", options.folders[set_name])
    if set_name in KINDS:
        size = ("--videos", options.videos, "--seconds", options.seconds)
        run_program("data/make_demo.py", *data_dir, *KINDS[set_name], *size)
    run_program("data/prepare.py", *data_dir)


def plan(options: argparse.Namespace, recipe: str, set_name: str, seed: int) -> Training:
    """The training of a network."""
    v_cluster, a_cluster, epoch = TRAININGS[recipe][kind_of(set_name)]
    changes = [options.precision] * bool(options.precision) + options.set
    out = options.out / "_".join([recipe, *changes, set_name, str(seed)])
    given = {
        "recipe": recipe,
        "data_dir": options.folders[set_name],
        "v_cluster": v_cluster,
        "a_cluster": a_cluster,
        "epoch": options.epoch or epoch,
        "seed": seed,
        "save_every": 0,
        "out": out,
        "dmc_pkl": out / MAPS,
        "set": options.set,
        **({"precision": options.precision} if options.precision else {}),
    }
    return Training(set_name, " ".join([recipe, *changes]), out, given)


def require_same(training: Training) -> None:
    """Raise UserError if the folder holds a training with other options."""
    path = training.out / ARGS
    if not path.exists():
        return
    defaults, wanted = (checkpoint_args(merge_options(given, {})) for given in ({}, training.options))
    try:
        found = defaults | json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(f"{path} is damaged ({error}): delete {training.out}") from error
    compared = wanted.keys() - NOT_FROM_CHECKPOINT - DATA_OPTIONS | {"data_dir"}
    other = [
        f"{name} {found.get(name)}, not {wanted[name]}" for name in sorted(compared) if found.get(name) != wanted[name]
    ]
    if other:
        raise UserError(
            f"{training.out} holds a training with other options ({'; '.join(other)}): name another --out, or delete it"
        )


def train_and_evaluate(training: Training) -> None:
    """Train up to the last epoch; write the maps with the own and with negative audio."""
    own = training.out / MAPS
    _write_maps(own, **training.options, resume=1)
    for audio in NEGATIVE_AUDIO:
        given = {"evaluate": 1, "audio": audio, "ckpt_file": training.out / BEST, "dmc_pkl": own}
        _write_maps(path_for_audio(own, audio), **given, data_dir=training.options["data_dir"], out=training.out)


def _write_maps(path: Path, **options: object) -> None:
    """Run `location_dmc.py`, whose last file is the maps `path`, unless they are there."""
    if not csv_path(path).exists():
        words = [f"--{name}={value}" for name, value in options.items() if name != "set"]
        run_program("location_dmc.py", *words, *(f"--set={pair}" for pair in options.get("set", ())))


def score(training: Training) -> tuple[dict[str, Any], dict[str, Any]]:
    """The figures of a network, and the figures of the baselines on its frames."""
    annotations = read_annotations(boxes_file(training.options["data_dir"]))
    own = read_run(training.out / MAPS)
    negative = {audio: read_run(path_for_audio(own.path, audio)) for audio in NEGATIVE_AUDIO}
    several = has_objects(own.a_cluster, annotations)
    log = csv.DictReader((training.out / LOG).read_text(encoding="utf-8").splitlines())
    figures = {
        "set": training.set_name,
        "recipe": training.label,
        **{name: training.options[name] for name in ("seed", "v_cluster", "a_cluster", "epoch")},
        "minutes": sum(float(row["seconds"]) for row in log) / 60,
        "own": summary(score_run(own.maps, own.a_cluster, annotations)),
        "shuffled": summary(score_run(negative["shuffled"].maps, own.a_cluster, annotations)),
        "roc_auc": {
            audio: figures_at(collect(own.distances, [run.distances], dict.fromkeys(own.distances, True)))["roc_auc"]
            for audio, run in negative.items()
        },
    }
    baselines = score_baselines(own.maps, annotations, several=several)
    baselines["ceiling: the box on the map's grid"] = score_ceiling(own.maps, annotations, several)
    return figures, {name: summary(scores) for name, scores in baselines.items()}


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = plain_parser(__doc__)
    parser.add_argument("--recipes", nargs="+", choices=TRAININGS, default=list(TRAININGS), help="default: all")
    parser.add_argument("--sets", nargs="*", choices=KINDS, default=list(KINDS), help="generated sets (default: all)")
    text = "a data set of another origin; NAME ends with solo, distractor or duet; can be repeated"
    parser.add_argument("--extra_set", type=extra_set, action="append", default=[], metavar="NAME=DIR", help=text)
    text = f"networks of each recipe on each set, with the seeds {FIRST_SEED}, {FIRST_SEED + 1}, ... (default: 3)"
    parser.add_argument("--seeds", type=positive_int, default=3, metavar="N", help=text)
    text = "of every training (default: by set and recipe)"
    parser.add_argument("--epoch", type=positive_int, metavar="N", help=text)
    text = "change a setting of the recipes; such trainings have folders and rows of their own; can be repeated"
    parser.add_argument("--set", type=setting, action="append", default=[], metavar="KEY=VALUE", help=text)
    text = "of the backbones; such trainings have folders and rows of their own (default: auto)"
    parser.add_argument("--precision", choices=PRECISIONS, help=text)
    parser.add_argument("--videos", type=positive_int, default=210, metavar="N", help="of each set (default: 210)")
    parser.add_argument("--seconds", type=positive_int, default=6, metavar="N", help="of each video (default: 6)")
    text = "folder of the data sets; missing ones are made (default: %(default)s)"
    parser.add_argument("--data", type=Path, default=Path("datasets/benchmark"), help=text)
    text = "folder of the trainings; those in it are resumed, or only scored (default: %(default)s)"
    parser.add_argument("--out", type=Path, default=Path("runs/benchmark"), help=text)
    options = parser.parse_args(argv)
    options.folders = {kind: str(options.data / kind) for kind in KINDS} | dict(options.extra_set)
    return options


def extra_set(text: str) -> tuple[str, str]:
    """An option's value of the form NAME=DIR."""
    name, _, folder = text.partition("=")
    if name in KINDS or not name.endswith(tuple(KINDS)) or not folder:
        raise argparse.ArgumentTypeError(f"{text} is no NAME=DIR with a NAME like zoo_solo, zoo_distractor, zoo_duet")
    return name, folder


def benchmark(options: argparse.Namespace) -> None:
    """Train and score each network, and print the table."""
    machine, runs, baselines = machine_line(), [], {}
    seeds = range(FIRST_SEED, FIRST_SEED + options.seeds)
    trainings = [
        plan(options, recipe, set_name, seed)
        for recipe in options.recipes
        for set_name in (*options.sets, *dict(options.extra_set))
        for seed in seeds
    ]
    for training in trainings:  # before the first training, not hours later
        require_same(training)
    for set_name in dict.fromkeys(training.set_name for training in trainings):
        print(f"\n{set_name}: the data set {options.folders[set_name]}", flush=True)
        prepare_set(options, set_name)
    for training in trainings:
        print(f"\n{training.out}", flush=True)
        train_and_evaluate(training)
        figures, of_baselines = score(training)
        runs.append(figures)
        baselines.setdefault(training.set_name, of_baselines)
        print(*table([figures], {training.set_name: {}}), sep="\n", flush=True)
    size = f"Seeds {seeds[0]} to {seeds[-1]}; {options.videos} videos of {options.seconds} s a set; "
    print("", *table(runs, baselines), "", size + machine, sep="\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program; returns its exit status."""
    options = parse(argv)
    return exit_status("recipes", lambda: benchmark(options), "stopped; the same command resumes")


if __name__ == "__main__":
    sys.exit(main())
