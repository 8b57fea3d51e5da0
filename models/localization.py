"""Where a network hears sounds in pictures: the one place that makes the maps of ``dmc.pkl`` and of heat videos."""

from typing import NamedTuple

import numpy as np
import torch

from common.errors import UserError
from data.dataset import SecondSample
from models.dmc import DMC, Clusters
from models.joint import joint_clusters
from models.matching import match_all, squared_distances


class Located(NamedTuple):
    """What a network says about pictures.

    Attributes:
        maps: float32 [pictures, V, h, w] that sum to 1 over V; row j < A is the map matched to sound cluster j, the
            others follow by distance.
        distances: float32 [pictures, A], of each sound cluster to its visual cluster.
    """

    maps: np.ndarray
    distances: np.ndarray


@torch.no_grad()
def locate(model: DMC, batch: SecondSample) -> Located:
    """Locate the sounds of a batch's seconds in their frames.

    Args:
        model: in evaluation mode, after `DMC.set_testing`.
        batch: on the model's device.

    Raises:
        UserError: the weights are no finite numbers.
    """
    sounds = model.listen(batch["spectrogram"]).centers[batch["second"]]  # one for each frame
    return matched_maps(model, sounds, model.see(batch["frames"]))


def matched_maps(model: DMC, sounds: torch.Tensor, pictures: Clusters) -> Located:
    """Match the clusters of each sound to those of its picture.

    Args:
        model: whose clusters these are, and which says how to go on with them.
        sounds: centers of the sounds' clusters, [pictures, A, 512].
        pictures: clusters of as many pictures, V of each.

    Raises:
        UserError: the network's weights give no finite numbers.
    """
    if not squared_distances(sounds, pictures.centers).isfinite().all():
        raise UserError("the network's weights give no finite distances: train again, or name another --ckpt_file")
    pictures = joint_clusters(sounds, pictures, model.beta, model.joint_rounds)
    between = squared_distances(sounds, pictures.centers).cpu()  # [pictures, A, V]
    orders = match_all(between)  # [pictures, V]
    maps = pictures.assignment.cpu()[torch.arange(len(orders))[:, None], orders]
    matched = between.gather(2, orders[:, : between.shape[1], None])[..., 0]
    return Located(maps.numpy(), matched.sqrt().numpy())
