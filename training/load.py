"""A trained network, as its checkpoint says that it is to be tested."""

from argparse import Namespace
from dataclasses import dataclass
from pathlib import Path

import torch

from common.errors import UserError
from models.dmc import DMC, build_dmc
from training.checkpoint import load_weights, read_checkpoint
from training.device import choose_device
from training.options import check_options, merge_options, picture_size
from training.precision import choose_precision


@dataclass(frozen=True)
class Trained:
    """A network ready for testing.

    Attributes:
        model: in evaluation mode, with the hardness that its maps are tested with.
        options: those of its training, as `location_dmc.py --evaluate 1` would have them.
        device: where it is.
        note: what was ignored or missing in the checkpoint; None if nothing was.
    """

    model: DMC
    options: Namespace
    device: torch.device
    note: str | None = None

    @property
    def picture_size(self) -> int:
        """Pixels of the square pictures that it is tested with."""
        return picture_size(self.options)


def load_trained(ckpt_file: Path, device: str = "auto") -> Trained:
    """Load a checkpoint, ours or the published code's, with its own options.

    Args:
        ckpt_file: the checkpoint.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.

    Raises:
        UserError: it cannot be read or used, or this machine has no such device.
    """
    checkpoint = read_checkpoint(ckpt_file)
    options = merge_options({"evaluate": 1, "ckpt_file": str(ckpt_file)}, checkpoint.args)
    if problem := check_options(options):
        raise UserError(f"the options in {ckpt_file} do not fit together: {problem}")
    where = choose_device(device)
    model = build_dmc(options, choose_precision(options.precision, where)).to(where)
    note = load_weights(model, checkpoint)
    model.set_testing(options)
    return Trained(model.eval(), options, where, note)
