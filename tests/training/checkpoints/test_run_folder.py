"""The folder of a training: the best epoch, and files that survive a kill at any moment."""

from argparse import Namespace
from pathlib import Path

import pytest
import torch

from common.errors import UserError
from training import start
from training.checkpoints.checkpoint import read_checkpoint, save_checkpoint
from training.checkpoints.run_folder import RunFolder, open_run_folder
from training.options import merge_options
from training.start import read_start

MODEL = torch.nn.Linear(1, 1)


def stepper_of(precision: torch.dtype = torch.float32) -> Namespace:
    """What a run folder keeps of a stepper."""
    scaler = torch.amp.GradScaler("cpu", enabled=precision == torch.float16)
    return Namespace(model=MODEL, optimizer=torch.optim.Adam(MODEL.parameters()), scaler=scaler)


EPOCHS = [(0.5, 1.0), (0.7, 3.0), (0.6, 0.1), (0.7, 2.0), (0.7, 2.5)]  # validation accuracy and loss


ARGS = {"save_every": 1}


def run_folder_at(path: Path, **args: object) -> RunFolder:
    return RunFolder(path, stepper_of(), ARGS | args)


def save_epochs(folder: RunFolder, epochs: list[tuple[float, float]], a_cluster: int = 1) -> list[int]:
    """Save epochs; returns the one of best.pth after each."""
    best = []
    for epoch, (accuracy, loss) in enumerate(epochs, folder.epoch + 1):
        row = {"epoch": epoch, "a_cluster": a_cluster, "val_accuracy": accuracy, "val_loss": loss}
        folder.save_epoch(row)
        best.append(read_checkpoint(folder.path / "best.pth").state["epoch"])
    return best


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    started = run_folder_at(tmp_path)
    started.start()
    return started


def test_a_training_has_taken_off_if_one_epoch_tells_pairs_apart(folder):
    assert folder.warning() is None  # no epoch yet
    save_epochs(folder, [(0.5, 1.0), (0.61, 1.0)])
    assert "is 0.61, and chance is 0.5" in folder.warning() and "--recipe pretrained" in folder.warning()
    save_epochs(folder, [(0.76, 1.0), (0.6, 1.0)])
    assert folder.warning() is None
    save_epochs(folder, [(0.5, 1.0)], a_cluster=2)  # the epochs before say nothing about several sources
    assert "is 0.50, and chance is 0.5" in folder.warning()


@pytest.mark.parametrize(("save_every", "kept"), [(0, []), (2, ["epoch_002.pth", "epoch_004.pth"])])
def test_the_result_is_the_last_epoch_and_others_are_kept_if_asked_for(folder, save_every, kept):
    assert read_checkpoint(folder.path / "best.pth").state["epoch"] == 0  # from the start there is one
    folder.args = {"save_every": save_every}
    assert save_epochs(folder, EPOCHS) == [1, 2, 3, 4, 5]
    assert read_checkpoint(folder.path / "last.pth").state["epoch"] == 5
    assert sorted(path.name for path in folder.path.glob("epoch_*")) == kept


@pytest.mark.parametrize("lost", ["log.csv", "best.pth", "args.json"])
def test_resuming_restores_a_file_that_a_kill_left_unwritten(folder, lost):
    save_epochs(folder, EPOCHS[:1])
    before = (folder.path / "log.csv").read_text()
    (folder.path / lost).unlink()
    run_folder_at(folder.path).resume(read_checkpoint(folder.path / "last.pth").state)
    assert (folder.path / lost).exists()
    assert (folder.path / "log.csv").read_text() == before


def resuming(folder: RunFolder) -> Namespace:
    return merge_options({"out": folder.path, "resume": 1}, {})


DAMAGED = {  # entry of last.pth -> how to change it
    "epoch": [lambda _: "2", lambda _: 3, lambda _: None],
    "history": [lambda _: 2, lambda rows: rows[:1], lambda rows: [*rows[:1], {"epoch": 2}], lambda rows: [{}, {}]],
    "optimizer": [lambda _: {}, lambda _: {"state": {}, "param_groups": []}, lambda _: [1]],
    "random_states": [lambda _: {}, lambda states: states | {"torch": torch.zeros(3)}],
}


