"""The program in this process: its files, its lines, resuming to the bit, and errors with a remedy."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

import location_dmc
from common.errors import UserError
from data.dmc_pkl import path_for_audio, read_distances, read_dmc
from data.transforms import load_frame, resize
from models.dmc import DMC
from models.recipes import ORIGINAL
from tests.fixtures.sample_set import add_video
from tests.fixtures.training_run import log_rows, logged_numbers, run, same_weights, weights_of
from training.checkpoints.checkpoint import read_checkpoint, save_checkpoint
from training.start import read_start

pytestmark = pytest.mark.usefixtures("small")


@pytest.fixture(scope="module")
def trained(small: None, training_set: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished training of two epochs; read only."""
    out = tmp_path_factory.mktemp("run") / "dmc"
    assert run(training_set, out, "--epoch", "2", "--save_every", "1") == 0
    return out


@pytest.fixture
def copy(trained: Path, tmp_path: Path) -> Path:
    """A copy of the finished training, to be changed."""
    shutil.copytree(trained, tmp_path / "run")
    return tmp_path / "run"


def evaluate(training_set: Path, trained: Path, out: Path, *options: str) -> int:
    """Evaluate the trained network."""
    checkpoint = ["--evaluate", "1", "--use_pretrain", "1", "--ckpt_file", str(trained / "best.pth")]
    return run(training_set, out, *checkpoint, *options)


# --- training -----------------------------------------------------------------------------------------------------


def test_a_training_leaves_all_its_files(trained, training_set):
    assert {path.name for path in trained.iterdir()} == {
        "last.pth", "best.pth", "epoch_001.pth", "epoch_002.pth", "args.json", "log.csv", "dmc.pkl", "dmc.csv",
    }  # fmt: skip
    args = json.loads((trained / "args.json").read_text())
    assert args["image_size"] == 32 and args["data_dir"] == str(training_set)
    rows = log_rows(trained)
    assert [row["epoch"] for row in rows] == ["1", "2"]
    assert all(0 <= float(row["val_accuracy"]) <= 1 and float(row["samples_per_second"]) > 0 for row in rows)


def test_several_audio_clusters_come_after_half_of_the_epochs_and_only_then_counts_the_accuracy(training_set, tmp_path):
    options = ["--v_cluster", "3", "--a_cluster", "2", "--recipe", "improved", "--epoch", "3"]
    assert run(training_set, tmp_path, *options) == 0
    assert [row["a_cluster"] for row in log_rows(tmp_path)] == ["1", "2", "2"]
    assert read_checkpoint(tmp_path / "best.pth").state["epoch"] > 1
    assert csv.reader((tmp_path / "dmc.csv").open()).__next__() == ["key", "distance_0", "distance_1"]


def test_distances_of_the_validation_list_warn_of_another_kind_of_video(copy, training_set, tmp_path, capsys):
    best = read_checkpoint(copy / "best.pth").state
    assert set(best["distances"]) == {"own", "other"} and min(best["distances"].values()) > 0
    for other, warned in ((1e-6, True), (1e6, False)):
        save_checkpoint(copy / "best.pth", best | {"distances": {"own": 0.0, "other": other}})
        capsys.readouterr()
        assert evaluate(training_set, copy, tmp_path / "maps") == 0
        assert ("has not heard anything like this" in capsys.readouterr().out.splitlines()[-1]) is warned


def test_a_training_prints_one_line_an_epoch_and_the_next_commands_to_paste(training_set, tmp_path, capsys):
    out = tmp_path / "a run"
    assert run(training_set, out, "--epoch", "1", "--set", "margin=2", "--set", "loss=cross_entropy") == 0
    lines = capsys.readouterr().out.splitlines()
    assert "--set margin=2.0 has no effect: it goes with loss=contrastive or max_margin" in lines
    assert "DMC, recipe original, 2 visual and 1 audio clusters, float32 on cpu" in lines
    (epoch,) = [line for line in lines if line.startswith("epoch ")]
    assert all(word in epoch for word in ("epoch 1/1 ", "loss", "train", "val", " s ", "samples/s"))
    assert "Wrote the maps of 16 frames to" in lines[-3]
    assert lines[-2].startswith("Next: ")
    assert f"python3 metrics/score.py --data_dir {training_set} '{out}/dmc.pkl' scores them" in lines[-2]
    assert lines[-1].startswith("This training has not taken off: the best matching accuracy on the validation list is")


