"""The program with the settings of recipes: training, resuming, testing."""

import json
import math
import shutil
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch

import location_dmc
from data.dmc_pkl import read_dmc
from data.layout import audio_frames_dir, noise_file
from models.recipes import IMPROVED
from tests.fixtures import training_run
from tests.fixtures.training_run import log_rows, logged_numbers, same_weights, settings, weights_of
from training.checkpoints.checkpoint import read_checkpoint
from training.optim import scheduled_rate

pytestmark = pytest.mark.usefixtures("small")


def run(data_dir: Path, out: Path, *options: str) -> int:
    """Run the program with the improved recipe."""
    return training_run.run(data_dir, out, "--recipe", "improved", *options)


@pytest.fixture(scope="module")
def improved(small: None, training_set: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished training with the improved recipe; read only."""
    out = tmp_path_factory.mktemp("run") / "dmc"
    assert run(training_set, out, "--epoch", "2", "--v_cluster", "3", "--set", "beta=7.5") == 0
    return out


def evaluate(checkpoint: Path, folder: Path, *options: str) -> int:
    """Evaluate a checkpoint without any option of its training."""
    machine = ["--num_threads", "0", "--device", "cpu", "--dmc_pkl", str(folder / "dmc.pkl")]
    return location_dmc.main(["--evaluate", "1", "--ckpt_file", str(checkpoint), *machine, *options])


def test_a_checkpoint_keeps_its_recipe_and_all_settings(improved, tmp_path, capsys):
    args = json.loads((improved / "args.json").read_text())
    assert args == read_checkpoint(improved / "best.pth").args
    expected = replace(IMPROVED, image_size=32, epoch=2, beta=7.5)
    assert {key: args[key] for key in asdict(expected)} == asdict(expected) and args["recipe"] == "improved"
    assert evaluate(improved / "best.pth", tmp_path) == 0
    printed = capsys.readouterr().out
    assert "DMC, recipe improved, 3 visual and 1 audio clusters" in printed and "--set beta=7.5" in printed
    for file in ("dmc.pkl", "dmc.csv"):
        assert (tmp_path / file).read_bytes() == (improved / file).read_bytes()


def test_a_readout_can_be_chosen_in_an_evaluation(improved, tmp_path):
    assert evaluate(improved / "best.pth", tmp_path, "--set", "readout=clusters") == 0
    guided, clusters = read_dmc(improved / "dmc.pkl"), read_dmc(tmp_path / "dmc.pkl")
    assert guided.keys() == clusters.keys()
    assert {maps.shape for maps in guided.values()} == {(3, 3, 3)}  # test frames are larger
    assert {maps.shape for maps in clusters.values()} == {(3, 2, 2)}


@pytest.mark.parametrize(
    "options",
    [
        settings("loss=contrastive"),
        ["--v_cluster", "3", "--a_cluster", "2"],
        ["--precision", "bf16"],
        ["--recipe", "cvpr2019", "--v_cluster", "4", "--a_cluster", "2"],
        settings("cluster_start=strided", "normalize=0", "visual_net=mobilenet_v2"),
    ],
    ids=" ".join,
)
def test_settings_of_both_recipes_can_be_combined(training_set, tmp_path, options):
    assert run(training_set, tmp_path / "run", "--epoch", "1", *options) == 0
    (row,) = log_rows(tmp_path / "run")
    assert 0 < float(row["loss"]) < math.inf and 0 <= float(row["val_accuracy"]) <= 1


def test_with_noise_and_a_schedule_a_stopped_training_resumes_to_the_same_end(training_set, tmp_path, monkeypatch):
    options = ["--epoch", "3"]
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert run(training_set, whole, *options) == 0
    train_epoch = location_dmc.train_epoch

    def stop_in_third(*arguments: object) -> object:
        if arguments[2] == 3:
            raise KeyboardInterrupt
        return train_epoch(*arguments)

    with monkeypatch.context() as patched:
        patched.setattr(location_dmc, "train_epoch", stop_in_third)
        assert run(training_set, parts, *options) == 130
    assert len(log_rows(parts)) == 2
    torch.manual_seed(99)  # random numbers that are drawn in between do not matter
    assert run(training_set, parts, *options, "--resume", "1") == 0
    assert same_weights(weights_of(parts), weights_of(whole))
    assert logged_numbers(parts) == logged_numbers(whole)
    # Two steps an epoch; the rate of the second one is logged.
    expected = [scheduled_rate(IMPROVED.learning_rate, "cosine", step, 6) for step in (1, 3, 5)]
    assert [float(row["learning_rate"]) for row in log_rows(whole)] == pytest.approx(expected)


def test_missing_noise_stops_a_training_before_it_begins_and_no_evaluation(improved, training_set, tmp_path, capsys):
    data_dir = Path(shutil.copytree(training_set, tmp_path / "set"))
    noise_file(data_dir).unlink()
    assert run(data_dir, tmp_path / "run", "--set", "noise_negatives=2", "--epoch", "1") == 1
    assert f"there is no {noise_file(data_dir)}: python3 data/cut_audio.py" in capsys.readouterr().err
    assert not (tmp_path / "run/last.pth").exists()
    assert evaluate(improved / "best.pth", tmp_path, "--data_dir", str(data_dir)) == 0


def test_a_checkpoint_keeps_the_window_of_its_spectrograms(training_set, tmp_path, capsys):
    data_dir = Path(shutil.copytree(training_set, tmp_path / "set"))
    recorded = audio_frames_dir(data_dir) / "settings.json"
    recorded.write_text('{"n_fft": 1024}')
    assert run(data_dir, tmp_path / "run", "--epoch", "0") == 0
    recorded.write_text('{"n_fft": 160}')
    assert evaluate(tmp_path / "run/best.pth", tmp_path) == 1
    assert "trained with --n_fft 1024" in capsys.readouterr().err


def test_visual_weights_are_the_start_of_a_training_and_not_of_a_resumed_one(
    training_set, tmp_path, capsys, monkeypatch
):
    loaded = []
    monkeypatch.setattr(location_dmc, "load_visual_weights", lambda model, source: loaded.append(source) or "loaded")
    assert run(training_set, tmp_path / "run", "--epoch", "0", "--set", "visual_weights=resnet18.pth") == 0
    assert run(training_set, tmp_path / "run", "--epoch", "0", "--resume", "1") == 0
    assert "loaded" in capsys.readouterr().out and loaded == ["resnet18.pth"]
