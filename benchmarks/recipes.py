"""Trains recipes on generated data sets with several seeds, scores them, and prints the table.

    python3 benchmarks/recipes.py                                            # everything: days on 2 cores
    python3 benchmarks/recipes.py --recipes improved --sets solo --seeds 1
    python3 benchmarks/recipes.py --recipes improved --set padding=zeros     # an ablation

Sets: solo has one instrument a video, distractor a silent thing beside it, duet two instruments. A network for duets
starts from the one for solos. Minutes are those of training and validation. You can interrupt the program at any time;
running it again resumes. Once all networks are trained, it only scores them.
"""

import argparse
import csv
import json
import shlex
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean, stdev
from typing import Any

if not __package__:  # run by path: imports start at the repository root
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from benchmarks.shared import machine_line, markdown_table, new_results, run_program
from common.cli import plain_parser, positive_int
from common.errors import UserError
from common.exit_status import exit_status
from data.dmc_pkl import csv_path, path_for_audio
from data.layout import LIST_NAMES, boxes_file, list_path
from metrics.annotations import read_annotations
from metrics.evaluate import has_objects, score_baselines, score_run, summary
from metrics.runs import NEGATIVE_AUDIO, read_run, roc_auc
from metrics.table import write_json
from models.recipes import ORIGINAL, RECIPES
from training.device import PRECISIONS
from training.options import DATA_OPTIONS, DEFAULTS, NOT_FROM_CHECKPOINT, checkpoint_args, merge_options, setting
from training.run_folder import ARGS, BEST, LOG

SETS = {
    "solo": ("--sources", 1, "--distractors", 0),
    "distractor": ("--sources", 1, "--distractors", 1),
    "duet": ("--sources", 2, "--distractors", 0),
}
START = {"duet": "solo"}  # set -> the set of the network that its network starts from
# recipe -> set -> visual clusters, audio clusters, epochs
TRAININGS = {
    "original": {"solo": (2, 1, 100), "distractor": (2, 1, 100), "duet": (3, 2, 100)},
    "improved": {"solo": (3, 1, RECIPES["improved"].epoch), "distractor": (4, 1, 40), "duet": (4, 2, 14)},
}
FIRST_SEED = 10  # the default seed of every program
HEAD = (
    "set | recipe | v/a clusters | epochs | minutes | mean IoU | IoU@0.5 | AUC | pointing | pointing, shuffled audio | "
    "ROC AUC shuffled | noise | silence"
).split(" | ")
DUET_NOTE = "Duets: CIoU in place of IoU, with CIoU@0.3 in place of IoU@0.5."


@dataclass(frozen=True)
class Training:
    """A training by `location_dmc.py`, with its options; `start` is the checkpoint that it starts from."""

    label: str
    out: Path
    dmc_pkl: Path
    options: dict[str, Any]
    start: Path | None

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


def prepare_set(options: argparse.Namespace, set_name: str) -> None:
    """Make the missing parts of a data set: videos, lists, frames, spectrograms."""
    data_dir, log = options.data / set_name, options.out / f"data_{set_name}.log"
    size = ("--videos", options.videos, "--seconds", options.seconds)
    run_program("data/make_demo.py", ["--data_dir", data_dir, *SETS[set_name], *size], log)
    if not all(list_path(data_dir, name).exists() for name in LIST_NAMES):
        run_program("data/split.py", ["--data_dir", data_dir, "--force"], log)
    for script in ("data/cut_video.py", "data/cut_audio.py"):
        run_program(script, ["--data_dir", data_dir], log)


