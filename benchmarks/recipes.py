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
import shlex
import signal
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

if not __package__:  # run by path: imports start at the repository root
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from benchmarks.recipe_table import table
from benchmarks.shared import machine_line, new_results, run_program
from common.cli import plain_parser, positive_int
from common.errors import UserError
from common.exit_status import exit_status
from data.dmc_pkl import NEGATIVE_AUDIO, csv_path, path_for_audio
from data.layout import LIST_NAMES, boxes_file, list_path
from metrics.annotations import read_annotations
from metrics.detection import collect, figures_at
from metrics.evaluate import has_objects, score_baselines, score_ceiling, score_run
from metrics.figures import summary
from metrics.runs import read_run
from metrics.table import write_json
from models.recipes import IMPROVED, ORIGINAL, PRETRAINED
from training.options import (
    ARGS,
    BEST,
    DATA_OPTIONS,
    DEFAULTS,
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


@dataclass(frozen=True)
class Training:
    """A training by `location_dmc.py`, with its options."""

    label: str
    out: Path
    dmc_pkl: Path
    options: dict[str, Any]

    def rows(self) -> list[dict[str, str]]:
        """A row of the log for each finished epoch."""
        path = self.out / LOG
        return list(csv.DictReader(path.open(newline="", encoding="utf-8"))) if path.exists() else []

    def is_finished(self) -> bool:
        """Whether all epochs and the maps are done."""
        maps = self.dmc_pkl.exists() and csv_path(self.dmc_pkl).exists()
        return maps and len(self.rows()) >= self.options["epoch"]

    def run(self, **options: object) -> None:
        """Run `location_dmc.py` with these options."""
        words = [(f"--{name}", value) for name, value in options.items() if name != "set"]
        words += [("--set", pair) for pair in options.get("set", ())]
        run_program("location_dmc.py", [word for pair in words for word in pair], self.out / "benchmark.log")


def kind_of(set_name: str) -> str:
    """The kind of a set; an extra set has it at the end of its name."""
    return next(kind for kind in KINDS if set_name.endswith(kind))


def prepare_set(options: argparse.Namespace, set_name: str) -> None:
    """Make the missing parts of a data set: videos, unless it is an extra set, lists, frames, spectrograms."""
    data_dir, log = Path(options.folders[set_name]), options.out / f"data_{set_name}.log"
    if set_name in KINDS:
        size = ("--videos", options.videos, "--seconds", options.seconds)
        run_program("data/make_demo.py", ["--data_dir", data_dir, *KINDS[set_name], *size], log)
    force = [] if all(list_path(data_dir, name).exists() for name in LIST_NAMES) else ["--force"]
    run_program("data/prepare.py", ["--data_dir", data_dir, *force], log)


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
        "dmc_pkl": out / "dmc.pkl",
        "set": options.set,
        **({"precision": options.precision} if options.precision else {}),
    }
    return Training(" ".join([recipe, *changes]), out, out / "dmc.pkl", given)


def require_same(training: Training) -> None:
    """Raise UserError if the folder holds a training with other options."""
    path = training.out / ARGS
    if not path.exists():
        return
    try:
        found = {**DEFAULTS, **asdict(ORIGINAL), **json.loads(path.read_text(encoding="utf-8"))}
        data_dir = Path(found["data_dir"])  # a set that is gone may have been moved
    except (ValueError, TypeError, RecursionError) as error:
        raise UserError(f"{path} holds no options: delete {training.out}, or name another --out") from error
    wanted = checkpoint_args(merge_options(training.options, {}))
    compared = sorted(wanted.keys() - NOT_FROM_CHECKPOINT - DATA_OPTIONS)
    other = [f"{name} {found[name]}, not {wanted[name]}" for name in compared if found[name] != wanted[name]]
    if data_dir.is_dir() and data_dir.resolve() != Path(wanted["data_dir"]).resolve():
        other.append(f"data_dir {data_dir}, not {wanted['data_dir']}")
    if other:
        raise UserError(
            f"{training.out} holds a training with other options ({'; '.join(other)}): name another --out, or delete it"
        )


