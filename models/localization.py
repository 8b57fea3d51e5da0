"""Where a trained network hears the audio in a frame: the maps of ``dmc.pkl`` and of heat videos."""

from typing import NamedTuple

import numpy as np
import torch
from torch.nn import functional

from models.backbone import STRIDE, feature_size
from models.clustering import normalize_over_features
from models.dmc import TwoStreams
from models.matching import match_all, rank_clusters, squared_distances
from models.recipes import SAME_NUMBER, Recipe

AUDIO_SHARE = 0.4  # of the way to its audio center that the center of a sounding object is moved
GUIDED_BETA = 5.0  # hardness; softer clusters make larger maps
GUIDED_ROUNDS = 5
NUM_SIZES = 3  # at which a frame is encoded, each 2 features a side smaller


class Localization(NamedTuple):
    """The maps of F frames, and how well they fit their audio."""

    maps: np.ndarray  # float32 [F, V, h, w], sum to 1 over V; row j is matched to the j-th audio cluster with a match
    distances: np.ndarray  # float32 [F, min(A, V)], of each of these audio clusters to its visual cluster


class Localizer:
    """Localizes audio in frames with a trained network, as the recipe's `readout` says.

    ``clusters``: the clusters of training, matched one to one to those of the audio, whatever the matching in training;
    with clustering=capsules those that are nearest to the audio come first. ``audio_guided``: clusters that start from
    the audio, of features that are averaged over several views of the frame.

    Args:
        model: in evaluation mode.
        recipe: the recipe of the network, or another with the same network.
    """

    def __init__(self, model: TwoStreams, recipe: Recipe) -> None:
        self.model = model
        self.recipe = recipe

    @torch.no_grad()
    def __call__(self, spectrograms: torch.Tensor, frames: torch.Tensor, second: torch.Tensor) -> Localization:
        """Localize the audio of each second in the frames of that second.

        Args:
            spectrograms: float32 [S, 1, T, 64].
            frames: uint8 [F, 3, H, W].
            second: int64 [F], the row of `spectrograms` of each frame.
        """
        return self.match(self.encode_audio(spectrograms)[second], self.encode_frames(frames))

    @torch.no_grad()
    def encode_audio(self, spectrograms: torch.Tensor) -> torch.Tensor:
        """Audio centers, float32 [B, 1, T, 64] -> [B, A, 512]."""
        return self.model.encode_audio(spectrograms).centers

    @torch.no_grad()
    def encode_frames(self, frames: torch.Tensor) -> torch.Tensor:
        """Projected features, uint8 [B, 3, H, W] -> [B, h, w, 512]."""
        frames = self.model.normalize_frames(frames)
        guided = self.recipe.readout == "audio_guided"
        features = self._views_mean(frames) if guided else self.model.frame_features(frames)
        return self.model.project(features, self.model.visual_projection)

    def _views_mean(self, frames: torch.Tensor) -> torch.Tensor:
        """Mean features of normalized frames at several sizes, upright and rotated by 180 degrees.

        Nothing in training says where in its receptive field a feature stands for an object. A network comes to lean to
        one side, and in the rotated frame it leans to the other. No single size suits objects of all sizes.
        """
        total, shape = 0, feature_size(*frames.shape[2:])
        for number in range(NUM_SIZES):
            size = [max(2 * STRIDE, side - 2 * STRIDE * number) for side in frames.shape[2:]]
            view = functional.interpolate(frames, size, mode="bilinear", antialias=True) if number else frames
            upright, rotated = self.model.frame_features(view), self.model.frame_features(view.flip(-2, -1))
            mean = (upright.to(frames.dtype) + rotated.flip(-2, -1).to(frames.dtype)) / 2
            total = total + functional.interpolate(mean, shape, mode="bilinear")
        return total / NUM_SIZES

    @torch.no_grad()
    def match(self, audio_centers: torch.Tensor, features: torch.Tensor) -> Localization:
        """Maps of the audio, [F, A, 512], in the features of frames, [F, h, w, 512].

        Raises:
            FloatingPointError: the weights of the network give no finite numbers.
        """
        if not (audio_centers.isfinite().all() and features.isfinite().all()):
            raise FloatingPointError(
                "the weights of the network give no finite distances: train again, or name another --ckpt_file"
            )
        if self.recipe.readout == "audio_guided":
            centers, maps = audio_guided_clustering(audio_centers, features.flatten(1, 2), self.model.v_cluster)
            matched = (audio_centers - centers[:, : audio_centers.shape[1]]).norm(dim=-1)  # [F, A]
            return Localization(maps.unflatten(2, features.shape[1:3]).cpu().numpy(), matched.cpu().numpy())
        centers, maps = self.model.cluster(features, self.model.v_cluster)
        distances = squared_distances(audio_centers, centers)
        if self.recipe.matching == SAME_NUMBER:
            orders, matched = rank_clusters(distances, self.model.a_cluster)  # [F, V], [F, A]
        else:
            orders, matched = match_all(distances)
        return Localization(maps.cpu()[torch.arange(len(orders))[:, None], orders].numpy(), matched.sqrt().numpy())


def audio_guided_clustering(
    audio_centers: torch.Tensor, features: torch.Tensor, num_clusters: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Soft k-means in which one cluster for each audio center stays near it.

    The clusters start at the audio centers, and then at the feature farthest from all chosen centers. In each round,
    the center of a sounding object moves to the mean of its features, and then a part of the way to its audio center:
    features that are like the object but unlike its audio leave the cluster.

    Args:
        audio_centers: [B, A, D].
        features: [B, N, D].
        num_clusters: K, at least A.

    Returns:
        The means of the clusters [B, K, D], and their assignment [B, K, N], which sums to 1 over the clusters. Cluster
        j < A belongs to audio center j.
    """
    num_audio, each = audio_centers.shape[1], torch.arange(len(features), device=features.device)
    centers = audio_centers
    for _ in range(num_clusters - num_audio):
        farthest = torch.cdist(centers, features).amin(1).argmax(1)  # [B]
        centers = torch.cat([centers, features[each, farthest][:, None]], 1)
    for _ in range(GUIDED_ROUNDS):
        assignment = torch.softmax(-GUIDED_BETA * torch.cdist(centers, features), dim=1)
        means = normalize_over_features(assignment) @ features
        centers = torch.cat([torch.lerp(means[:, :num_audio], audio_centers, AUDIO_SHARE), means[:, num_audio:]], 1)
    return means, assignment