def plan(options: argparse.Namespace, recipe: str, set_name: str, seed: int) -> list[Training]:
    """The trainings of a network in their order. The last one is on the set."""
    before = plan(options, recipe, START[set_name], seed) if set_name in START else []
    v_cluster, a_cluster, epoch = TRAININGS[recipe][set_name]
    changes = [options.precision] * bool(options.precision) + options.set
    out = options.out / "_".join([recipe, *changes, set_name, str(seed)])
    given = {
        "recipe": recipe,
        "data_dir": str(options.data / set_name),
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
    return [
        *before,
        Training(" ".join([recipe, *changes]), out, out / "dmc.pkl", given, before[-1].out / BEST if before else None),
    ]


def require_same(training: Training) -> None:
    """Raise UserError if the folder holds a training with other options."""
    path = training.out / ARGS
    if not path.exists():
        return
    try:
        found = {**DEFAULTS, **asdict(ORIGINAL), **json.loads(path.read_text(encoding="utf-8"))}
        data_dir = Path(found["data_dir"])  # a set that is gone may have been moved
    except (ValueError, TypeError) as error:
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
        start = {"use_pretrain": 1, "ckpt_file": training.start} if training.start else {}
        training.run(**training.options, **start, resume=1)


def evaluate(training: Training) -> None:
    """Write the maps with negative audio, if they are missing or older than the maps with the own audio."""
    own = training.dmc_pkl
    for audio in NEGATIVE_AUDIO:
        path = path_for_audio(own, audio)
        if path.exists() and csv_path(path).exists() and path.stat().st_mtime >= own.stat().st_mtime:
            continue
        given = {"evaluate": 1, "audio": audio, "use_pretrain": 1, "ckpt_file": training.out / BEST}
        training.run(**given, data_dir=training.options["data_dir"], out=training.out, dmc_pkl=own)


def score(stages: Sequence[Training], set_name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The figures of a network, and the figures of the baselines on its frames."""
    last = stages[-1]
    annotations = read_annotations(boxes_file(last.options["data_dir"]))
    own = read_run(last.dmc_pkl)
    negative = {audio: read_run(path_for_audio(last.dmc_pkl, audio)) for audio in NEGATIVE_AUDIO}
    several = has_objects(own.a_cluster, annotations)
    figures = {
        "set": set_name,
        "recipe": last.label,
        **{name: last.options[name] for name in ("seed", "v_cluster", "a_cluster")},
        "epochs": [stage.options["epoch"] for stage in stages],
        "minutes": sum(float(row["seconds"]) for stage in stages for row in stage.rows()) / 60,
        "own": summary(score_run(own.maps, own.a_cluster, annotations)),
        "shuffled": summary(score_run(negative["shuffled"].maps, own.a_cluster, annotations)),
        "roc_auc": {audio: roc_auc(own.distances or {}, run.distances or {})[0] for audio, run in negative.items()},
    }
    baselines = score_baselines(own.maps, annotations, several=several)
    return figures, {name: summary(scores) for name, scores in baselines.items()}


# --- table ------------------------------------------------------------------------------------------------------------


def table(runs: Sequence[Mapping[str, Any]], baselines: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Lines of the table: for each set a row for each recipe, mean ± deviation over the seeds, and for each baseline.

    `runs` has the figures of each network, `baselines` set -> name -> figures.
    """
    rows = []
    for set_name in dict.fromkeys(run["set"] for run in runs):
        of_set = [run for run in runs if run["set"] == set_name]
        for recipe in dict.fromkeys(run["recipe"] for run in of_set):
            of_recipe = [run for run in of_set if run["recipe"] == recipe]
            first, columns = of_recipe[0], zip(*map(_values, of_recipe), strict=True)
            clusters, epochs = f"{first['v_cluster']}/{first['a_cluster']}", " + ".join(map(str, first["epochs"]))
            minutes = mean_and_deviation([run["minutes"] for run in of_recipe], digits=1)
            rows.append([set_name, recipe, clusters, epochs, minutes, *map(mean_and_deviation, columns)])
        for name, figures in baselines[set_name].items():
            scores = [mean_and_deviation([value]) for value in localization(figures)]
            rows.append([set_name, name, *"---", *scores, *"----"])
    return [*markdown_table(HEAD, rows), *(["", DUET_NOTE] if any("ciou" in run["own"] for run in runs) else [])]


def mean_and_deviation(values: Sequence[float], digits: int = 2) -> str:
    """Mean ± standard deviation of a sample; a single value has no deviation."""
    center = f"{mean(values):.{digits}f}"
    return f"{center} ± {stdev(values):.{digits}f}" if len(values) > 1 else center


def localization(figures: Mapping[str, float]) -> list[float]:
    """Mean IoU, IoU@0.5, AUC and pointing; with several sources CIoU, CIoU@0.3 and its AUC instead."""
    names = ("ciou", "ciou_at_0.3", "ciou_auc") if "ciou" in figures else ("mean_iou", "iou_at_0.5", "auc")
    return [figures[name] for name in (*names, "pointing")]


def _values(run: Mapping[str, Any]) -> list[float]:
    return [
        *localization(run["own"]),
        run["shuffled"]["pointing"],
        *(run["roc_auc"][audio] for audio in NEGATIVE_AUDIO),
    ]


# --- program ----------------------------------------------------------------------------------------------------------


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = plain_parser(__doc__)
    for name, choices in (("recipes", list(TRAININGS)), ("sets", list(SETS))):
        parser.add_argument(f"--{name}", nargs="+", choices=choices, default=choices, help="default: all")
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
    return options


def benchmark(options: argparse.Namespace) -> None:
    """Train, score, print the table. The file of figures grows with every network."""
    results: dict[str, Any] = {**new_results(options), "runs": [], "baselines": {}}
    seeds = range(FIRST_SEED, FIRST_SEED + options.seeds)
    networks = [
        (set_name, plan(options, recipe, set_name, seed))
        for recipe in options.recipes
        for set_name in options.sets
        for seed in seeds
    ]
    for _, stages in networks:  # before the first training, not hours later
        for stage in stages:
            require_same(stage)
    for set_name in SETS:
        if set_name in options.sets or set_name in (START.get(name) for name in options.sets):
            print(f"\n{set_name}: the data set {options.data / set_name}", flush=True)
            prepare_set(options, set_name)
    for set_name, stages in networks:
        print(f"\n{stages[-1].out}", flush=True)
        for stage in stages:
            train(stage)
        evaluate(stages[-1])
        figures, baselines = score(stages, set_name)
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
