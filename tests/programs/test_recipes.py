"""The program with the settings of recipes: it trains, resumes, evaluates, and finds what sounds."""

import csv
import json
import math
import shutil
from pathlib import Path
from urllib.error import URLError

import pytest
import torch
from torchvision.models import ResNet18_Weights, resnet18

import location_dmc
from data.dmc_pkl import read_dmc
from data.layout import audio_frames_dir, noise_file, silence_file
from metrics.annotations import read_annotations
from metrics.scores import CENTRED_DISC
from metrics.evaluate import score_baselines, score_run, summary
from metrics.runs import read_run
from models.pairs import Comparison
from models.recipes import RECIPES
from tests.fixtures.sample_set import add_negatives, make_located_set, make_set
from training.checkpoint import read_checkpoint
from training.schedule import learning_rate

SMALL = ["--image_size", "32", "--batch_size", "4", "--num_threads", "0", "--device", "cpu", "--save_every", "0"]
SMALL += ["--test_scale", "3"]  # room for three sizes


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("set")
    make_set(folder, train=4, val=2, test=2, seconds=2)
    add_negatives(folder)
    return folder


def run(data_dir: Path, out: Path, *options: str) -> int:
    """Run the program with the improved recipe and small settings; options given twice count as given last."""
    paths = ["--data_dir", str(data_dir), "--out", str(out), "--dmc_pkl", str(out / "dmc.pkl")]
    return location_dmc.main(["--recipe", "improved", *SMALL, *paths, *options])


