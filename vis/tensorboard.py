"""Logs a training to TensorBoard: the figures of each epoch and the maps of a few validation frames.

``tensorboard --logdir runs`` shows it. Its packages are imported only when it is asked for.
"""

from argparse import Namespace
from contextlib import AbstractContextManager, closing, nullcontext
from typing import Any

import numpy as np
import torch

from common.cli import INSTALL
from common.errors import UserError
from data.dataset import SecondDataset
from data.index import SecondIndex
from data.loaders import collate_seconds
from data.read import open_frame
from models.dmc import TwoStreams
from models.localization import Localizer
from training.checkpoints.run_folder import RunFolder
from training.options import EVENTS

TAGS = {  # column of log.csv -> tag; what stands before the slash is the group that it is shown in
    "loss": "loss/train",
    "val_loss": "loss/validation",
    "train_accuracy": "matching_accuracy/train",
    "val_accuracy": "matching_accuracy/validation",
    "learning_rate": "training/learning_rate",
    "samples_per_second": "training/samples_per_second",
}
IMAGE_TAG = "localization"  # localization/NAME/frame_013/00411
EXAMPLES = 6  # frames that are shown
LONGER_SIDE = 320  # pixels that they have at most


def require_packages(log: str) -> None:
    """Make sure that a log can be written, before a training begins."""
    if log == "tensorboard":
        try:
            import matplotlib  # noqa: F401 - for the colors of the maps
            import torch.utils.tensorboard  # noqa: F401
        except ImportError as error:
            raise UserError(f"--log tensorboard needs a package ({error}): {INSTALL}; or use --log csv") from error


def open_log(
    options: Namespace, folder: RunFolder, seconds: SecondIndex, device: torch.device
) -> AbstractContextManager["TensorBoardLog | None"]:
    """The log that ``--log`` asks for beside log.csv; None without that option, and in processes that do not write."""
    if options.log == "csv" or not folder.writes:
        return nullcontext()
    return closing(TensorBoardLog(options, folder, seconds, device))


class TensorBoardLog:
    """Writes event files into the folder of a training, with maps of fixed validation frames.

    The frames are the first of the middle second of a few videos in `seconds`.

    A resumed training takes back what was logged beyond the checkpoint that it goes on from (`purge_step`), so that no
    epoch is there twice. Of epochs before, which ran without this log, it adds the figures.
    """

    def __init__(self, options: Namespace, folder: RunFolder, seconds: SecondIndex, device: torch.device) -> None:
        from torch.utils.tensorboard import SummaryWriter

        unlogged = [] if any(folder.path.glob(EVENTS)) else folder.history
        self._writer = SummaryWriter(str(folder.path), purge_step=folder.epoch + 1)
        for row in unlogged:
            self._add_figures(row)
        self._options = options
        videos = np.linspace(0, len(seconds.names) - 1, min(EXAMPLES, len(seconds.names))).round().astype(int)
        chosen = [int(seconds.first[video] + seconds.first[video + 1]) // 2 for video in videos]
        dataset = SecondDataset(seconds, options.recipe.test_size, first_only=True)
        batch = collate_seconds([dataset[index] for index in chosen])
        self._keys = batch["keys"]
        self._inputs = [batch[name].to(device) for name in ("spectrogram", "frames", "second")]
        self._frames = [open_frame(seconds.frame_paths(index)[0]) for index in chosen]
        for frame in self._frames:
            frame.thumbnail((LONGER_SIDE, LONGER_SIDE))

    def add_epoch(self, row: dict[str, Any], model: TwoStreams) -> None:
        """Add an epoch: its row of log.csv, and the maps of the network, which is left in evaluation mode.

        The maps of each audio cluster stand side by side.
        """
        from vis.overlay import overlay, relative  # here, as it brings what scores take

        self._add_figures(row)
        localized = Localizer(model.eval(), self._options.recipe)(*self._inputs)
        for key, frame, maps in zip(self._keys, self._frames, localized.maps, strict=True):
            shown = [overlay(np.asarray(frame), relative(heat)) for heat in maps[: self._options.a_cluster]]
            self._writer.add_image(f"{IMAGE_TAG}/{key}", np.hstack(shown), row["epoch"], dataformats="HWC")
        self._writer.flush()

    def _add_figures(self, row: dict[str, Any]) -> None:
        for column, tag in TAGS.items():
            self._writer.add_scalar(tag, row[column], row["epoch"])

    def close(self) -> None:
        """Write what is left."""
        self._writer.close()
