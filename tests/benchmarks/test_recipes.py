"""The benchmark of recipes: its table, what it runs and what not, and a whole small run."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from benchmarks import recipes
from benchmarks.programs import run_program
from benchmarks.table import mean_and_std, table
from common.errors import UserError
from models.recipes import RECIPES
from training.options import check_options, checkpoint_args, merge_options

ROOT = Path(__file__).resolve().parents[2]
TINY = ["--recipes", "improved", "--sets", "solo", "--seeds", "1", "--epoch", "1", "--image_size", "64"]
TINY_SET = ["--videos", "10", "--seconds", "3"]


def made_up_run(set_name: str, recipe: str, seed: int, iou: float, **more: object) -> dict:
    figures = {"mean_iou": iou, "iou_at_0.5": iou / 2, "auc": 0.25, "pointing": 0.75}
    return {
        "set": set_name, "recipe": recipe, "seed": seed, "v_cluster": 3, "a_cluster": 1, "epochs": [16], "minutes": 4.0,
        "own": figures, "shuffled": {"pointing": 0.125}, "roc_auc": {"shuffled": 0.9, "noise": 1.0, "silence": 0.5},
        **more,
    }  # fmt: skip


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


def options(tmp_path: Path, *words: str):
    return recipes.parse(["--data", str(tmp_path / "data"), "--out", str(tmp_path / "out"), *words])


def test_mean_and_standard_deviation_by_hand():
    assert mean_and_std([2.0, 4.0, 9.0]) == (5.0, pytest.approx(13**0.5))  # (9 + 1 + 16) / 2 = 13
    assert mean_and_std([0.25]) == (0.25, None)


def test_the_table_has_a_row_for_each_recipe_and_baseline_of_each_set():
    runs = [made_up_run("solo", "original", seed, iou) for seed, iou in ((10, 0.2), (11, 0.4))]
    ciou = {"mean_iou": 0.9, "iou_at_0.5": 0.9, "auc": 0.9, "ciou": 0.3, "ciou_at_0.3": 0.6, "ciou_auc": 0.31}
    runs.append(
        made_up_run("duet", "improved", 10, 0.9, epochs=[16, 8], a_cluster=2, own={**ciou, "pointing": 0.7})
    )  # fmt: skip
    flat = {"mean_iou": 0.1, "iou_at_0.5": 0.0, "auc": 0.11, "pointing": 0.12}
    baselines = {"solo": {"whole frame": flat}, "duet": {"whole frame": {**flat, **ciou, "ciou": 0.08}}}
    head, rule, *rows, empty, note = table(runs, baselines)
    assert cells(head)[:5] == ["set", "recipe", "v/a clusters", "epochs", "minutes"]
    assert set(cells(rule)) == {"---"} and len({len(cells(line)) for line in (head, rule, *rows)}) == 1
    # 0.2 and 0.4: mean 0.3, deviation 0.1 * sqrt(2); one value has none
    assert cells(rows[0]) == (
        "solo|original|3/1|16|4.0 ± 0.0|0.30 ± 0.14|0.15 ± 0.07|0.25 ± 0.00|0.75 ± 0.00|0.12 ± 0.00|0.90 ± 0.00|"
        "1.00 ± 0.00|0.50 ± 0.00".split("|")
    )
    assert cells(rows[1]) == "solo|whole frame|-|-|-|0.10|0.00|0.11|0.12|-|-|-|-".split("|")
    assert cells(rows[2]) == "duet|improved|3/2|16 + 8|4.0|0.30|0.60|0.31|0.70|0.12|0.90|1.00|0.50".split("|")
    assert cells(rows[3]) == "duet|whole frame|-|-|-|0.08|0.60|0.31|0.12|-|-|-|-".split("|")
    assert len(rows) == 4 and empty == "" and "CIoU" in note


def test_the_machine_line_is_made_of_what_is_saved():
    content = {
        "runs": [made_up_run("solo", "improved", seed, 0.5) for seed in (10, 11, 12)],
        "machine": {"cpu": "A CPU", "cores": 2, "device": "cpu", "torch": "2.9.1"},
        "options": {"videos": 210, "seconds": 6},
        "date": "2026-11-05",
    }
    assert recipes.machine_line(content) == (
        "Mean ± standard deviation over seeds 10 to 12; 210 videos of 6 s a set; A CPU, 2 cores, PyTorch 2.9.1, "
        "2026-11-05."
    )


@pytest.mark.parametrize("recipe", recipes.CLUSTERS)
@pytest.mark.parametrize("set_name", recipes.SETS)
def test_every_setting_is_one_that_the_training_takes(recipe, set_name, tmp_path):
    assert recipe in RECIPES
    stages = recipes.plan(options(tmp_path), recipe, set_name, 10)
    assert [stage.options["epoch"] for stage in stages] == list(recipes.EPOCHS[recipe][set_name])
    for stage in stages:
        merged = merge_options(stage.options, {})
        assert check_options(merged) is None
        assert (merged.recipe, merged.image_size, merged.seed) == (recipe, RECIPES[recipe]["image_size"], 10)


def test_a_duet_network_starts_from_one_trained_on_solos_with_the_same_seed(tmp_path, monkeypatch):
    commands = []
    monkeypatch.setattr(recipes, "run_program", lambda *command: commands.append(command))
    solo, duet = recipes.plan(options(tmp_path, "--epoch", "5"), "improved", "duet", 11)
    for stage in (solo, duet):
        recipes.train(stage)
    (_, first, _), (_, second, log) = [(script, " ".join(map(str, words)), log) for script, words, log in commands]
    out = tmp_path / "out"
    assert f"--data_dir {tmp_path}/data/solo --v_cluster 3 --a_cluster 1 --epoch 5 --seed 11" in first
    assert f"--out {out}/improved_solo_11 " in first and "--use_pretrain" not in first
    assert f"--data_dir {tmp_path}/data/duet --v_cluster 4 --a_cluster 2 --epoch 5 --seed 11" in second
    assert f"--use_pretrain 1 --ckpt_file {out}/improved_solo_11/best.pth --resume 1" in second
    assert log == out / "improved_duet_11" / "benchmark.log"
    assert recipes.needed_sets(["duet"]) == ["solo", "duet"]


def test_a_precision_has_folders_and_a_row_of_its_own(tmp_path, monkeypatch):
    chosen = options(tmp_path, "--precision", "fp32")
    stages = recipes.plan(chosen, "improved", "duet", 10)
    assert [stage.out.name for stage in stages] == ["improved_fp32_solo_10", "improved_fp32_duet_10"]
    assert all(stage.options["precision"] == "fp32" for stage in stages)
    assert all("precision" not in stage.options for stage in recipes.plan(options(tmp_path), "improved", "duet", 10))
    monkeypatch.setattr(recipes, "annotations_of", lambda _: None)
    monkeypatch.setattr(recipes, "read_run", lambda _: SimpleNamespace(maps={}, a_cluster=1, distances={}))
    monkeypatch.setattr(recipes, "score_run", lambda *_: None)
    monkeypatch.setattr(recipes, "summary", lambda _: {"pointing": 0.5})
    monkeypatch.setattr(recipes, "roc_auc", lambda *_: (0.5, 1))
    assert recipes.run_figures(stages, "duet")["recipe"] == "improved fp32"
    assert recipes.run_figures(recipes.plan(options(tmp_path), "improved", "duet", 10), "duet")["recipe"] == "improved"


def test_a_training_from_before_an_option_is_another_one_unless_the_option_is_as_before(tmp_path):
    (training,) = recipes.plan(options(tmp_path), "improved", "solo", 10)
    args = checkpoint_args(merge_options(training.options, {}))
    training.out.mkdir(parents=True)
    for left_out, differs in (("test_joint_rounds", True), ("temperature", False)):
        older = {name: value for name, value in args.items() if name != left_out}
        (training.out / "args.json").write_text(json.dumps(older))
        if differs:
            with pytest.raises(UserError, match="--test_joint_rounds 0, not 4"):
                recipes.require_same(training)
        else:
            recipes.require_same(training)


def test_minutes_are_those_of_all_epochs_of_all_stages(tmp_path):
    stages = recipes.plan(options(tmp_path), "improved", "duet", 10)
    for stage, seconds in zip(stages, ([60, 30], [90]), strict=True):
        stage.out.mkdir(parents=True)
        lines = [f"{number},{value}" for number, value in enumerate(seconds, 1)]
        (stage.out / "log.csv").write_text("\n".join(["epoch,seconds", *lines]) + "\n")
    assert [stage.minutes() for stage in stages] == [1.5, 1.5]


def test_a_program_that_fails_is_named_with_its_command_its_log_and_its_last_words(tmp_path, capsys):
    script, log = tmp_path / "fails.py", tmp_path / "logs" / "a.log"
    script.write_text("import sys\nprint('at work')\nsys.exit('no such thing: mend it')\n")
    with pytest.raises(UserError) as error:
        run_program(script, ["--a", "b c"], log)
    for part in ("exit status 1", "no such thing: mend it", str(log), "--a 'b c'"):
        assert part in str(error.value)
    output = capsys.readouterr()
    assert output.out == "at work\n" and output.err == ""
    assert log.read_text().splitlines()[1:] == ["at work", "no such thing: mend it"]


def test_progress_bars_stay_out_of_screen_and_log(tmp_path, capfd):
    script = tmp_path / "bar.py"
    script.write_text("from tqdm import tqdm\nfor _ in tqdm(range(3), desc='bar'): pass\nprint('done')\n")
    run_program(script, [], tmp_path / "a.log")
    assert capfd.readouterr() == ("done\n", "")
    assert (tmp_path / "a.log").read_text().splitlines()[1:] == ["done"]


@pytest.mark.parametrize("reach", ["terminal", "kill"])
def test_an_interrupt_ends_the_program_that_runs_with_its_clearing_up(reach, tmp_path):
    script, outer = tmp_path / "sleeps.py", tmp_path / "outer.py"
    script.write_text(
        "import time\nfrom pathlib import Path\n"
        "try: print('ready', flush=True); time.sleep(60)\n"
        f"except KeyboardInterrupt: Path({str(tmp_path / 'cleared')!r}).touch()\n"
    )
    outer.write_text(
        f"import sys\nsys.path[0] = {str(ROOT)!r}\nfrom pathlib import Path\nfrom benchmarks import programs, recipes\n"
        "programs.GRACE = 1\n"
        f"def benchmark(options): programs.run_program({str(script)!r}, [], Path({str(tmp_path / 'a.log')!r}))\n"
        "recipes.benchmark = benchmark\nsys.exit(recipes.main(['--seeds', '1']))\n"
    )
    command = [sys.executable, str(outer)]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )  # fmt: skip
    assert process.stdout.readline() == "ready\n"
    if reach == "terminal":
        os.killpg(process.pid, signal.SIGINT)
    else:
        process.terminate()
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "python3 benchmarks/recipes.py --seeds 1" in errors and "Traceback" not in errors
    assert (tmp_path / "cleared").exists()


def state(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in sorted(folder.iterdir())}


def test_a_whole_run_is_trained_once_and_then_only_scored(tmp_path, capfd):
    places = ["--data", str(tmp_path / "data"), "--out", str(tmp_path / "out")]
    assert recipes.main([*TINY, *TINY_SET, *places]) == 0
    output, folder = capfd.readouterr().out, tmp_path / "out" / "improved_solo_10"
    assert "epoch 1/1" in output
    lines = output.splitlines()
    rows = [cells(line) for line in lines if line.startswith("| solo")]
    assert [row[1] for row in rows] == ["improved", "whole frame", "centred disc", "random map"]
    assert all(re.fullmatch(r"[01]\.\d\d", value) for value in rows[0][5:])
    content = json.loads((tmp_path / "out" / "recipes.json").read_text())
    (run,) = content["runs"]
    log = (folder / "log.csv").read_text().splitlines()
    seconds = float(dict(zip(log[0].split(","), log[1].split(","), strict=True))["seconds"])
    assert run["minutes"] == pytest.approx(seconds / 60)
    assert run["own"]["frames"] == content["baselines"]["solo"]["whole frame"]["frames"] == 2 * 3 * 4
    assert run["own"]["pointing"] == pytest.approx(float(rows[0][8]), abs=0.0051)
    assert run["roc_auc"].keys() == {"shuffled", "noise", "silence"}
    assert content["machine"]["torch"] and content["machine"]["cores"] >= 1 and content["date"][:2] == "20"
    assert {f"dmc{audio}.{kind}" for audio in ("", "_shuffled", "_noise", "_silence") for kind in ("pkl", "csv")} <= {
        path.name for path in folder.iterdir()
    }

    before, start = state(folder), time.time()
    assert recipes.main([*TINY, *TINY_SET, *places]) == 0
    again = capfd.readouterr().out
    assert state(folder) == before
    assert [line for line in again.splitlines() if line.startswith("|")] == [
        line for line in lines if line.startswith("|")
    ]
    assert (tmp_path / "out" / "recipes.json").stat().st_mtime >= start - 1

    assert recipes.main([*TINY, *TINY_SET, *places, "--epoch", "2"]) == 1
    assert "--epoch 1, not 2" in capfd.readouterr().err
    other = str(tmp_path / "other")
    assert recipes.main([*TINY, *TINY_SET, *places, "--data", other]) == 1
    assert f"--data_dir {tmp_path / 'data' / 'solo'}, not {other}/solo" in capfd.readouterr().err
    assert state(folder) == before and not Path(other).exists()