@pytest.mark.parametrize(
    ("options", "same"),
    [
        (["--seed", "10", "--num_threads", "2"], True),
        (["--seed", "11"], False),
        (["--enable_img_augmentation", "0"], False),
    ],
)
def test_weights_depend_on_seed_and_augmentation_but_not_on_the_number_of_workers(
    trained, training_set, tmp_path, options, same
):
    assert run(training_set, tmp_path / "run", "--epoch", "2", *options) == 0
    assert same_weights(weights_of(tmp_path / "run"), weights_of(trained)) == same


def test_a_resumed_training_ends_with_the_weights_of_an_uninterrupted_one(trained, training_set, tmp_path):
    out = tmp_path / "run"
    assert run(training_set, out, "--epoch", "0") == 0  # before the first epoch ends there is a checkpoint
    this_run = ["--resume", "1", "--out", str(out), "--dmc_pkl", str(out / "dmc.pkl"), "--num_threads", "0"]
    for epochs in ("1", "2"):  # all other options are those of the checkpoint
        assert location_dmc.main([*this_run, "--device", "cpu", "--epoch", epochs]) == 0
    assert same_weights(weights_of(out), weights_of(trained)) and logged_numbers(out) == logged_numbers(trained)
    states = [read_checkpoint(folder / "last.pth").state["optimizer"]["state"][0] for folder in (out, trained)]
    assert all(torch.equal(states[0][name], states[1][name]) for name in ("exp_avg", "exp_avg_sq", "step"))


def test_resume_without_a_checkpoint_says_what_the_training_starts_from(tmp_path, capsys):
    out, given = tmp_path / "run", tmp_path / "given.pth"
    read_start({"resume": 1, "out": str(out)})
    assert capsys.readouterr().out.endswith(f"no {out}/last.pth, so the training starts fresh\n")
    for more, start in (({"ckpt_file": str(given)}, given), ({}, out / "best.pth")):
        with pytest.raises(UserError, match=f"there is no checkpoint {start}"):
            read_start({"resume": 1, "out": str(out), "use_pretrain": 1, **more})
        assert capsys.readouterr().out.endswith(f"no {out}/last.pth, so the training starts from {start}\n")


def test_a_folder_that_holds_a_training_is_not_touched_without_overwrite(copy, training_set, capsys):
    before = {path.name: path.read_bytes() for path in copy.iterdir()}
    assert run(training_set, copy, "--epoch", "1") == 1
    message = capsys.readouterr().err
    assert str(copy) in message and "--resume 1" in message and "--overwrite 1" in message
    assert run(training_set, copy, "--overwrite", "1", "--train_list", "none.txt") == 1  # bad data costs no training
    assert {path.name: path.read_bytes() for path in copy.iterdir()} == before
    assert run(training_set, copy, "--epoch", "1", "--overwrite", "1") == 0
    assert len(log_rows(copy)) == 1 and not list(copy.glob("epoch_*.pth"))
    (copy / "last.pth").unlink()
    assert run(training_set, copy, "--resume", "1", "--epoch", "1") == 1
    assert "no last.pth to resume from, --overwrite 1" in capsys.readouterr().err


def test_a_training_starts_from_given_weights(trained, training_set, tmp_path):
    options = ["--use_pretrain", "1", "--ckpt_file", str(trained / "best.pth"), "--epoch", "0"]
    assert run(training_set, tmp_path / "run", *options) == 0
    assert same_weights(weights_of(tmp_path / "run"), weights_of(trained, "best.pth"))


def test_a_nan_loss_stops_the_training_and_keeps_the_last_good_checkpoint(copy, trained, training_set, capsys):
    assert run(training_set, copy, "--resume", "1", "--epoch", "4", "--learning_rate", "1e30") == 1
    error = capsys.readouterr().err
    assert "the loss became" in error and "--learning_rate" in error
    assert same_weights(weights_of(copy), weights_of(trained))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
