"""The distances of audio and frames on the validation list. They tell whether a network knows what it hears in a video.

A network gives a map for any video. In one that is unlike those of its training, the audio is as far from the frames as
the audio of another video is: such a map means nothing.
"""

from argparse import Namespace
from collections.abc import Sequence
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
import torch

from data.dataset import PairDataset
from data.index import SecondIndex
from data.loaders import pair_loader
from models.localization import Localizer
from training.checkpoints.checkpoint import Checkpoint, save_checkpoint
from training.device import DeviceLoader

NUM_PAIRS = 256  # the first of the validation list, which is in random order
UNFAMILIAR = 0.75  # of the way from right to wrong audio: 2 of 36 test videos are beyond it, 54 of 72 of another set


class ReferenceDistances(NamedTuple):
    """Medians on the validation list of the distances in ``dmc.csv``."""

    own: float  # frames with their own audio
    other: float  # frames with the audio of another video

    def describe(self, distances: Sequence[float]) -> str:
        """One sentence on the median of distances beside those of the validation list."""
        return (
            f"The median distance of audio and frames is {np.median(distances):.2f}; on the network's validation "
            f"videos it was {self.own:.2f} with their own audio, {self.other:.2f} with the audio of another video."
        )

    def unfamiliar(self, distances: Sequence[float]) -> bool:
        """Whether the median of distances is near to that of wrong audio."""
        limit = self.own + UNFAMILIAR * (self.other - self.own)
        return len(distances) > 0 and bool(np.median(distances) > limit)

    def warning(self, distances: Sequence[float]) -> str | None:
        """What to think of a video or a set that is unlike the training's; None if it is not."""
        if not self.unfamiliar(distances):
            return None
        return f"This network has not heard anything like this, so its maps mean little. {self.describe(distances)}"


def read_reference(state: dict[str, Any]) -> ReferenceDistances | None:
    """The distances that a checkpoint holds; None if it has none."""
    found = state.get("distances")
    numbers = [found.get(name) for name in ReferenceDistances._fields] if isinstance(found, dict) else [None]
    return ReferenceDistances(*numbers) if all(isinstance(number, float) for number in numbers) else None


def add_reference(
    checkpoint: Checkpoint, localizer: Localizer, seconds: SecondIndex, options: Namespace, device: torch.device
) -> None:
    """Measure the distances on the validation list, and add them to a checkpoint of ours that has none.

    If no two videos of the list are in one batch, it gets none.
    """
    if read_reference(checkpoint.state):
        return
    dataset = PairDataset(seconds, localizer.recipe.test_size, options.seed, with_negative=False)
    size = max(2, options.batch_size // options.accumulate)
    loader = DeviceLoader(pair_loader(dataset, size, num_workers=0, shuffle=False), device)
    localizer.model.eval()
    own, other = np.zeros(0), np.zeros(0)
    for batch in islice(loader, max(1, NUM_PAIRS // size)):
        audio_centers = localizer.encode_audio(batch["spectrogram"])
        features = localizer.encode_frames(batch["frame"])
        of_another = (batch["video"] != batch["video"].roll(1)).cpu().numpy()
        own = np.append(own, localizer.match(audio_centers, features).distances)
        other = np.append(other, localizer.match(audio_centers.roll(1, 0), features).distances[of_another])
    if len(other):
        reference = ReferenceDistances(float(np.median(own)), float(np.median(other)))
        save_checkpoint(checkpoint.path, checkpoint.state | {"distances": reference._asdict()})
