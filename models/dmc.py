"""The network: one stream looks, one listens, each clusters its features; the centers of both live in one space.

Simplified form of "Deep Multimodal Clustering for Unsupervised Audiovisual Learning" (CVPR 2019), as published in 2020.
"""

from typing import NamedTuple

import torch
from torch import nn

from models.backbone import FEATURE_SIZE, Backbone, feature_size
from models.clustering import soft_kmeans

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class Clusters(NamedTuple):
    """What one stream makes of a batch.

    Attributes:
        centers: [B, K, 512].
        assignment: [B, K, h, w], sums to 1 over the clusters.
    """

    centers: torch.Tensor
    assignment: torch.Tensor


class DMC(nn.Module):
    """Deep multimodal clustering. The numbers of clusters are no weights: they can be changed at any time.

    Args:
        v_cluster: clusters of a picture.
        a_cluster: clusters of a sound.
    """

    def __init__(self, v_cluster: int = 2, a_cluster: int = 1) -> None:
        super().__init__()
        self.v_cluster = v_cluster
        self.a_cluster = a_cluster
        self.visual_net = Backbone(in_channels=3)
        self.audio_net = Backbone(in_channels=1)
        self.visual_projection = nn.Linear(FEATURE_SIZE, FEATURE_SIZE)
        self.audio_projection = nn.Linear(FEATURE_SIZE, FEATURE_SIZE)
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(IMAGENET_STD).view(3, 1, 1), persistent=False)

    def see(self, frames: torch.Tensor) -> Clusters:
        """Cluster pictures.

        Args:
            frames: uint8 [B, 3, H, W], RGB.

        Returns:
            Clusters with K = v_cluster, at 1/16 of the size.
        """
        normalised = (frames.to(self.mean.dtype) / 255 - self.mean) / self.std
        return self._cluster(self.visual_net(normalised), self.visual_projection, self.v_cluster)

    def listen(self, spectrograms: torch.Tensor) -> Clusters:
        """Cluster sounds.

        Args:
            spectrograms: float32 [B, 1, 201, 64], log-mel.

        Returns:
            Clusters with K = a_cluster.
        """
        return self._cluster(self.audio_net(spectrograms), self.audio_projection, self.a_cluster)

    @staticmethod
    def _cluster(features: torch.Tensor, projection: nn.Linear, num_clusters: int) -> Clusters:
        height, width = features.shape[2:]
        vectors = projection(features.flatten(2).transpose(1, 2))  # [B, h w, 512]
        centers, assignment = soft_kmeans(vectors, num_clusters)
        return Clusters(centers, assignment.unflatten(2, (height, width)))


def most_clusters(height: int, width: int) -> int:
    """The largest number of clusters that an input of this size can have: one for every feature."""
    rows, columns = feature_size(height, width)
    return rows * columns
