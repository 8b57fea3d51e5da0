"""The benchmark of recipes: its plan, its table, and a whole small run."""

import argparse
import json
import re
import signal
from pathlib import Path

import pytest

from benchmarks import recipe_table, recipes
from common.errors import UserError
from models.recipes import RECIPES
from training.option_checks import check_options
from training.options import checkpoint_args, merge_options

CEILING = "ceiling: the box on the map's grid"
SMALL = "--recipes improved --sets solo --seeds 1 --epoch 1 --set image_size=64 --videos 10 --seconds 3".split()


def network(set_name: str, recipe: str, seed: int, iou: float, **more: object) -> dict:
    figures = {"mean_iou": iou, "iou_at_0.5": iou / 2, "auc": 0.25, "pointing": 0.75, "area_ratio": 2.0}
    return {
        "set": set_name, "recipe": recipe, "seed": seed, "v_cluster": 3, "a_cluster": 1, "epoch": 16, "minutes": 4.0,
        "own": figures, "shuffled": {"pointing": 0.125}, "roc_auc": {"shuffled": 0.9, "noise": 1.0, "silence": 0.5},
        **more,
    }  # fmt: skip


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


def parse(tmp_path: Path, *words: str) -> argparse.Namespace:
    return recipes.parse(["--data", str(tmp_path / "data"), "--out", str(tmp_path / "out"), *words])


def test_the_table_has_a_row_for_each_recipe_and_baseline_of_each_set():
    runs = [network("solo", "original", seed, iou) for seed, iou in ((10, 0.2), (11, 0.4))]
    ciou = {"mean_iou": 0.9, "iou_at_0.5": 0.9, "auc": 0.9, "ciou": 0.3, "ciou_at_0.3": 0.6, "ciou_auc": 0.31}
    runs.append(
        network("duet", "improved", 10, 0.9, epoch=24, a_cluster=2, own={**ciou, "pointing": 0.7, "area_ratio": 1.5})
    )
    flat = {"mean_iou": 0.1, "iou_at_0.5": 0.0, "auc": 0.11, "pointing": 0.12, "area_ratio": 7.5}
    baselines = {"solo": {"whole frame": flat}, "duet": {"whole frame": {**flat, **ciou, "ciou": 0.08}}}
    head, _, *rows, empty, note = recipe_table.table(runs, baselines)
    assert cells(head)[:5] == ["set", "recipe", "v/a clusters", "epochs", "minutes"]
    assert [cells(row) for row in rows] == [
        # 0.2 and 0.4: mean 0.3, deviation 0.1 * sqrt(2); a single value has no deviation
        "solo|original|3/1|16|4.0 ± 0.0|0 of 2|0.30 ± 0.14|0.15 ± 0.07|0.25 ± 0.00|0.75 ± 0.00|2.00 ± 0.00|0.12 ± 0.00|"
        "0.90 ± 0.00|1.00 ± 0.00|0.50 ± 0.00".split("|"),
        "solo|whole frame|-|-|-|-|0.10|0.00|0.11|0.12|7.50|-|-|-|-".split("|"),
        "duet|improved|3/2|24|4.0|0 of 1|0.30|0.60|0.31|0.70|1.50|0.12|0.90|1.00|0.50".split("|"),
        "duet|whole frame|-|-|-|-|0.08|0.60|0.31|0.12|7.50|-|-|-|-".split("|"),
    ]
    assert empty == "" and "CIoU" in note


def test_a_training_fails_below_half_of_the_median():
    runs = [network("solo", "improved", seed, iou) for seed, iou in enumerate((0.9, 0.8, 0.41, 0.39))]
    assert recipe_table.failures(runs) == 0  # half of the median is 0.30
    runs[3]["own"]["iou_at_0.5"] = 0.14
    assert recipe_table.failures(runs) == 1


@pytest.mark.parametrize("recipe", recipes.TRAININGS)
@pytest.mark.parametrize("set_name", recipes.KINDS)
def test_the_trainer_accepts_every_planned_training(recipe, set_name, tmp_path):
    merged = merge_options(recipes.plan(parse(tmp_path), recipe, set_name, 10).options, {})
    assert check_options(merged) is None
    assert (merged.recipe_name, merged.recipe.image_size, merged.seed) == (recipe, RECIPES[recipe].image_size, 10)