def train(training: Training) -> None:
    """Train up to the last epoch and write the maps, if that is not done."""
    require_same(training)
    if not training.is_finished():
        training.run(**training.options, resume=1)


def evaluate(training: Training) -> None:
    """Write the maps with negative audio, if they are missing or older than the maps with the own audio."""
    own = training.dmc_pkl
    for audio in NEGATIVE_AUDIO:
        path = path_for_audio(own, audio)
        if path.exists() and csv_path(path).exists() and path.stat().st_mtime >= own.stat().st_mtime:
            continue
        given = {"evaluate": 1, "audio": audio, "use_pretrain": 1, "ckpt_file": training.out / BEST}
        training.run(**given, data_dir=training.options["data_dir"], out=training.out, dmc_pkl=own)


def score(training: Training, set_name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The figures of a network, and the figures of the baselines on its frames."""
    annotations = read_annotations(boxes_file(training.options["data_dir"]))
    own = read_run(training.dmc_pkl)
    negative = {audio: read_run(path_for_audio(training.dmc_pkl, audio)) for audio in NEGATIVE_AUDIO}
    several = has_objects(own.a_cluster, annotations)
    figures = {
        "set": set_name,
        "recipe": training.label,
        **{name: training.options[name] for name in ("seed", "v_cluster", "a_cluster", "epoch")},
        "minutes": sum(float(row["seconds"]) for row in training.rows()) / 60,
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


# --- program ----------------------------------------------------------------------------------------------------------


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
    parser.add_argument("--json", type=Path, help="file of all figures (default: OUT/recipes.json)")
    options = parser.parse_args(argv)
    options.json = options.json or options.out / "recipes.json"
    options.folders = {kind: str(options.data / kind) for kind in KINDS} | dict(options.extra_set)
    return options


def extra_set(text: str) -> tuple[str, str]:
    """An option's value of the form NAME=DIR."""
    name, _, folder = text.partition("=")
    if name in KINDS or not name.endswith(tuple(KINDS)) or not folder:
        raise argparse.ArgumentTypeError(f"{text} is no NAME=DIR with a NAME like zoo_solo, zoo_distractor, zoo_duet")
    return name, folder


def benchmark(options: argparse.Namespace) -> None:
    """Train, score, print the table. The file of figures grows with every network."""
    results: dict[str, Any] = {**new_results(options), "runs": [], "baselines": {}}
    seeds = range(FIRST_SEED, FIRST_SEED + options.seeds)
    networks = [
        (set_name, plan(options, recipe, set_name, seed))
        for recipe in options.recipes
        for set_name in (*options.sets, *dict(options.extra_set))
        for seed in seeds
    ]
    for _, training in networks:  # before the first training, not hours later
        require_same(training)
    for set_name in dict.fromkeys(set_name for set_name, _ in networks):
        print(f"\n{set_name}: the data set {options.folders[set_name]}", flush=True)
        prepare_set(options, set_name)
    for set_name, training in networks:
        print(f"\n{training.out}", flush=True)
        train(training)
        evaluate(training)
        figures, baselines = score(training, set_name)
        results["runs"].append(figures)
        results["baselines"].setdefault(set_name, baselines)
        write_json(options.json, results)
        print(*table([figures], {set_name: {}}), sep="\n", flush=True)
    size = f"Seeds {seeds[0]} to {seeds[-1]}; {options.videos} videos of {options.seconds} s a set; "
    print("", *table(results["runs"], results["baselines"]), "", size + machine_line(results), sep="\n")
    print(f"\nWrote {options.json}.")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program; returns its exit status."""
    options = parse(argv)
    command = shlex.join(["python3", "benchmarks/recipes.py", *(sys.argv[1:] if argv is None else argv)])
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a plain kill ends it as Ctrl-C does
    return exit_status("recipes", lambda: benchmark(options), f"stopped; this resumes: {command}")


if __name__ == "__main__":
    sys.exit(main())
