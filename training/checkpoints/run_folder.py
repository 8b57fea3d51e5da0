"""The folder of one training, ``--out``: its checkpoints, its log, its options."""

import csv
import json
from argparse import Namespace
from pathlib import Path
from typing import Any

import torch

from common.atomic import atomic_file
from common.errors import UserError, first_line
from training.checkpoints.checkpoint import Checkpoint, save_checkpoint
from training.device import random_states, restore_random_states
from training.distributed import broadcast_from_rank0, is_main_process, launch_id
from training.options import ARGS, BEST, EVENTS, LAST, LOG, checkpoint_args
from training.steps import Stepper

TAKEN_OFF = 0.75  # matching accuracy on the validation list, half of the way from chance to certainty


class RunFolder:
    """Writes the files of a training. Every file appears whole, so that a kill at any moment loses nothing.

    Of several processes only rank 0 writes; the others keep `epoch` and `history` too.
    """

    def __init__(self, path: Path, stepper: Stepper, args: dict[str, Any]) -> None:
        self.path, self.stepper, self.args = path, stepper, args
        self.epoch = 0  # epochs done
        self.history: list[dict[str, Any]] = []  # a row of ``log.csv`` for each of them
        self.writes = is_main_process()

    def require_free(self, overwrite: bool) -> None:
        """Make sure that the folder holds no training, or one that may be overwritten.

        Raises:
            UserError: there is one, and it is to be kept.
        """
        there = self._files()
        if there and not overwrite:
            resumable = (self.path / LAST).exists()
            goes_on = "--resume 1 resumes it" if resumable else f"there is no {LAST} to resume from"
            remedy = f"{goes_on}, --overwrite 1 replaces it, --out names another folder"
            raise UserError(f"{self.path} holds a training ({there[0].name}): {remedy}")

    def start(self) -> None:
        """Begin a training, in place of one that is there: from now on there is a checkpoint to resume from."""
        if not self.writes:
            return
        self.path.mkdir(parents=True, exist_ok=True)
        self._save_last()  # first, so that at no moment there is none
        self._remove_earlier()
        self._write_args()
        save_checkpoint(self.path / BEST, self._weights())

    def _remove_earlier(self) -> None:
        """Remove what an earlier training left beside the new ``last.pth``."""
        for path in self._files():
            if path.name != LAST:
                path.unlink()

    def _files(self) -> list[Path]:
        """The files of a training that are there."""
        named = [path for name in (LAST, BEST, LOG, ARGS) if (path := self.path / name).exists()]
        return named + sorted(self.path.glob("epoch_*.pth")) + sorted(self.path.glob(EVENTS))

    def resume(self, state: dict[str, Any]) -> None:
        """Resume a training from the content of its last checkpoint, which the stepper has."""
        self.epoch = state["epoch"]
        self.history = state["history"]
        if not self.writes:
            return
        # The training may have been killed between one file and the next.
        if not self.epoch:
            self._remove_earlier()
        self._write_args()
        if self.history:
            self._write_log()
        if not (self.path / BEST).exists():
            save_checkpoint(self.path / BEST, self._weights())

    def save_epoch(self, row: dict[str, Any]) -> None:
        """Save an epoch: `row` to the log, the weights to ``best.pth``, and with the optimizer to ``last.pth``."""
        self.history.append(row)
        self.epoch = row["epoch"]
        if not self.writes:
            return
        save_checkpoint(self.path / BEST, self._weights())
        if self.args["save_every"] and self.epoch % self.args["save_every"] == 0:
            save_checkpoint(self.path / f"epoch_{self.epoch:03d}.pth", self._weights())
        self._save_last()
        self._write_log()

    def warning(self) -> str | None:
        """What to do if no epoch tells positive pairs from negative ones on the validation list; None if one does."""
        # Epochs with one audio cluster compare other things than the later ones with several.
        figures = [(row.get("a_cluster", 0), row["val_accuracy"]) for row in self.history]
        _, accuracy = max(figures, default=(0, TAKEN_OFF))
        if accuracy >= TAKEN_OFF:
            return None
        return (
            f"This training has not taken off: the best matching accuracy on the validation list is {accuracy:.2f}, "
            "and chance is 0.5. Its maps mean little. Try another --seed, a higher --epoch or more videos, and "
            "--recipe pretrained if this one started from nothing."
        )

    def _weights(self) -> dict[str, Any]:
        return {"model": self.stepper.model.state_dict(), "args": self.args, "epoch": self.epoch}

    def _save_last(self) -> None:
        to_resume = {
            "optimizer": self.stepper.optimizer.state_dict(),
            "scaler": self.stepper.scaler.state_dict(),
            "history": self.history,
            "random_states": random_states(),
            "launch": launch_id(),
        }
        save_checkpoint(self.path / LAST, self._weights() | to_resume)

    def _write_log(self) -> None:
        with atomic_file(self.path / LOG) as partial, partial.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, fieldnames=list(self.history[-1]))  # older programs logged less
            writer.writeheader()
            writer.writerows(self.history)

    def _write_args(self) -> None:
        with atomic_file(self.path / ARGS) as partial:
            partial.write_text(json.dumps(self.args, indent=2) + "\n", encoding="utf-8")


def open_run_folder(options: Namespace, stepper: Stepper, checkpoint: Checkpoint | None) -> RunFolder:
    """Start the folder ``--out``; or resume its training: optimizer, history and random states of the checkpoint.

    Raises:
        UserError: it holds a training that is to be kept, or a checkpoint that cannot be resumed from.
    """
    folder = RunFolder(Path(options.out), stepper, checkpoint_args(options))
    if checkpoint is None or checkpoint.path != folder.path / LAST or not options.resume:
        broadcast_from_rank0(folder.require_free, bool(options.overwrite))
        folder.start()
        return folder
    state = checkpoint.state
    if "optimizer" not in state:
        raise UserError(f"{checkpoint.path} holds weights only: start from it with --use_pretrain 1 --ckpt_file")
    try:
        _require_history(state["epoch"], state["history"])
        stepper.optimizer.load_state_dict(state["optimizer"])
        _require_shapes(stepper.optimizer)
        if stepper.scaler.is_enabled() and state.get("scaler"):  # no training of another precision before
            stepper.scaler.load_state_dict(state["scaler"])
        restore_random_states(state["random_states"])
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, RuntimeError) as error:
        raise UserError(
            f"{checkpoint.path} cannot be resumed from ({first_line(error)}): start from its weights with "
            "--use_pretrain 1 --ckpt_file"
        ) from error
    folder.resume(state)
    return folder


def _require_history(epoch: int, history: list[dict[str, Any]]) -> None:
    """Make sure that a checkpoint has a row for each epoch, with the figures of its validation."""
    if len(history) != epoch:
        raise ValueError(f"it has {len(history)} rows of its log for {epoch} epochs")
    for row in history:
        if not isinstance(row["val_accuracy"] - row["val_loss"], float) or row.keys() - history[-1].keys():
            raise ValueError("its log is damaged")


def _require_shapes(optimizer: torch.optim.Optimizer) -> None:
    """Make sure that the state of each weight has its shape."""
    for weight, state in optimizer.state.items():
        if any(value.dim() and value.shape != weight.shape for value in state.values()):
            raise ValueError("the state of its optimizer has another shape")