def test_a_network_is_trained_with_the_settings_of_the_benchmark(tmp_path, monkeypatch):
    commands = []
    monkeypatch.setattr(recipes, "run_program", lambda *command: commands.append(command))
    options = parse(tmp_path, "--epoch", "5", "--set", "beta=10", "--set", "normalize=0", "--precision", "fp32")
    training = recipes.plan(options, "improved", "duet", 11)
    recipes.train_and_evaluate(training)
    (script, *words), *evaluations = commands
    line, out = " ".join(words), tmp_path / "out/improved_fp32_beta=10_normalize=0_duet_11"
    assert script == "location_dmc.py" and f"--out={out} --dmc_pkl={out}/dmc.pkl" in line
    assert f"--data_dir={tmp_path}/data/duet --v_cluster=4 --a_cluster=2 --epoch=5 --seed=11" in line
    assert line.endswith("--precision=fp32 --resume=1 --set=beta=10 --set=normalize=0")
    assert training.label == "improved fp32 beta=10 normalize=0"
    assert [words[2] for words in evaluations] == ["--audio=shuffled", "--audio=noise", "--audio=silence"]


def test_an_extra_set_is_trained_as_its_kind(tmp_path):
    options = parse(tmp_path, f"--extra_set=zoo_duet={tmp_path}/zoo_duet")
    training = recipes.plan(options, "improved", "zoo_duet", 10)
    found = [training.options[name] for name in ("data_dir", "v_cluster", "a_cluster")]
    assert found == [f"{tmp_path}/zoo_duet", 4, 2]


@pytest.mark.parametrize("text", ["solo=x", "zoo=x", "zoo_solo=", "zoo_solo"])
def test_an_extra_set_without_a_kind_or_a_folder_is_refused(tmp_path, text, capsys):
    with pytest.raises(SystemExit):
        parse(tmp_path, "--extra_set", text)
    assert "is no NAME=DIR" in capsys.readouterr().err


def test_a_folder_with_a_training_of_other_options_is_refused(tmp_path):
    training = recipes.plan(parse(tmp_path), "improved", "solo", 10)
    args = checkpoint_args(merge_options(training.options, {}))
    training.out.mkdir(parents=True)
    for other in ({}, {"device": "cuda"}):
        (training.out / "args.json").write_text(json.dumps({**args, **other}))
        recipes.require_same(training)
    (training.out / "args.json").write_text(json.dumps({**args, "beta": 30.0, "data_dir": "there"}))
    with pytest.raises(UserError, match=r"beta 30\.0, not 15\.0; data_dir there, not .*solo"):
        recipes.require_same(training)


def test_a_benchmark_that_is_stopped_says_how_to_resume(monkeypatch, capsys):
    monkeypatch.setattr(recipes, "machine_line", lambda: signal.raise_signal(signal.SIGINT))
    assert recipes.main([]) == 130 and capsys.readouterr().err == "recipes: stopped; the same command resumes\n"


def state(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in sorted(folder.iterdir())}


@pytest.mark.slow
def test_a_whole_run_is_trained_once_and_then_only_scored(tmp_path, capfd):
    given = [*SMALL, "--data", str(tmp_path / "data"), "--out", str(tmp_path / "out")]
    assert recipes.main(given) == 0
    output, folder = capfd.readouterr().out, tmp_path / "out" / "improved_image_size=64_solo_10"
    table = output[output.rindex("| set") :].splitlines()[:7]
    rows = [cells(line) for line in table[2:]]
    assert [row[1] for row in rows] == ["improved image_size=64", "whole frame", "centred disc", "random map", CEILING]
    assert all(re.fullmatch(r"\d\.\d\d", value) for value in rows[0][6:])
    log = (folder / "log.csv").read_text().splitlines()
    seconds = float(dict(zip(log[0].split(","), log[1].split(","), strict=True))["seconds"])
    assert float(rows[0][4]) == pytest.approx(seconds / 60, abs=0.051)
    assert {f"dmc{audio}.pkl" for audio in ("", "_shuffled", "_noise", "_silence")} <= state(folder).keys()
    before = state(folder)
    assert recipes.main(given) == 0
    assert state(folder) == before and capfd.readouterr().out.count("\n".join(table)) == 1