def test_a_gpu_trains_and_evaluates(training_set, tmp_path):
    assert run(training_set, tmp_path / "run", "--epoch", "2", "--device", "cuda", "--num_threads", "2") == 0
    assert len(read_dmc(tmp_path / "run/dmc.pkl")) == 16


# --- evaluation ---------------------------------------------------------------------------------------------------


def test_dmc_pkl_has_a_map_for_every_test_frame_and_its_first_row_is_the_nearest(trained, training_set):
    maps = read_dmc(trained / "dmc.pkl")
    frames = (training_set / "video_frames").glob("test*/*/*.jpg")
    assert set(maps) == {str(path.relative_to(training_set / "video_frames").with_suffix("")) for path in frames}
    for value in maps.values():
        assert value.dtype == np.float32 and value.shape == (2, 2, 2)
        np.testing.assert_allclose(value.sum(0), 1, atol=1e-5)
    with (trained / "dmc.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["key"] for row in rows] == list(maps)
    # By hand, from the best checkpoint: the map of the center that is nearest to the audio's.
    model = DMC(ORIGINAL).eval()
    model.load_state_dict(weights_of(trained, "best.pth"))
    row = rows[-1]
    name, folder, _ = row["key"].split("/")
    frame = resize(load_frame(training_set / "video_frames" / f"{row['key']}.jpg"), 32)
    spectrogram = np.load(training_set / "audio_frames" / name / f"{folder.removeprefix('frame_')}.npy")
    with torch.no_grad():
        visual, audio = model.encode_frames(frame[None]), model.encode_audio(torch.tensor(spectrogram)[None, None])
        distances = (visual.centers[0] - audio.centers[0, 0]).norm(dim=1)
    np.testing.assert_allclose(maps[row["key"]], visual.assignment[0][distances.argsort()], atol=1e-4)
    assert float(row["distance_0"]) == pytest.approx(distances.min().item(), rel=1e-3)


def test_an_evaluation_writes_the_same_maps_with_the_options_of_the_checkpoint(trained, tmp_path, capsys):
    options = ["--evaluate", "1", "--out", str(trained), "--dmc_pkl", str(tmp_path / "dmc.pkl"), "--num_threads", "0"]
    assert location_dmc.main([*options, "--device", "cpu"]) == 0
    output = capsys.readouterr().out
    assert f"using {trained / 'best.pth'}" in output and "--set image_size=32" in output
    assert {path.name for path in tmp_path.iterdir()} == {"dmc.pkl", "dmc.csv"}
    for path in tmp_path.iterdir():
        assert path.read_bytes() == (trained / path.name).read_bytes()


def test_an_evaluation_can_have_other_clusters_sizes_frames_and_lists(trained, training_set, tmp_path):
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists/mine.txt").write_text("test1.flac test1.mp4\n")  # in the published form
    options = ["--v_cluster", "3", "--a_cluster", "2", "--set", "image_size=48", "--test_frames", "first"]
    lists = ["--data_list_dir", str(tmp_path / "lists"), "--test_list", "mine.txt"]
    assert evaluate(training_set, trained, tmp_path, *options, *lists) == 0
    maps = read_dmc(tmp_path / "dmc.pkl")
    assert list(maps) == ["test1/frame_000/00000", "test1/frame_001/00025"]
    assert next(iter(maps.values())).shape == (3, 3, 3)
    assert (tmp_path / "dmc.csv").read_text().startswith("key,distance_0,distance_1\n")


def test_a_second_with_fewer_frames_is_tested_too(trained, tmp_path):
    add_video(tmp_path, "few", frames=2)
    add_video(tmp_path, "many")
    (tmp_path / "test.txt").write_text("few\nmany\n")
    assert evaluate(tmp_path, trained, tmp_path) == 0
    assert len(read_dmc(tmp_path / "dmc.pkl")) == 3 * 2 + 3 * 4


def test_a_data_set_that_is_gone_is_told(trained, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    content = torch.load(trained / "best.pth", weights_only=True)
    content["args"]["data_dir"] = "/gone/set"
    torch.save(content, "moved.pth")
    assert location_dmc.main(["--evaluate", "1", "--ckpt_file", "moved.pth", "--device", "cpu"]) == 1
    output = capsys.readouterr()
    assert "trained on /gone/set, which is not here: using datasets/demo" in output.out
    assert "no list datasets/demo/test.txt: python3 data/split.py" in output.err


@pytest.mark.parametrize("audio", ["shuffled", "noise", "silence"])
def test_negative_audio_gives_other_distances_in_files_of_its_own(trained, training_set, tmp_path, capsys, audio):
    assert evaluate(training_set, trained, tmp_path, "--audio", audio) == 0
    maps, distances = tmp_path / f"dmc_{audio}.pkl", tmp_path / f"dmc_{audio}.csv"
    lines = capsys.readouterr().out.splitlines()
    assert f"the maps go to {maps}" in lines[-3] and f"to {maps} and their distances to {distances}" in lines[-2]
    assert set(tmp_path.iterdir()) == {maps, distances}
    assert read_dmc(maps).keys() == read_dmc(trained / "dmc.pkl").keys()
    assert distances.read_text() != (trained / "dmc.csv").read_text()


def test_swapped_audio_gives_each_frame_the_map_of_each_source_alone(trained, training_set, tmp_path):
    folder = Path(shutil.copytree(training_set, tmp_path / "set"))
    other = np.load(folder / "audio_frames/test1/001.npy")
    for path in [*folder.glob("audio_frames/test*/???.npy")]:
        shutil.copy(path, path.with_stem(f"{path.stem}_10"))
        np.save(path.with_stem(f"{path.stem}_9"), other)
    assert evaluate(folder, trained, tmp_path, "--audio", "swap") == 0
    assert evaluate(folder, trained, tmp_path) == 0
    own, swapped = (read_dmc(tmp_path / name) for name in ("dmc.pkl", "dmc_swap.pkl"))
    assert swapped.keys() == own.keys() and {maps.shape for maps in swapped.values()} == {(2, 2, 2)}
    for key, maps in swapped.items():
        np.testing.assert_allclose(maps[1], own[key][0], atol=1e-6)  # stem 10 is the own audio
    own, swapped = (read_distances(tmp_path / name) for name in ("dmc.csv", "dmc_swap.csv"))
    for key, (of_9, of_10) in swapped.items():
        assert of_10 == pytest.approx(own[key][0], rel=1e-4)
        assert (of_9 == of_10) == key.startswith("test1/frame_001/")  # whose own audio stem 9 is


def test_the_maps_of_negative_audio_lie_beside_those_of_the_own_audio():
    assert path_for_audio(Path("runs/x/dmc.pkl"), "shuffled") == Path("runs/x/dmc_shuffled.pkl")
    assert path_for_audio("dmc.pkl", "own") == Path("dmc.pkl")
    assert path_for_audio("runs.1/maps", "noise") == Path("runs.1/maps_noise")


# --- errors -------------------------------------------------------------------------------------------------------


def test_options_that_do_not_fit_together_end_with_status_2(capsys):
    with pytest.raises(SystemExit) as stopped:
        location_dmc.main(["--v_cluster", "1", "--a_cluster", "2", "--recipe", "improved"])
    assert stopped.value.code == 2
    assert "larger than --v_cluster" in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize("option", ["--out", "--dmc_pkl"])
def test_an_unwritable_result_is_told_before_the_training(training_set, tmp_path, capsys, option):
    (tmp_path / "file").touch()
    assert run(training_set, tmp_path / "run", option, str(tmp_path / "file/dmc"), "--epoch", "1") == 1
    output = capsys.readouterr()
    assert f"cannot read or write {tmp_path / 'file'}" in output.err and "epoch 1/1" not in output.out


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_a_missing_device_is_told_before_anything_is_written(training_set, tmp_path, capsys):
    assert run(training_set, tmp_path / "run", "--device", "cuda") == 1
    assert "--device auto" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
