"""The program: it learns, resumes to the bit, keeps what was good, and says what was wrong."""

import csv
import errno
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import location_dmc
from data.dmc_pkl import path_for_audio, read_dmc
from data.transforms import load_frame, resize
from models.dmc import DMC, build_dmc
from tests.fixtures.parallel_steps import shrink
from tests.fixtures.permissions import obey_permissions
from tests.fixtures.sample_set import add_labels, add_negatives, add_video, make_set
from training.checkpoint import read_checkpoint
from training.options import merge_options
from training.run_folder import RunFolder

ROOT = Path(__file__).resolve().parents[2]
SMALL = ["--image_size", "32", "--batch_size", "4", "--num_threads", "0", "--device", "cpu", "--save_every", "0"]
SMALL += ["--precision", "fp32"]  # whatever the hardware has


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("set")
    make_set(folder, train=4, val=2, test=2, seconds=2)
    return folder


def run(data_dir: Path, out: Path, *options: str) -> int:
    """Run the program with small settings; options given twice count as given last."""
    paths = ["--data_dir", str(data_dir), "--out", str(out), "--dmc_pkl", str(out / "dmc.pkl")]
    return location_dmc.main([*SMALL, *paths, *options])


@pytest.fixture(scope="module")
def trained(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished training of two epochs; to be left as it is."""
    out = tmp_path_factory.mktemp("run") / "dmc"
    assert run(data_dir, out, "--epoch", "2", "--save_every", "1") == 0
    return out


def log_rows(out: Path) -> list[dict[str, str]]:
    with (out / "log.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def weights(out: Path, name: str = "last.pth") -> dict[str, torch.Tensor]:
    return read_checkpoint(out / name).model


def equal(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def test_matching_accuracy_on_new_videos_rises_clearly_above_chance(tmp_path):
    make_set(tmp_path, train=8, val=2, test=2, seconds=4, kinds=2)
    assert run(tmp_path, tmp_path / "run", "--epoch", "10", "--learning_rate", "3e-4", "--batch_size", "8") == 0
    rows = log_rows(tmp_path / "run")
    accuracy = [float(row["val_accuracy"]) for row in rows]
    assert max(accuracy) >= 0.9  # 0.5 is chance
    assert sum(accuracy[-3:]) / 3 >= 0.75
    # In training 3 of 7 negatives show the same kind of object, so that 11 / 14 is the most that can be had.
    assert sum(float(row["train_accuracy"]) for row in rows[-3:]) / 3 > 0.6


def test_a_training_leaves_all_its_files(trained, data_dir):
    names = {path.name for path in trained.iterdir()}
    assert names == {
        "last.pth", "best.pth", "epoch_001.pth", "epoch_002.pth", "args.json", "log.csv", "dmc.pkl", "dmc.csv",
    }  # fmt: skip
    args = json.loads((trained / "args.json").read_text())
    assert args["image_size"] == 32 and args["data_dir"] == str(data_dir)
    rows = log_rows(trained)
    assert [row["epoch"] for row in rows] == ["1", "2"]
    assert all(0 <= float(row["val_accuracy"]) <= 1 and float(row["samples_per_second"]) > 0 for row in rows)


def test_one_line_an_epoch_and_a_last_word(data_dir, tmp_path, capsys):
    assert run(data_dir, tmp_path / "run", "--epoch", "2") == 0
    lines = capsys.readouterr().out.splitlines()
    assert "DMC, recipe original, 2 visual and 1 sound clusters, float32 on cpu" in lines
    epochs = [line for line in lines if line.startswith("epoch ")]
    assert len(epochs) == 2
    for word in ("loss", "train", "val", " s ", "samples/s"):
        assert word in epochs[0]
    assert "Wrote the maps of 16 frames to" in lines[-2] and lines[-1].startswith("Next: ")


def test_dmc_pkl_has_a_map_for_every_test_frame_and_its_first_row_is_the_nearest(trained, data_dir):
    maps = read_dmc(trained / "dmc.pkl")
    frames = (data_dir / "video_frames").rglob("*.jpg")
    expected = {str(path.relative_to(data_dir / "video_frames").with_suffix("")) for path in frames}
    assert set(maps) == {key for key in expected if key.startswith("test")}
    for value in maps.values():
        assert value.dtype == np.float32 and value.shape == (2, 2, 2)
        np.testing.assert_allclose(value.sum(0), 1, atol=1e-5)
    with (trained / "dmc.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["key"] for row in rows] == list(maps)
    # By hand, from the best checkpoint: the map of the centre that is nearest to the sound's.
    model = DMC().eval()
    model.load_state_dict(weights(trained, "best.pth"))
    row = rows[-1]
    name, folder, _ = row["key"].split("/")
    frame = resize(load_frame(data_dir / "video_frames" / f"{row['key']}.jpg"), 32)
    sound = np.load(data_dir / "audio_frames" / name / f"{folder.removeprefix('frame_')}.npy")
    with torch.no_grad():
        visual, audio = model.see(frame[None]), model.listen(torch.tensor(sound)[None, None])
        distances = (visual.centers[0] - audio.centers[0, 0]).norm(dim=1)
    order = distances.argsort()
    np.testing.assert_allclose(maps[row["key"]], visual.assignment[0][order], atol=1e-4)
    assert float(row["distance_0"]) == pytest.approx(distances.min().item(), rel=1e-3)


def test_evaluating_again_gives_the_same_file_without_training(trained, data_dir, tmp_path, capsys):
    best = str(trained / "best.pth")
    options = ["--evaluate", "1", "--use_pretrain", "1", "--ckpt_file", best]
    assert run(data_dir, tmp_path, *options) == 0
    again, before = read_dmc(tmp_path / "dmc.pkl"), read_dmc(trained / "dmc.pkl")
    assert again.keys() == before.keys()
    for key in before:
        np.testing.assert_allclose(again[key], before[key], atol=1e-5)
    assert {path.name for path in tmp_path.iterdir()} == {"dmc.pkl", "dmc.csv"}
    assert run(data_dir, tmp_path, *options, "--test_frames", "first") == 0
    assert set(read_dmc(tmp_path / "dmc.pkl")) == {f"test{v}/frame_00{s}/{25 * s:05d}" for v in (0, 1) for s in (0, 1)}


def test_evaluate_alone_uses_best_pth_and_says_so(trained, data_dir, tmp_path, capsys):
    assert run(data_dir, trained, "--evaluate", "1", "--dmc_pkl", str(tmp_path / "dmc.pkl")) == 0
    assert f"using {trained / 'best.pth'}" in capsys.readouterr().out


def test_what_is_not_given_is_the_checkpoints(trained, tmp_path, capsys):
    options = ["--evaluate", "1", "--use_pretrain", "1", "--ckpt_file", str(trained / "best.pth")]
    assert location_dmc.main([*options, "--dmc_pkl", str(tmp_path / "dmc.pkl"), "--num_threads", "0"]) == 0
    assert "--image_size 32" in capsys.readouterr().out
    maps = read_dmc(tmp_path / "dmc.pkl")
    assert len(maps) == 16 and next(iter(maps.values())).shape == (2, 2, 2)


def test_other_numbers_of_clusters_on_the_same_weights(trained, data_dir, tmp_path):
    options = ["--evaluate", "1", "--use_pretrain", "1", "--ckpt_file", str(trained / "best.pth")]
    assert run(data_dir, tmp_path, *options, "--v_cluster", "3", "--a_cluster", "2", "--image_size", "48") == 0
    assert next(iter(read_dmc(tmp_path / "dmc.pkl").values())).shape == (3, 3, 3)
    assert (tmp_path / "dmc.csv").read_text().startswith("key,distance_0,distance_1\n")


def test_resumed_training_ends_with_the_very_weights_of_an_uninterrupted_one(trained, data_dir, tmp_path):
    out = tmp_path / "run"
    assert run(data_dir, out, "--epoch", "1") == 0
    assert run(data_dir, out, "--resume", "1", "--epoch", "2") == 0
    assert equal(weights(out), weights(trained))
    numbers = ("epoch", "loss", "train_accuracy", "val_loss", "val_accuracy")
    assert [[row[name] for name in numbers] for row in log_rows(out)] == [
        [row[name] for name in numbers] for row in log_rows(trained)
    ]
    state, reference = (torch.load(folder / "last.pth", weights_only=True) for folder in (out, trained))
    for name in ("exp_avg", "exp_avg_sq", "step"):
        a, b = (s["optimizer"]["state"][0][name] for s in (state, reference))
        assert torch.equal(a, b)


def test_in_float16_a_resumed_training_goes_on_with_the_scale_that_it_had(data_dir, tmp_path, monkeypatch, capsys):
    # A CPU takes half a minute for a step of ResNet-18 in float16.
    monkeypatch.setattr(location_dmc, "build_dmc", lambda *arguments: shrink(build_dmc(*arguments)))
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert run(data_dir, whole, "--precision", "fp16", "--epoch", "4", "--save_every", "2") == 0
    assert "hundreds of times slower on a CPU" in capsys.readouterr().out
    assert run(data_dir, parts, "--precision", "fp16", "--epoch", "2") == 0
    halfway = torch.load(parts / "last.pth", weights_only=True)["optimizer"]
    start = torch.amp.GradScaler("cpu").get_scale()
    assert halfway["scaler"]["scale"] < start and halfway["state"][0]["step"] > 0  # steps were left out, others taken
    assert run(data_dir, parts, "--precision", "fp16", "--epoch", "4", "--resume", "1") == 0
    state, reference = (torch.load(out / "last.pth", weights_only=True)["optimizer"] for out in (parts, whole))
    assert state["scaler"] == reference["scaler"] and state["scaler"]["scale"] == halfway["scaler"]["scale"]
    assert state["state"][0]["step"] == reference["state"][0]["step"]
    assert equal(weights(parts), weights(whole)) and not equal(weights(whole), weights(whole, "epoch_002.pth"))
    assert [row["loss"] for row in log_rows(parts)] == [row["loss"] for row in log_rows(whole)]


def test_another_seed_gives_other_weights(trained, data_dir, tmp_path):
    assert run(data_dir, tmp_path / "run", "--epoch", "2", "--seed", "11") == 0
    assert not equal(weights(tmp_path / "run"), weights(trained))


def test_the_number_of_data_workers_does_not_change_the_weights(trained, data_dir, tmp_path):
    assert run(data_dir, tmp_path / "run", "--epoch", "2", "--num_threads", "2") == 0
    assert equal(weights(tmp_path / "run"), weights(trained))


def start_training(data_dir: Path, out: Path, *options: str) -> subprocess.Popen:
    paths = ["--data_dir", str(data_dir), "--out", str(out), "--dmc_pkl", str(out / "dmc.pkl")]
    command = [sys.executable, str(ROOT / "location_dmc.py"), *SMALL, *paths, *options]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)


@pytest.mark.parametrize(
    ("sign", "status", "workers"),
    [(signal.SIGINT, 130, "1"), (signal.SIGTERM, 130, "0"), (signal.SIGTERM, 130, "2"), (signal.SIGKILL, -9, "0")],
    ids=["Ctrl-C", "kill", "kill of all its processes", "kill -9"],
)
def test_a_stopped_training_resumes_to_the_same_end(trained, data_dir, tmp_path, sign, status, workers):
    out = tmp_path / "run"
    process = start_training(data_dir, out, "--epoch", "500", "--num_threads", workers)
    while not (out / "log.csv").exists():
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.01)
    os.killpg(process.pid, sign)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == status
    if sign != signal.SIGKILL:
        assert "--resume 1 goes on" in errors and "Traceback" not in errors
    done = torch.load(out / "last.pth", weights_only=True)["epoch"]
    assert 0 < done < 500
    end = max(2, done + 1)
    assert run(data_dir, out, "--resume", "1", "--epoch", str(end)) == 0
    assert not list(out.glob(".*"))  # what a kill in the middle of saving left
    reference = tmp_path / "reference"
    shutil.copytree(trained, reference)
    assert run(data_dir, reference, "--resume", "1", "--epoch", str(end)) == 0
    assert equal(weights(out), weights(reference))
    assert [row["loss"] for row in log_rows(out)] == [row["loss"] for row in log_rows(reference)]


def test_before_the_first_epoch_ends_there_is_a_checkpoint_to_resume_from(data_dir, tmp_path):
    assert run(data_dir, tmp_path / "run", "--epoch", "0") == 0
    assert torch.load(tmp_path / "run/last.pth", weights_only=True)["epoch"] == 0
    assert run(data_dir, tmp_path / "run", "--resume", "1", "--epoch", "1") == 0


def test_resume_without_a_checkpoint_starts_fresh_and_says_so(data_dir, tmp_path, capsys):
    assert run(data_dir, tmp_path / "run", "--epoch", "1", "--resume", "1") == 0
    assert "the training starts fresh" in capsys.readouterr().out


def test_resume_without_a_checkpoint_says_what_the_training_starts_from(tmp_path, capsys):
    out, given = str(tmp_path / "run"), str(tmp_path / "given.pth")
    options = {"resume": 1, "out": out, "use_pretrain": 1}
    for more, start in (({"ckpt_file": given}, given), ({}, f"{out}/best.pth")):
        assert location_dmc.checkpoint_to_load(options | more) == Path(start)
        assert capsys.readouterr().out.endswith(f"no {out}/last.pth, so the training starts from {start}\n")


def test_options_without_effect_are_told_and_the_last_words_can_be_pasted(data_dir, tmp_path, capsys):
    out = tmp_path / "a run"
    assert run(data_dir, out, "--epoch", "0", "--temperature", "0.3") == 0
    lines = capsys.readouterr().out.splitlines()
    assert "--temperature 0.3 has no effect: it goes with --loss cross_entropy" in lines
    assert f"python3 metrics/score.py --data_dir {data_dir} '{out}/dmc.pkl' scores them" in lines[-1]


def test_a_folder_that_holds_a_training_is_not_touched_without_overwrite(trained, data_dir, tmp_path, capsys):
    out = tmp_path / "run"
    shutil.copytree(trained, out)
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    assert run(data_dir, out, "--epoch", "1") == 1
    message = capsys.readouterr().err
    assert str(out) in message and "--resume 1" in message and "--overwrite 1" in message
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    assert run(data_dir, out, "--epoch", "1", "--overwrite", "1") == 0
    assert len(log_rows(out)) == 1 and not list(out.glob("epoch_*.pth"))


def test_compile_compiles_both_networks_and_trains_with_what_it_gives(data_dir, tmp_path, monkeypatch):
    compiled, called = [], []

    def compile_network(network: nn.Module) -> Callable[[torch.Tensor], torch.Tensor]:
        compiled.append(network)
        return lambda x: called.append(len(compiled)) or network(x)

    monkeypatch.setattr(torch, "compile", compile_network)
    assert run(data_dir, tmp_path, "--epoch", "1", "--compile", "0") == 0
    assert not compiled
    assert run(data_dir, tmp_path, "--epoch", "1", "--compile", "1", "--overwrite", "1") == 0
    assert [network.conv1.in_channels for network in compiled] == [3, 1]
    assert len(called) == 2 * 2  # of both networks for each of two training batches, none for tests


@pytest.mark.skipif(sys.platform == "win32", reason="PyTorch looks for another compiler there")
def test_compile_without_a_compiler_is_a_sentence(data_dir, tmp_path):
    where = ["--data_dir", data_dir, "--out", tmp_path / "run", "--dmc_pkl", tmp_path / "dmc.pkl"]
    command = [sys.executable, "location_dmc.py", *SMALL, *where, "--compile", "1", "--epoch", "1"]
    without = {**os.environ, "CXX": "no_such_compiler", "PATH": str(tmp_path)}
    without["TORCHINDUCTOR_CACHE_DIR"] = str(tmp_path / "cache")  # nothing that was compiled before
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, cwd=ROOT, env=without)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "compiler" in done.stderr.splitlines()[-1] and "--compile 0" in done.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ("error", "status", "remedy"),
    [
        (torch.OutOfMemoryError("CUDA out of memory"), 1, "--accumulate 2"),
        (RuntimeError("DataLoader worker (pid 7) is killed by signal: Killed. "), 1, "--num_threads"),
        (RuntimeError("DataLoader worker (pid 7) is killed by signal: Terminated. "), 130, "stopped; --resume 1"),
        (RuntimeError("a bug"), None, None),
    ],
)
def test_what_pytorch_says_becomes_a_remedy_where_there_is_one(
    data_dir, tmp_path, monkeypatch, capsys, error, status, remedy
):
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(location_dmc, "train_step", fail)
    if remedy is None:
        with pytest.raises(RuntimeError, match="a bug"):
            run(data_dir, tmp_path, "--epoch", "1")
    else:
        assert run(data_dir, tmp_path, "--epoch", "1") == status
        assert remedy in capsys.readouterr().err


def test_bad_data_does_not_cost_the_training_that_was_to_be_overwritten(trained, data_dir, tmp_path, capsys):
    out = tmp_path / "run"
    shutil.copytree(trained, out)
    assert run(data_dir, out, "--overwrite", "1", "--train_list", "none.txt") == 1
    assert equal(weights(out), weights(trained))


def test_pretrained_weights_are_where_training_starts(trained, data_dir, tmp_path):
    options = ["--use_pretrain", "1", "--ckpt_file", str(trained / "best.pth"), "--epoch", "0"]
    assert run(data_dir, tmp_path / "run", *options) == 0
    assert equal(weights(tmp_path / "run"), weights(trained, "best.pth"))


def test_nan_loss_stops_with_a_message_and_keeps_the_last_good_checkpoint(trained, data_dir, tmp_path, capsys):
    out = tmp_path / "run"
    shutil.copytree(trained, out)
    assert run(data_dir, out, "--resume", "1", "--epoch", "4", "--learning_rate", "1e30") == 1
    error = capsys.readouterr().err
    assert "the loss became" in error and "--learning_rate" in error
    assert equal(weights(out), weights(trained))


def test_best_is_the_epoch_of_the_highest_validation_accuracy_and_of_equals_the_lowest_loss(tmp_path):
    folder = RunFolder(tmp_path)
    model = torch.nn.Linear(1, 1)
    optimizer = torch.optim.Adam(model.parameters())
    folder.start(model, optimizer, {})
    best = []
    for epoch, (accuracy, loss) in enumerate([(0.5, 1.0), (0.7, 3.0), (0.6, 0.1), (0.7, 2.0), (0.7, 2.5)], 1):
        row = {"epoch": epoch, "val_accuracy": accuracy, "val_loss": loss}
        folder.save_epoch(model, optimizer, {}, row, save_every=0)
        best.append(torch.load(tmp_path / "best.pth", weights_only=True)["epoch"])
    assert best == [1, 2, 2, 4, 4]
    assert torch.load(tmp_path / "last.pth", weights_only=True)["epoch"] == 5


@pytest.mark.parametrize("lost", ["log.csv", "best.pth", "args.json"])
def test_what_a_kill_kept_from_being_written_is_written_on_resume(trained, data_dir, tmp_path, lost):
    out = tmp_path / "run"
    shutil.copytree(trained, out)
    (out / lost).unlink()
    (out / f".last.pth.{socket.gethostname()}-{2**22 + 1}.partial").touch()  # of a process that is no more
    assert run(data_dir, out, "--resume", "1", "--epoch", "2") == 0
    assert (out / lost).exists() and not list(out.glob(".*"))
    assert log_rows(out) == log_rows(trained)


def test_there_is_a_last_pth_at_every_moment_of_an_overwritten_start(trained, data_dir, tmp_path, monkeypatch):
    out = tmp_path / "run"
    shutil.copytree(trained, out)
    unlink = Path.unlink

    def watched(path: Path, missing_ok: bool = False) -> None:
        unlink(path, missing_ok)
        assert read_checkpoint(out / "last.pth")

    monkeypatch.setattr(Path, "unlink", watched)
    assert run(data_dir, out, "--overwrite", "1", "--epoch", "0") == 0
    assert torch.load(out / "last.pth", weights_only=True)["epoch"] == 0


def test_a_training_without_last_pth_is_not_taken_for_one_to_resume(trained, data_dir, tmp_path, capsys):
    out = tmp_path / "run"
    shutil.copytree(trained, out)
    (out / "last.pth").unlink()
    assert run(data_dir, out, "--resume", "1", "--epoch", "1") == 1
    assert "no last.pth to go on from, --overwrite 1" in capsys.readouterr().err


def test_resume_keeps_the_lists_and_options_that_the_training_had(data_dir, tmp_path):
    (data_dir / "mine.txt").write_text("train0\ntrain1\n")
    out = tmp_path / "run"
    assert run(data_dir, out, "--epoch", "1", "--train_list", "mine.txt", "--val_list", "test.txt") == 0
    paths = ["--data_dir", str(data_dir), "--out", str(out), "--dmc_pkl", str(out / "dmc.pkl")]
    assert location_dmc.main([*paths, "--resume", "1", "--epoch", "2", "--num_threads", "0"]) == 0
    args = json.loads((out / "args.json").read_text())
    assert (args["train_list"], args["val_list"], args["batch_size"]) == ("mine.txt", "test.txt", 4)


def test_the_lists_of_a_checkpoint_are_not_those_of_another_data_set():
    given, stored = {"data_dir": "/elsewhere"}, {"data_dir": ".", "train_list": "mine.txt", "v_cluster": 5}
    options = merge_options(given, stored)
    assert (options.data_dir, options.train_list, options.v_cluster) == ("/elsewhere", "train.txt", 5)
    options = merge_options({"v_cluster": 4}, {**stored, "epoch": "many", "unknown": 1, "out": "/stored"})
    assert (options.data_dir, options.train_list, options.v_cluster) == (".", "mine.txt", 4)
    assert (options.epoch, options.out) == (100, "runs/dmc") and not hasattr(options, "unknown")


def test_a_data_set_that_is_gone_is_said(trained, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    content = torch.load(trained / "best.pth", weights_only=True)
    content["args"]["data_dir"] = "/gone/set"
    torch.save(content, "moved.pth")
    assert location_dmc.main(["--evaluate", "1", "--ckpt_file", "moved.pth"]) == 1
    output = capsys.readouterr()
    assert "trained on /gone/set, which is not here: using datasets/demo" in output.out
    assert "no list datasets/demo/test.txt: python3 data/split.py" in output.err


def test_a_full_disk_is_a_sentence_and_keeps_the_last_good_checkpoint(trained, data_dir, tmp_path, capsys, monkeypatch):
    out = tmp_path / "run"
    shutil.copytree(trained, out)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(torch, "save", full)
    assert run(data_dir, out, "--resume", "1", "--epoch", "3") == 1
    assert "No space left on device" in capsys.readouterr().err
    assert equal(weights(out), weights(trained)) and not list(out.glob(".*"))


@pytest.mark.parametrize("option", ["--out", "--dmc_pkl"])
def test_an_unwritable_result_is_told_before_the_training(data_dir, tmp_path, option):
    (tmp_path / "fixed").mkdir(mode=0o555)
    paths = {"--out": tmp_path / "run", "--dmc_pkl": tmp_path / "dmc.pkl", option: tmp_path / "fixed/dmc.pkl"}
    arguments = [str(part) for pair in paths.items() for part in pair]
    done = subprocess.run(
        [sys.executable, ROOT / "location_dmc.py", *SMALL, "--data_dir", data_dir, "--epoch", "1", *arguments],
        capture_output=True,
        text=True,
        preexec_fn=obey_permissions,
    )
    assert done.returncode == 1
    assert "Permission denied" in done.stderr and "fixed" in done.stderr and "Traceback" not in done.stderr
    assert "epoch 1/1" not in done.stdout


def test_snapshots_every_so_many_epochs(data_dir, tmp_path):
    assert run(data_dir, tmp_path / "run", "--epoch", "4", "--save_every", "2") == 0
    assert sorted(path.name for path in (tmp_path / "run").glob("epoch_*")) == ["epoch_002.pth", "epoch_004.pth"]


def test_lists_in_another_folder_in_the_published_form(trained, data_dir, tmp_path):
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists/mine.txt").write_text("test1.flac test1.mp4\n")
    options = ["--evaluate", "1", "--use_pretrain", "1", "--ckpt_file", str(trained / "best.pth")]
    lists = ["--data_list_dir", str(tmp_path / "lists"), "--test_list", "mine.txt"]
    assert run(data_dir, tmp_path, *options, *lists) == 0
    assert {key.split("/")[0] for key in read_dmc(tmp_path / "dmc.pkl")} == {"test1"}


def test_image_augmentation_can_be_switched_off(trained, data_dir, tmp_path):
    assert run(data_dir, tmp_path / "run", "--epoch", "1", "--enable_img_augmentation", "0") == 0
    rows = log_rows(tmp_path / "run"), log_rows(trained)
    assert rows[0][0]["loss"] != rows[1][0]["loss"]


def no_lists(folder: Path) -> None:
    for path in folder.glob("*.txt"):
        path.unlink()


def empty_list(folder: Path) -> None:
    (folder / "val.txt").write_text("\n")


def no_spectrograms(folder: Path) -> None:
    shutil.rmtree(folder / "audio_frames")


def no_frames(folder: Path) -> None:
    shutil.rmtree(folder / "video_frames")


def one_video(folder: Path) -> None:
    (folder / "train.txt").write_text("train0\n")


def all_gone(folder: Path) -> None:
    shutil.rmtree(folder)


def broken_frame(folder: Path) -> None:
    for path in (folder / "video_frames/train0").rglob("*.jpg"):
        path.write_bytes(b"no picture")


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (no_lists, ["no list", "test.txt", "data/split.py --data_dir"]),
        (empty_list, ["val.txt is empty", "data/split.py"]),
        (no_spectrograms, ["has frames and spectrograms", "data/cut_video.py", "data/cut_audio.py"]),
        (no_frames, ["has frames and spectrograms", "data/cut_video.py", "data/cut_audio.py"]),
        (one_video, ["the train list has one usable video", "data/split.py"]),
        (all_gone, ["no list"]),
        (broken_frame, ["video_frames/train0/", "data/cut_video.py"]),
    ],
)
def test_bad_data_gives_a_sentence_that_names_the_remedy(tmp_path, capsys, damage, words):
    folder = tmp_path / "set"
    make_set(folder, train=2, val=2, test=1, seconds=1)
    damage(folder)
    assert run(folder, tmp_path / "run", "--epoch", "1") == 1
    error = capsys.readouterr().err
    assert all(word in error for word in words), error
    assert "Traceback" not in error


def test_videos_without_samples_are_counted_and_the_others_used(tmp_path, capsys):
    make_set(tmp_path, train=3, val=2, test=1, seconds=1)
    shutil.rmtree(tmp_path / "audio_frames/train1")
    assert run(tmp_path, tmp_path / "run", "--epoch", "1") == 0
    assert "1 videos lack frames or sound, as train1" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--mode", "train"], "--evaluate 1"),
        (["--json_file", "x.json"], "--data_dir"),
        (["--gpu_ids", "0,1"], "--device cuda"),
        (["--gpu_ids=0,1"], "CUDA_VISIBLE_DEVICES"),
        (["--v_cluster", "1", "--a_cluster", "2"], "larger than --v_cluster"),
        (["--v_cluster", "9", "--image_size", "32"], "--image_size 32"),
        (["--ckpt_file", "x.pth"], "--use_pretrain 1"),
        (["--batch_size", "0"], "less than 1"),
        (["--learning_rate", "0"], "not above 0"),
        (["--seed", "-1"], "less than 0"),
        (["--seed", "9" * 20], "too large"),
        (["--dmc_pkl", "maps.csv"], "cannot end with .csv"),
        (["--evaluate", "2"], "invalid choice"),
        (["--audio", "noise"], "--evaluate 1"),
        (["--audio", "shuffled", "--evaluate", "0"], "--evaluate 1"),
        (["--audio", "music", "--evaluate", "1"], "invalid choice"),
        (["--log", "wandb"], "invalid choice"),
        (["--ckpt", "x"], "unrecognized"),
        (["--device", "tpu"], "invalid choice"),
    ],
)
def test_options_that_mean_nothing_say_what_to_do(options, words, capsys):
    with pytest.raises(SystemExit) as stopped:
        location_dmc.main(options)
    assert stopped.value.code == 2
    assert words in capsys.readouterr().err.splitlines()[-1]


def test_an_evaluation_has_no_log(trained, capsys):
    with pytest.raises(SystemExit):
        location_dmc.main(["--evaluate", "1", "--ckpt_file", str(trained / "best.pth"), "--log", "tensorboard"])
    assert "does not train" in capsys.readouterr().err


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_a_device_that_is_not_there(data_dir, tmp_path, capsys):
    assert run(data_dir, tmp_path / "run", "--device", "cuda") == 1
    assert "--device auto" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_a_checkpoint_that_is_not_there(data_dir, tmp_path, capsys):
    assert run(data_dir, tmp_path, "--evaluate", "1") == 1
    assert f"there is no checkpoint {tmp_path / 'best.pth'}" in capsys.readouterr().err


def test_training_and_evaluation_need_neither_librosa_nor_pyav_nor_what_draws(data_dir, tmp_path):
    arguments = [*SMALL, "--data_dir", str(data_dir), "--out", str(tmp_path / "run"), "--epoch", "1"]
    code = (
        "import sys\n"
        "missing = ['av', 'librosa', 'soxr', 'numba', 'matplotlib', 'tensorboard']\n"
        "sys.modules.update(dict.fromkeys(missing))  # as if they were not installed\n"
        "import location_dmc\n"
        f"sys.exit(location_dmc.main({[*arguments, '--dmc_pkl', str(tmp_path / 'dmc.pkl')]!r}))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert len(read_dmc(tmp_path / "dmc.pkl")) == 16


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
def test_trains_and_evaluates_on_a_gpu(data_dir, tmp_path):
    assert run(data_dir, tmp_path / "run", "--epoch", "2", "--device", "cuda", "--num_threads", "2") == 0
    assert len(read_dmc(tmp_path / "run/dmc.pkl")) == 16


def test_a_second_of_fewer_frames_is_tested_all_the_same(trained, tmp_path):
    add_video(tmp_path, "few", frames=2)
    add_video(tmp_path, "many")
    (tmp_path / "test.txt").write_text("few\nmany\n")
    options = ["--evaluate", "1", "--use_pretrain", "1", "--ckpt_file", str(trained / "best.pth")]
    assert run(tmp_path, tmp_path, *options) == 0
    assert len(read_dmc(tmp_path / "dmc.pkl")) == 3 * 2 + 3 * 4


def hear(data_dir: Path, trained: Path, out: Path, audio: str, *options: str) -> int:
    """Evaluate the trained network with a sound."""
    checkpoint = ["--evaluate", "1", "--use_pretrain", "1", "--ckpt_file", str(trained / "best.pth")]
    return run(data_dir, out, *checkpoint, "--audio", audio, *options)


@pytest.fixture
def heard_set(data_dir: Path, tmp_path: Path) -> Path:
    """A copy of the set with noise and silence."""
    folder = tmp_path / "heard"
    shutil.copytree(data_dir, folder)
    add_negatives(folder)
    return folder


@pytest.mark.parametrize("audio", ["shuffled", "noise", "silence"])
def test_another_sound_gives_files_of_its_own_beside_and_other_distances(trained, heard_set, tmp_path, capsys, audio):
    assert hear(heard_set, trained, tmp_path, "own") == 0
    own = (tmp_path / "dmc.pkl").read_bytes(), (tmp_path / "dmc.csv").read_text()
    capsys.readouterr()
    assert hear(heard_set, trained, tmp_path, audio) == 0
    lines = capsys.readouterr().out.splitlines()
    assert f"the maps go to {tmp_path}/dmc_{audio}.pkl" in lines[-3]
    assert f"to {tmp_path}/dmc_{audio}.pkl and their distances to {tmp_path}/dmc_{audio}.csv" in lines[-2]
    assert lines[-1].startswith("Next: ")
    assert own == ((tmp_path / "dmc.pkl").read_bytes(), (tmp_path / "dmc.csv").read_text())
    assert read_dmc(tmp_path / f"dmc_{audio}.pkl").keys() == read_dmc(tmp_path / "dmc.pkl").keys()
    assert (tmp_path / f"dmc_{audio}.csv").read_text() != own[1]
    before = (tmp_path / f"dmc_{audio}.pkl").read_bytes()
    assert hear(heard_set, trained, tmp_path, audio, "--num_threads", "2") == 0
    assert (tmp_path / f"dmc_{audio}.pkl").read_bytes() == before


def test_the_maps_of_another_sound_lie_beside_those_of_the_own():
    assert path_for_audio(Path("runs/x/dmc.pkl"), "shuffled") == Path("runs/x/dmc_shuffled.pkl")
    assert path_for_audio("dmc.pkl", "own") == Path("dmc.pkl")
    assert path_for_audio("runs.1/maps", "noise") == Path("runs.1/maps_noise")


def test_the_sound_of_an_evaluation_is_not_the_checkpoints():
    options = merge_options({}, {"audio": "noise", "v_cluster": 3})
    assert (options.audio, options.v_cluster) == ("own", 3)


@pytest.mark.parametrize(
    ("audio", "words"),
    [("noise", "noise.npy: python3 data/cut_audio.py"), ("silence", "silence.npy: python3 data/cut_audio.py")],
)
def test_missing_noise_or_silence_name_the_program_that_adds_them(trained, data_dir, tmp_path, capsys, audio, words):
    assert hear(data_dir, trained, tmp_path, audio) == 1
    assert words in capsys.readouterr().err and not list(tmp_path.glob("*.pkl"))


def test_a_test_list_without_other_content_is_said(trained, heard_set, tmp_path, capsys):
    add_labels(heard_set, {"red": ["test0", "test1"]})
    assert hear(heard_set, trained, tmp_path, "shuffled") == 1
    assert "in common with test0 (red)" in capsys.readouterr().err
    (heard_set / "labels.json").unlink()
    (heard_set / "test.txt").write_text("test1\n")
    assert hear(heard_set, trained, tmp_path, "shuffled") == 1
    assert "one usable video" in capsys.readouterr().err
