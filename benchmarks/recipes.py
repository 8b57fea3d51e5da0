"""Trains recipes on generated data sets with several seeds, and prints the table of what they locate.

    python3 benchmarks/recipes.py                                        # all of it: days on 2 cores
    python3 benchmarks/recipes.py --recipes improved --sets solo --seeds 1
    python3 benchmarks/recipes.py --epoch 8 --image_size 112 --out runs/short
    python3 benchmarks/recipes.py --recipes improved --precision fp32    # beside those in the hardware's own

Data sets: solo, one instrument a video; distractor, a silent thing beside it; duet, two instruments, for which a
network is trained on solos first. Of each: IoU with the boxes, beside what needs no learning; pointing with the sounds
of other videos; how well distances tell own sounds from others, noise and silence. Minutes are those of training and
validation. What is finished is kept: stopped at any moment, it goes on from there, and run again, it only scores.
"""

import argparse
import csv
import datetime
import json
import shlex
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

if not __package__:  # run by path: imports start at the repository root
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from benchmarks.programs import run_program
from benchmarks.results import machine, option_values
from benchmarks.table import localization, table
from common.cli import plain_parser, positive_int
from common.errors import UserError
from common.exit_status import exit_status
from data.dmc_pkl import csv_path, path_for_audio
from data.layout import LIST_NAMES, boxes_file, list_path
from metrics.annotations import Annotations, read_annotations
from metrics.evaluate import has_objects, score_baselines, score_run, summary
from metrics.runs import NEGATIVES, read_run, roc_auc
from metrics.table import write_json
from models.recipes import RECIPES
from training.options import DATA_OPTIONS, DEFAULTS, NOT_FROM_CHECKPOINT, checkpoint_args, merge_options
from training.precision import PRECISIONS
from training.run_folder import ARGS, BEST, LOG

SETS = {
    "solo": ("--sources", 1, "--distractors", 0),
    "distractor": ("--sources", 1, "--distractors", 1),
    "duet": ("--sources", 2, "--distractors", 0),
}
FIRST_STAGE = {"duet": "solo"}  # data set -> the one to train on before it
# recipe -> data set -> visual clusters, sound clusters
CLUSTERS = {
    "original": {"solo": (2, 1), "distractor": (2, 1), "duet": (3, 2)},
    "improved": {"solo": (3, 1), "distractor": (4, 1), "duet": (4, 2)},
}
FROM_SCRATCH = RECIPES["improved"]["epoch"]
# recipe -> data set -> epochs; where there are two stages, of each
EPOCHS = {
    "original": {"solo": (100,), "distractor": (100,), "duet": (100, 100)},
    "improved": {"solo": (FROM_SCRATCH,), "distractor": (40,), "duet": (FROM_SCRATCH, 14)},
}
FIRST_SEED = 10  # as of every program


@dataclass(frozen=True)
class Training:
    """A training of `location_dmc.py`.

    Attributes:
        options: those that it is given.
        start: checkpoint to start from.
    """

    options: dict[str, Any]
    start: Path | None = None

    @property
    def out(self) -> Path:
        """Its folder."""
        return Path(self.options["out"])

    @property
    def dmc_pkl(self) -> Path:
        """Its maps."""
        return Path(self.options["dmc_pkl"])

    @property
    def log(self) -> Path:
        """What the programs said."""
        return self.out / "benchmark.log"

    def rows(self) -> list[dict[str, str]]:
        """A row for each epoch done."""
        path = self.out / LOG
        if not path.exists():
            return []
        with path.open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))

    def is_finished(self) -> bool:
        """Whether all epochs are done and their maps are there."""
        maps = self.dmc_pkl.exists() and csv_path(self.dmc_pkl).exists()
        return maps and len(self.rows()) >= self.options["epoch"]

    def minutes(self) -> float:
        """What its epochs took, with their validation."""
        return sum(float(row["seconds"]) for row in self.rows()) / 60


# --- data ---------------------------------------------------------------------------------------------------------