@pytest.mark.parametrize(("entry", "change"), [(key, change) for key, changes in DAMAGED.items() for change in changes])
def test_a_checkpoint_that_cannot_be_resumed_from_is_named_and_nothing_is_written(folder, entry, change):
    save_epochs(folder, EPOCHS[:2])
    checkpoint = read_checkpoint(folder.path / "last.pth")
    checkpoint.state[entry] = change(checkpoint.state[entry])
    (folder.path / "log.csv").unlink()
    with pytest.raises(UserError, match=r"last\.pth cannot be resumed from \(.+\): start from its weights"):
        open_run_folder(resuming(folder), stepper_of(), checkpoint)
    assert not (folder.path / "log.csv").exists()


def test_the_state_of_another_weight_is_no_state_to_resume_from(folder):
    loss = MODEL(torch.ones(1)).sum()
    loss.backward()
    folder.stepper.optimizer.step()
    save_epochs(folder, EPOCHS[:1])
    checkpoint = read_checkpoint(folder.path / "last.pth")
    checkpoint.state["optimizer"]["state"][0]["exp_avg"] = torch.zeros(1).expand(10**6, 10**6)
    with pytest.raises(UserError, match="the state of its optimizer has another shape"):
        open_run_folder(resuming(folder), folder.stepper, checkpoint)


@pytest.mark.parametrize("resumed", [torch.float16, torch.float32])
@pytest.mark.parametrize("saved", [torch.float16, torch.float32])
def test_a_training_of_either_precision_resumes_in_either_and_float16_keeps_its_scale(tmp_path, saved, resumed):
    earlier, later = stepper_of(saved), stepper_of(resumed)
    earlier.scaler.load_state_dict({**earlier.scaler.state_dict(), "scale": 64.0, "_growth_tracker": 3})
    RunFolder(tmp_path, earlier, ARGS).start()
    fresh = later.scaler.state_dict()
    open_run_folder(merge_options({"out": tmp_path, "resume": 1}, {}), later, read_checkpoint(tmp_path / "last.pth"))
    assert later.scaler.state_dict() == (earlier.scaler.state_dict() if saved == resumed else fresh)
    assert fresh == {} or fresh["scale"] > 64


def test_last_pth_exists_at_every_moment_of_an_overwritten_start(folder, monkeypatch):
    save_epochs(folder, EPOCHS)
    unlink = Path.unlink

    def watched(path: Path, missing_ok: bool = False) -> None:
        unlink(path, missing_ok)
        assert read_checkpoint(folder.path / "last.pth")

    monkeypatch.setattr(Path, "unlink", watched)
    run_folder_at(folder.path).start()
    assert read_checkpoint(folder.path / "last.pth").state["epoch"] == 0
    assert sorted(path.name for path in folder.path.iterdir()) == ["args.json", "best.pth", "last.pth"]


def test_after_a_kill_in_an_overwritten_start_nothing_of_the_earlier_training_is_left(folder, monkeypatch):
    save_epochs(folder, EPOCHS)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", lambda path, missing_ok=False: path.suffix == ".partial" or path.stat()[100])
        with pytest.raises(IndexError):  # the kill
            run_folder_at(folder.path).start()
    assert (folder.path / "epoch_002.pth").exists()
    run_folder_at(folder.path).resume(read_checkpoint(folder.path / "last.pth").state)
    assert sorted(path.name for path in folder.path.iterdir()) == ["args.json", "best.pth", "last.pth"]
    assert read_checkpoint(folder.path / "best.pth").state["epoch"] == 0


def test_only_a_restart_by_the_same_torchrun_resumes_without_being_asked(tmp_path, monkeypatch, capsys):
    last, given = tmp_path / "last.pth", {"out": tmp_path}
    monkeypatch.setattr(start, "launch_id", lambda: "this launch")
    assert read_start(given) == (given, None)  # nothing to resume
    save_checkpoint(last, {"model": {"w": torch.zeros(1)}, "args": {}, "launch": "an earlier one"})
    assert read_start(given) == (given, None)
    save_checkpoint(last, {"model": {"w": torch.zeros(1)}, "args": {}, "launch": "this launch"})
    resuming, checkpoint = read_start(given)
    assert (resuming, checkpoint.path) == (given | {"resume": 1}, last)
    assert "Restarted by torchrun" in capsys.readouterr().out
    assert read_start(given | {"evaluate": 1, "ckpt_file": last})[0] == given | {"evaluate": 1, "ckpt_file": last}
    monkeypatch.setattr(start, "launch_id", lambda: None)
    assert read_start(given) == (given, None)