@pytest.fixture(scope="module")
def improved(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished training with the improved recipe; to be left as it is."""
    out = tmp_path_factory.mktemp("run") / "dmc"
    assert run(data_dir, out, "--epoch", "2", "--v_cluster", "3", "--beta", "7.5") == 0
    return out


def log_rows(out: Path) -> list[dict[str, str]]:
    with (out / "log.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def evaluate(checkpoint: Path, folder: Path, *options: str) -> int:
    """Evaluate a checkpoint and say nothing of how it was trained."""
    machine = ["--num_threads", "0", "--device", "cpu", "--dmc_pkl", str(folder / "dmc.pkl")]
    return location_dmc.main(["--evaluate", "1", "--ckpt_file", str(checkpoint), *machine, *options])


def test_evaluating_an_improved_checkpoint_takes_no_option_twice(improved, tmp_path, capsys):
    assert evaluate(improved / "best.pth", tmp_path) == 0
    printed = capsys.readouterr().out
    assert "DMC, recipe improved, 3 visual and 1 sound clusters" in printed and "--beta 7.5" in printed
    for file in ("dmc.pkl", "dmc.csv"):
        assert (tmp_path / file).read_bytes() == (improved / file).read_bytes()


@pytest.mark.parametrize(
    ("option", "own", "other"),
    [
        ("--test_beta", "7.5", "3"),
        ("--test_rounds", "6", "1"),
        ("--test_joint_rounds", "4", "0"),
        ("--test_turn", "1", "0"),
        ("--test_sizes", "3", "1"),
    ],
)
def test_what_is_said_of_testing_changes_the_maps_and_no_weight(improved, tmp_path, option, own, other):
    expected = read_dmc(improved / "dmc.pkl")
    for value, differs in ((own, False), (other, True)):
        assert evaluate(improved / "best.pth", tmp_path, option, value) == 0
        found = read_dmc(tmp_path / "dmc.pkl")
        assert any(abs(found[key] - maps).max() > 1e-3 for key, maps in expected.items()) == differs


def test_a_checkpoint_keeps_the_recipe_and_all_that_it_said(improved):
    args = json.loads((improved / "args.json").read_text())
    assert args == read_checkpoint(improved / "best.pth").args
    given = {"recipe": "improved", "image_size": 32, "epoch": 2, "beta": 7.5, "test_scale": 3.0}
    expected = {**RECIPES["improved"], **given}
    assert {name: args[name] for name in expected} == expected


@pytest.mark.parametrize(("scale", "side"), [("1", 2), ("1.67", 4), ("2", 4), ("3", 6), ("0.8", 2)])
def test_maps_have_a_sixteenth_of_the_scaled_pictures(improved, tmp_path, scale, side):
    assert math.ceil(round(32 * float(scale)) / 16) == side
    sizes = ("--test_scale", scale, "--test_sizes", "1")
    assert evaluate(improved / "best.pth", tmp_path, *sizes, "--test_frames", "first") == 0
    assert {value.shape for value in read_dmc(tmp_path / "dmc.pkl").values()} == {(3, side, side)}


@pytest.mark.parametrize(
    "options",
    [
        ("--loss", "contrastive"),
        ("--negatives", "one"),
        ("--negatives", "one", "--loss", "contrastive", "--background_negatives", "1", "--noise_negatives", "1"),
        ("--matching", "one_to_one", "--v_cluster", "3", "--a_cluster", "2"),
        ("--precision", "bf16"),
        ("--cluster_start", "strided", "--normalize", "0", "--padding", "zeros"),
    ],
    ids=" ".join,
)
def test_settings_of_a_recipe_go_with_those_of_the_other(data_dir, tmp_path, options):
    assert run(data_dir, tmp_path / "run", "--epoch", "1", *options) == 0
    (row,) = log_rows(tmp_path / "run")
    assert 0 < float(row["loss"]) < math.inf and 0 <= float(row["val_accuracy"]) <= 1


# Whatever the recipe's values come to be: chance from noise, a rate that changes in each step.
RESUMABLE = [
    "--noise_negatives", "2", "--negatives", "batch", "--schedule", "cosine", "--warmup", "3", "--epoch", "3",
    "--precision", "fp32",
]  # fmt: skip


def test_with_noise_and_a_schedule_a_stopped_training_resumes_to_the_same_end(data_dir, tmp_path, monkeypatch):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert run(data_dir, whole, *RESUMABLE) == 0
    train_epoch = location_dmc.train_epoch

    def stop_in_third(*arguments: object) -> object:
        if arguments[5] == 3:
            raise KeyboardInterrupt
        return train_epoch(*arguments)

    monkeypatch.setattr(location_dmc, "train_epoch", stop_in_third)
    assert run(data_dir, parts, *RESUMABLE) == 130
    assert len(log_rows(parts)) == 2
    torch.manual_seed(99)  # what happens in between is of no account
    monkeypatch.setattr(location_dmc, "train_epoch", train_epoch)
    assert run(data_dir, parts, *RESUMABLE, "--resume", "1") == 0
    a, b = (read_checkpoint(out / "last.pth").model for out in (parts, whole))
    assert all(torch.equal(a[name], b[name]) for name in b)
    numbers = ("epoch", "loss", "train_accuracy", "val_loss", "val_accuracy", "learning_rate")
    assert [[row[n] for n in numbers] for row in log_rows(parts)] == [
        [row[n] for n in numbers] for row in log_rows(whole)
    ]
    # Two steps of four sounds an epoch; the last of each is logged.
    highest = RECIPES["improved"]["learning_rate"]
    expected = [learning_rate(highest, "cosine", 3, step, 6) for step in (1, 3, 5)]
    assert [float(row["learning_rate"]) for row in log_rows(whole)] == pytest.approx(expected)


@pytest.mark.parametrize("file", [noise_file, silence_file])
def test_missing_noise_is_told_before_the_training(data_dir, tmp_path, capsys, file):
    shutil.copytree(data_dir, tmp_path / "set")
    file(tmp_path / "set").unlink()
    assert run(tmp_path / "set", tmp_path / "run", "--noise_negatives", "2", "--epoch", "1") == 1
    output = capsys.readouterr()
    assert f"there is no {file(tmp_path / 'set')}: python3 data/cut_audio.py" in output.err
    assert "epoch 1/1" not in output.out and not (tmp_path / "run/last.pth").exists()
    assert run(tmp_path / "set", tmp_path / "run", "--noise_negatives", "0", "--epoch", "0") == 0


def test_an_evaluation_needs_no_noise(improved, data_dir, tmp_path):
    shutil.copytree(data_dir, tmp_path / "set")
    noise_file(tmp_path / "set").unlink()
    assert evaluate(improved / "best.pth", tmp_path, "--data_dir", str(tmp_path / "set")) == 0


def test_spectrograms_of_another_window_are_refused_with_the_remedy(data_dir, improved, tmp_path, capsys):
    shutil.copytree(data_dir, tmp_path / "set")
    (audio_frames_dir(tmp_path / "set") / "settings.json").write_text('{"n_fft": 1024}')
    checkpoint, folder = improved / "best.pth", ["--data_dir", str(tmp_path / "set")]
    for refused, trains in (
        (lambda: run(tmp_path / "set", tmp_path / "run", "--n_fft", "160", "--epoch", "0"), True),
        (lambda: evaluate(checkpoint, tmp_path, *folder, "--n_fft", "160"), False),
    ):
        assert refused() == 1
        error = capsys.readouterr().err
        assert "were cut with --n_fft 1024" in error and "wanted is --n_fft 160" in error
        assert ("train with --n_fft 1024, or cut" in error) == trains
        assert "python3 data/cut_audio.py" in error and error.rstrip().endswith("--n_fft 160 --overwrite 1")
    assert not (tmp_path / "run/last.pth").exists()
    assert run(tmp_path / "set", tmp_path / "run", "--n_fft", "1024", "--epoch", "0") == 0
    # The window of the training is that of the evaluation.
    (audio_frames_dir(tmp_path / "set") / "settings.json").write_text('{"n_fft": 160}')
    assert evaluate(tmp_path / "run/best.pth", tmp_path) == 1
    assert "wanted is --n_fft 1024" in capsys.readouterr().err


def test_spectrograms_of_which_no_window_is_recorded_are_taken_as_they_are(data_dir, tmp_path):
    assert not (audio_frames_dir(data_dir) / "settings.json").exists()
    assert run(data_dir, tmp_path / "run", "--n_fft", "1024", "--epoch", "0") == 0


def test_visual_weights_are_where_training_starts_and_a_resumed_one_does_not_start_again(data_dir, tmp_path, capsys):
    weights = resnet18(weights=None).state_dict()
    torch.save(weights, tmp_path / "resnet18.pth")
    given = ["--visual_weights", str(tmp_path / "resnet18.pth")]
    assert run(data_dir, tmp_path / "run", "--epoch", "0", *given) == 0
    assert "starts from the weights of" in capsys.readouterr().out
    model = read_checkpoint(tmp_path / "run/last.pth").model
    names = [name for name in weights if not name.startswith(("fc.", "layer4."))]  # it ends at layer3
    for name in ("layer3.1.conv1.weight", "layer3.1.conv2.weight"):  # whose last block is pointwise
        weights[name] = weights[name][:, :, 1:2, 1:2]
    assert all(torch.equal(model[f"visual_net.{name}"], weights[name]) for name in names)
    assert run(data_dir, tmp_path / "run", "--epoch", "1", "--resume", "1") == 0
    assert "starts from the weights of" not in capsys.readouterr().out
    moved = read_checkpoint(tmp_path / "run/last.pth").model
    assert not torch.equal(moved["visual_net.conv1.weight"], weights["conv1.weight"])


def test_weights_that_cannot_be_downloaded_are_a_sentence(data_dir, tmp_path, capsys, monkeypatch):
    def fail(*_: object, **__: object) -> None:
        raise URLError("no route to host")

    monkeypatch.setattr(ResNet18_Weights, "get_state_dict", fail)
    assert run(data_dir, tmp_path / "run", "--epoch", "1", "--visual_weights", "imagenet") == 1
    output = capsys.readouterr()
    assert "no route to host" in output.err and "--visual_weights FILE" in output.err
    assert not (tmp_path / "run/last.pth").exists()


def test_a_batch_that_has_nothing_to_compare_does_not_count_in_the_accuracy():
    right, inf = torch.tensor([1.0]), torch.tensor([[math.inf]])
    average = location_dmc.Average()
    average.add(torch.tensor(0.5), Comparison(right, torch.tensor([[2.0, 3.0]]), inf, inf))
    average.add(torch.tensor(0.5), Comparison(right, inf, inf, inf))  # a last batch of one video
    assert (average.loss, average.accuracy) == (0.5, 1.0)


def test_the_improved_recipe_points_at_what_sounds_far_more_often_than_the_centred_disc(tmp_path):
    # Bright squares of four kinds anywhere on dark noise; the kind is heard in the mel bands.
    make_located_set(tmp_path, train=16, val=4, test=8, kinds=4, seconds=4, size=64)
    out = tmp_path / "run"
    options = ["--image_size", "64", "--batch_size", "16", "--epoch", "12", "--precision", "fp32", "--v_cluster", "3"]
    assert run(tmp_path, out, *options) == 0
    found, boxes = read_run(out / "dmc.pkl"), read_annotations(tmp_path / "boxes.json")
    scores = summary(score_run(found.maps, 1, boxes))
    disc = summary(score_baselines(found.maps, boxes)[CENTRED_DISC])
    assert scores["frames"] == 8 * 4 * 4
    assert scores["pointing"] > 0.7 > 0.45 > disc["pointing"]
    assert scores["iou_at_0.3"] > 0.7 > 0.5 > disc["iou_at_0.3"]
    assert scores["mean_iou"] > disc["mean_iou"]