def prepare_set(options: argparse.Namespace, set_name: str) -> None:
    """Make what is missing of a data set: videos, lists, frames, spectrograms."""
    data_dir = options.data / set_name
    log = options.out / f"data_{set_name}.log"
    size = ("--videos", options.videos, "--seconds", options.seconds)
    run_program("data/make_demo.py", ["--data_dir", data_dir, *SETS[set_name], *size], log)
    if not all(list_path(data_dir, name).exists() for name in LIST_NAMES):
        run_program("data/split.py", ["--data_dir", data_dir, "--force"], log)
    run_program("data/cut_video.py", ["--data_dir", data_dir], log)
    run_program("data/cut_audio.py", ["--data_dir", data_dir], log)


def needed_sets(set_names: Sequence[str]) -> list[str]:
    """The data sets, with those of first stages, each once, in the order of SETS."""
    needed = {*set_names, *(FIRST_STAGE[name] for name in set_names if name in FIRST_STAGE)}
    return [name for name in SETS if name in needed]


# --- training -----------------------------------------------------------------------------------------------------


def plan(options: argparse.Namespace, recipe: str, set_name: str, seed: int) -> list[Training]:
    """The trainings that make a network for a data set, in their order; the last one is on that set."""
    prefix = f"{recipe}_{options.precision}" if options.precision else recipe
    epochs = EPOCHS[recipe][set_name]
    if options.epoch:
        epochs = (options.epoch,) * len(epochs)
    *before, last = epochs
    start = None
    stages = []
    for epoch in before:
        first = FIRST_STAGE[set_name]
        # The training on the first set is the same, if it is as long.
        alone = options.epoch or EPOCHS[recipe][first] == (epoch,)
        name = f"{prefix}_{first}_{seed}" if alone else f"{prefix}_{set_name}-{first}_{seed}"
        stages.append(_training(options, recipe, first, seed, name, epoch, start))
        start = stages[-1].out / BEST
    return [*stages, _training(options, recipe, set_name, seed, f"{prefix}_{set_name}_{seed}", last, start)]


def _training(
    options: argparse.Namespace, recipe: str, set_name: str, seed: int, name: str, epoch: int, start: Path | None
) -> Training:
    v_cluster, a_cluster = CLUSTERS[recipe][set_name]
    out = options.out / name
    given = {
        "recipe": recipe,
        "data_dir": str(options.data / set_name),
        "v_cluster": v_cluster,
        "a_cluster": a_cluster,
        "epoch": epoch,
        "seed": seed,
        "save_every": 0,
        "out": out,
        "dmc_pkl": out / "dmc.pkl",
    }
    if options.image_size:
        given["image_size"] = options.image_size
    if options.precision:
        given["precision"] = options.precision
    return Training(given, start)


def require_same(training: Training) -> None:
    """Make sure that a training which is there, finished or not, is the one that is wanted.

    Raises:
        UserError: it has other options.
    """
    path = training.out / ARGS
    if not path.exists():
        return
    try:
        there = json.loads(path.read_text(encoding="utf-8"))
        data_dir = Path(there["data_dir"])  # where it is gone, it may have been moved
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path} holds no options: delete {training.out}, or name another --out") from error
    there = {**DEFAULTS, **there}  # what it does not name is newer than it, and as before by default
    wanted = checkpoint_args(merge_options(training.options, {}))
    compared = wanted.keys() - NOT_FROM_CHECKPOINT - DATA_OPTIONS
    other = [f"--{name} {there[name]}, not {wanted[name]}" for name in sorted(compared) if there[name] != wanted[name]]
    if data_dir.is_dir() and data_dir.resolve() != Path(wanted["data_dir"]).resolve():
        other.append(f"--data_dir {data_dir}, not {wanted['data_dir']}")
    if other:
        raise UserError(
            f"{training.out} holds a training of other options ({'; '.join(other)}): name another --out, or delete it"
        )


def train(training: Training) -> None:
    """Train up to the wanted epoch, from wherever it is, and write the maps; nothing where that is done."""
    require_same(training)
    if training.is_finished():
        return
    words = [word for name, value in training.options.items() for word in (f"--{name}", value)]
    if training.start:
        words += ["--use_pretrain", 1, "--ckpt_file", training.start]
    run_program("location_dmc.py", [*words, "--resume", 1], training.log)


