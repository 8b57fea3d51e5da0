"""What sounds in single pictures, by a trained network: the pictures and sounds are made as `cut_video.py` and
`cut_audio.py` make them, and matched as `location_dmc.py --evaluate 1` matches them.
"""

from collections.abc import Sequence
from typing import NamedTuple

import av
import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from torchvision.transforms.v2 import functional

from data.media.spectrogram import log_mel
from data.media.video import SHORT_SIDE, upright_frame
from data.transforms import plain
from models.localization import matched_maps
from models.matching import squared_distances
from training.load import Trained


class NetworkInput(NamedTuple):
    """What the network sees and hears at an instant: uint8 [3, size, size] and float32 [1, 201, 64]."""

    picture: torch.Tensor
    spectrogram: torch.Tensor


class Locator:
    """Locates what sounds in the pictures of a video, a few at a time, in their order.

    A sound's clusters come in any order. So that cluster j stays the same instrument from one picture to the next, they
    take the order in which they lie nearest to those before.

    Args:
        trained: the network.
    """

    def __init__(self, trained: Trained) -> None:
        self._trained = trained
        self._centers: torch.Tensor | None = None  # of the last sound's clusters, [A, 512]

    def look(self, frame: av.VideoFrame, second: np.ndarray) -> NetworkInput:
        """What the network is given.

        Args:
            frame: a picture as decoded.
            second: float32 [16000], the sound around it.
        """
        upright = functional.pil_to_tensor(upright_frame(frame, SHORT_SIDE))
        picture = plain(upright, self._trained.picture_size)
        return NetworkInput(picture, torch.from_numpy(log_mel(second[None], self._trained.options.n_fft)))

    @torch.inference_mode()
    def maps(self, looks: Sequence[NetworkInput]) -> np.ndarray:
        """Maps, float32 [N, V, h, w], those that are matched to the sound's clusters first.

        Raises:
            UserError: the network's weights give no finite numbers.
        """
        model, device = self._trained.model, self._trained.device
        pictures, spectrograms = (torch.stack(tensors).to(device) for tensors in zip(*looks, strict=True))
        sounds = model.listen(spectrograms).centers  # [N, A, 512]
        ordered = torch.stack([self._ordered(centers) for centers in sounds])
        return matched_maps(model, ordered, model.see(pictures)).maps

    def _ordered(self, centers: torch.Tensor) -> torch.Tensor:
        if self._centers is not None and len(centers) > 1:
            _, order = linear_sum_assignment(squared_distances(self._centers, centers).cpu().numpy())
            centers = centers[torch.from_numpy(order).to(centers.device)]
        self._centers = centers
        return centers
