"""Where a trained network hears the audio in a frame: the maps of ``dmc.pkl`` and of heat videos.

Nothing in training says where in its receptive field a feature stands for an object. A network comes to lean to one
side, and its idea of an object changes with the size of the frame. So testing can average the features of several
views of a frame, and cluster them with a hardness and a number of rounds of its own.
"""

from typing import NamedTuple

import numpy as np
import torch
from torch.nn import functional

from models.backbone import STRIDE
from models.clustering import normalize_over_features
from models.dmc import DMC, Clusters
from models.matching import match_all, squared_distances
from models.recipes import Recipe

AUDIO_SHARE = 0.2  # of the way to its audio cluster that the center of a matched visual cluster is moved


class Localization(NamedTuple):
    """The maps of F frames.

    Attributes:
        maps: float32 [F, V, h, w], sum to 1 over V; row j < A is matched to audio cluster j, the others follow by
            distance.
        distances: float32 [F, A], of each audio cluster to its visual cluster.
    """

    maps: np.ndarray
    distances: np.ndarray


class Localizer:
    """Localizes audio in frames with a trained network, as a recipe says.

    Args:
        model: in evaluation mode.
        recipe: its fields ``test_...`` are read.
    """

    def __init__(self, model: DMC, recipe: Recipe) -> None:
        self.model = model
        self.recipe = recipe

    @torch.no_grad()
    def __call__(self, spectrograms: torch.Tensor, frames: torch.Tensor, second: torch.Tensor) -> Localization:
        """Localize the audio of each second in the frames of that second.

        Args:
            spectrograms: float32 [S, 1, 201, 64].
            frames: uint8 [F, 3, H, W].
            second: int64 [F], the row of `spectrograms` of each frame.
        """
        return self.match(self.encode_audio(spectrograms).centers[second], self.encode_frames(frames))

    @torch.no_grad()
    def encode_audio(self, spectrograms: torch.Tensor) -> Clusters:
        """Cluster spectrograms, float32 [B, 1, 201, 64]."""
        model = self.model
        return self._cluster(model.audio_features(spectrograms), model.audio_projection, model.a_cluster)

    @torch.no_grad()
    def encode_frames(self, frames: torch.Tensor) -> Clusters:
        """Cluster frames, uint8 [B, 3, H, W], by the mean features of all their views."""
        normalized = self.model.normalize_frames(frames)
        features = self._rotated_mean(normalized)
        if self.recipe.test_num_scales > 1:
            smaller = [self._rotated_mean(_shrink(normalized, n)) for n in range(1, self.recipe.test_num_scales)]
            enlarged = [functional.interpolate(view, features.shape[2:], mode="bilinear") for view in smaller]
            features = torch.stack([features, *enlarged]).mean(0)
        return self._cluster(features, self.model.visual_projection, self.model.v_cluster)

    @torch.no_grad()
    def match(self, audio_centers: torch.Tensor, frames: Clusters) -> Localization:
        """Match the clusters of each frame to those of its audio.

        Args:
            audio_centers: [F, A, 512].
            frames: clusters of the F frames.

        Raises:
            FloatingPointError: the weights of the network give no finite distances.
        """
        if not squared_distances(audio_centers, frames.centers).isfinite().all():
            raise FloatingPointError(
                "the weights of the network give no finite distances: train again, or name another --ckpt_file"
            )
        frames = audio_guided_clustering(audio_centers, frames, self.recipe.test_beta, self.recipe.test_joint_rounds)
        distances = squared_distances(audio_centers, frames.centers).cpu()  # [F, A, V]
        orders = match_all(distances)  # [F, V]
        maps = frames.assignment.cpu()[torch.arange(len(orders))[:, None], orders]
        matched = distances.gather(2, orders[:, : distances.shape[1], None])[..., 0]  # [F, A]
        return Localization(maps.numpy(), matched.sqrt().numpy())

    def _cluster(self, features: torch.Tensor, projection: torch.nn.Linear, num_clusters: int) -> Clusters:
        return self.model.cluster(features, projection, num_clusters, self.recipe.test_beta, self.recipe.test_rounds)

    def _rotated_mean(self, frames: torch.Tensor) -> torch.Tensor:
        """Features of normalized frames, perhaps averaged with those of the frames rotated by 180 degrees."""
        features = self.model.frame_features(frames).to(frames.dtype)
        if self.recipe.test_rotate_180:
            rotated = self.model.frame_features(frames.flip(-2, -1)).flip(-2, -1).to(frames.dtype)
            features = (features + rotated) / 2
        return features


def audio_guided_clustering(audio_centers: torch.Tensor, frames: Clusters, beta: float, rounds: int) -> Clusters:
    """Cluster frames further while their matched clusters are moved towards the audio.

    A frame may show more objects than it has clusters, so that some share one. Objects that are unlike the audio then
    leave the matched cluster.

    Args:
        audio_centers: [B, A, D], finite.
        frames: V clusters of each frame, A at most V.
        beta: hardness of the clusters.
        rounds: of matching, moving and assigning; 0 leaves all as it is.
    """
    features, shape = frames.features, frames.assignment.shape[2:]
    for _ in range(rounds):
        orders = match_all(squared_distances(audio_centers, frames.centers)).to(features.device)  # [B, V]
        places = orders[:, : audio_centers.shape[1], None].expand(-1, -1, features.shape[-1])  # [B, A, D]
        moved = torch.lerp(frames.centers.gather(1, places), audio_centers, AUDIO_SHARE)
        distances = torch.cdist(frames.centers.scatter(1, places, moved), features)  # [B, V, N]
        assignment = torch.softmax(-beta * distances, dim=1)
        centers = normalize_over_features(assignment) @ features
        frames = Clusters(centers, assignment.unflatten(2, shape), features)
    return frames


def _shrink(frames: torch.Tensor, steps: int) -> torch.Tensor:
    """Frames [B, 3, H, W] scaled down by 32 pixels a step."""
    size = [max(STRIDE, smallest_view(length, steps + 1)) for length in frames.shape[2:]]
    return functional.interpolate(frames, size, mode="bilinear", antialias=True)


def smallest_view(size: int, num_scales: int) -> int:
    """Pixels of a side of the smallest view of a frame with `size` pixels a side."""
    return size - 2 * STRIDE * (num_scales - 1)