def evaluate(training: Training) -> None:
    """Write the maps with other sounds, where they are missing or older than those with the own ones."""
    own = training.dmc_pkl
    for audio in NEGATIVES:
        path = path_for_audio(own, audio)
        if path.exists() and csv_path(path).exists() and path.stat().st_mtime >= own.stat().st_mtime:
            continue
        words = ["--evaluate", 1, "--audio", audio, "--use_pretrain", 1, "--ckpt_file", training.out / BEST]
        place = ["--data_dir", training.options["data_dir"], "--out", training.out, "--dmc_pkl", own]
        run_program("location_dmc.py", [*words, *place], training.log)


# --- figures ------------------------------------------------------------------------------------------------------


def annotations_of(training: Training) -> Annotations:
    """The boxes of a training's data set."""
    return read_annotations(boxes_file(training.options["data_dir"]))


def run_figures(stages: Sequence[Training], set_name: str) -> dict[str, Any]:
    """All figures of a network; they are of the last stage, but for epochs and minutes."""
    last = stages[-1]
    annotations = annotations_of(last)
    own = read_run(last.dmc_pkl)
    others = {audio: read_run(path_for_audio(last.dmc_pkl, audio)) for audio in NEGATIVES}
    return {
        "set": set_name,
        "recipe": " ".join(last.options[name] for name in ("recipe", "precision") if name in last.options),
        **{name: last.options[name] for name in ("seed", "v_cluster", "a_cluster")},
        "epochs": [stage.options["epoch"] for stage in stages],
        "minutes": sum(stage.minutes() for stage in stages),
        "own": summary(score_run(own.maps, own.a_cluster, annotations)),
        "shuffled": summary(score_run(others["shuffled"].maps, own.a_cluster, annotations)),
        "roc_auc": {audio: roc_auc(own.distances or {}, run.distances or {})[0] for audio, run in others.items()},
    }


def baseline_figures(training: Training) -> dict[str, dict[str, Any]]:
    """Figures of what needs no learning, on a run's frames."""
    annotations = annotations_of(training)
    run = read_run(training.dmc_pkl)
    several = has_objects(run.a_cluster, annotations)
    baselines = score_baselines(run.maps, annotations, several=several)
    return {name: summary(scores) for name, scores in baselines.items()}


def run_line(run: dict[str, Any]) -> str:
    """One line on a finished run."""
    iou, share, auc, pointing = localization(run["own"])
    c, at = ("C", 0.3) if "ciou" in run["own"] else ("", 0.5)
    areas = " ".join(f"{audio} {area:.2f}" for audio, area in run["roc_auc"].items())
    return (
        f"{run['recipe']}, {run['set']}, seed {run['seed']}: {run['minutes']:.1f} minutes, mean {c}IoU {iou:.2f}, "
        f"{c}IoU@{at} {share:.2f}, AUC {auc:.2f}, pointing {pointing:.2f} "
        f"({run['shuffled']['pointing']:.2f} with shuffled sounds), ROC AUC {areas}"
    )


# --- machine ------------------------------------------------------------------------------------------------------


def machine_line(content: dict[str, Any]) -> str:
    """One line on where the figures come from, to stand under the table."""
    there = content["machine"]
    seeds = list(dict.fromkeys(run["seed"] for run in content["runs"]))
    over = f"Seed {seeds[0]}" if len(seeds) == 1 else f"Mean ± standard deviation over seeds {seeds[0]} to {seeds[-1]}"
    gpu = "" if there["device"] == "cpu" else f", {there['device']}"
    options = content["options"]
    return (
        f"{over}; {options['videos']} videos of {options['seconds']} s a set; {there['cpu']}, "
        f"{there['cores']} cores{gpu}, PyTorch {there['torch']}, {content['date']}."
    )


# --- program ------------------------------------------------------------------------------------------------------


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Options of this program."""
    parser = plain_parser(__doc__)
    parser.add_argument(
        "--recipes", nargs="+", choices=list(CLUSTERS), default=list(CLUSTERS), help="what to train (default: all)"
    )
    parser.add_argument(
        "--sets", nargs="+", choices=list(SETS), default=list(SETS), help="what to train it on (default: all)"
    )
    parser.add_argument(
        "--seeds",
        type=positive_int,
        default=3,
        metavar="N",
        help=f"networks of each recipe on each set, with the seeds {FIRST_SEED}, {FIRST_SEED + 1}, ... (default: 3)",
    )
    parser.add_argument(
        "--epoch",
        type=positive_int,
        metavar="N",
        help=f"epochs of every training (default: {_epochs_in_words()})",
    )
    parser.add_argument(
        "--image_size",
        type=positive_int,
        metavar="N",
        help="pixels of the square pictures; fewer are faster, and maps coarser (default: the recipe's, "
        + ", ".join(f"{recipe} {RECIPES[recipe]['image_size']}" for recipe in CLUSTERS)
        + ")",
    )
    parser.add_argument(
        "--precision",
        choices=PRECISIONS,
        help="of the networks' convolutions; trainings with it have folders and rows of their own (default: auto)",
    )
    parser.add_argument("--videos", type=positive_int, default=210, metavar="N", help="of each set (default: 210)")
    parser.add_argument("--seconds", type=positive_int, default=6, metavar="N", help="of each video (default: 6)")
    parser.add_argument(
        "--data",
        type=Path,
        default=Path("datasets/benchmark"),
        help="folder of the data sets, which are made where they are missing (default: %(default)s)",
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("runs/benchmark"),
        help="folder of the trainings; those in it are gone on with, or only scored (default: %(default)s)",
    )
    parser.add_argument("--json", type=Path, help="file of all figures (default: OUT/recipes.json)")
    options = parser.parse_args(argv)
    options.recipes, options.sets = (list(dict.fromkeys(names)) for names in (options.recipes, options.sets))
    options.json = options.json or options.out / "recipes.json"
    return options


def _epochs_in_words() -> str:
    return "; ".join(
        f"{recipe}: " + ", ".join(f"{name} {' + '.join(map(str, epochs))}" for name, epochs in sets.items())
        for recipe, sets in EPOCHS.items()
    )


def benchmark(options: argparse.Namespace) -> dict[str, Any]:
    """Do all that the options ask for; returns the content of the JSON file, which grows with every run.

    Raises:
        UserError: a program failed, or something that is there does not fit.
    """
    content: dict[str, Any] = {
        "date": datetime.date.today().isoformat(),
        "machine": machine(),
        "options": option_values(options),
        "runs": [],
        "baselines": {},
    }
    wanted = [
        (recipe, set_name, seed)
        for recipe in options.recipes
        for set_name in options.sets
        for seed in range(FIRST_SEED, FIRST_SEED + options.seeds)
    ]
    for one in wanted:  # say now what does not fit, not after hours
        for stage in plan(options, *one):
            require_same(stage)
    for set_name in needed_sets(options.sets):
        print(f"\n{set_name}: the data set {options.data / set_name}", flush=True)
        prepare_set(options, set_name)
    for recipe, set_name, seed in wanted:
        stages = plan(options, recipe, set_name, seed)
        print(f"\n{recipe}, {set_name}, seed {seed}: {' and '.join(str(stage.out) for stage in stages)}", flush=True)
        for stage in stages:
            train(stage)
        evaluate(stages[-1])
        content["runs"].append(run_figures(stages, set_name))
        if set_name not in content["baselines"]:
            content["baselines"][set_name] = baseline_figures(stages[-1])
        write_json(options.json, content)
        print(run_line(content["runs"][-1]), flush=True)
    return content


def print_benchmark(options: argparse.Namespace) -> None:
    """Run the benchmark, and print its table.

    Raises:
        UserError: a program failed, or its results cannot be scored.
    """
    content = benchmark(options)
    print("", *table(content["runs"], content["baselines"]), "", machine_line(content), sep="\n")
    print(f"\nWrote {options.json}.")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program; returns its exit status."""
    options = parse(argv)
    again = shlex.join(["python3", "benchmarks/recipes.py", *(sys.argv[1:] if argv is None else argv)])
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a plain kill ends it as Ctrl-C does
    stopped = f"stopped; what is finished is kept, and this goes on with the rest: {again}"
    return exit_status("recipes", lambda: print_benchmark(options), stopped)


if __name__ == "__main__":
    sys.exit(main())
