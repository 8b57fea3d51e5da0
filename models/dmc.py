"""The network: one stream encodes frames, one encodes audio, each clusters its features; all centers share one space.

Simplified form of "Deep Multimodal Clustering for Unsupervised Audiovisual Learning" (CVPR 2019), as published in 2020.
"""

from typing import NamedTuple

import torch
from torch import nn
from torch.nn import functional

from models.backbone import VISUAL_NETS, ResNet18, feature_size
from models.clustering import soft_kmeans
from models.recipes import Recipe

CENTER_SIZE = 512
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
QUIET = 5.0  # decibels added to the standard deviation of a second, so that silence is not blown up


class Clusters(NamedTuple):
    """The clusters of one stream."""

    centers: torch.Tensor  # [B, K, 512]
    assignment: torch.Tensor  # [B, K, h, w], sums to 1 over the clusters


class DMC(nn.Module):
    """Deep multimodal clustering.

    Only the backbones and projections have weights. They fit any recipe with the same `visual_net`.

    Args:
        recipe: the settings of the network.
        v_cluster: clusters of a frame.
        a_cluster: clusters of a second of audio.
        precision: of the backbones. All else is computed in the precision of the weights.
    """

    def __init__(
        self, recipe: Recipe, v_cluster: int = 2, a_cluster: int = 1, precision: torch.dtype = torch.float32
    ) -> None:
        super().__init__()
        self.recipe = recipe
        self.v_cluster = v_cluster
        self.a_cluster = a_cluster
        self.precision = precision
        self.visual_net = VISUAL_NETS[recipe.visual_net]()
        self.audio_net = ResNet18(in_channels=1)
        self.visual_projection = nn.Linear(self.visual_net.out_channels, CENTER_SIZE)
        self.audio_projection = nn.Linear(self.audio_net.out_channels, CENTER_SIZE)
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(IMAGENET_STD).view(3, 1, 1), persistent=False)
        self.to(memory_format=torch.channels_last)  # the faster order for convolutions

    def forward(self, spectrograms: torch.Tensor, frames: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Centers of the audio, [S, a_cluster, 512], and of the frames, [F, v_cluster, 512]."""
        return self.encode_audio(spectrograms).centers, self.encode_frames(frames).centers

    def encode_frames(self, frames: torch.Tensor) -> Clusters:
        """Cluster frames, uint8 [B, 3, H, W], RGB; K = v_cluster, at 1/16 of the size."""
        features = self.project(self.frame_features(self.normalize_frames(frames)), self.visual_projection)
        return self.cluster(features, self.v_cluster)

    def encode_audio(self, spectrograms: torch.Tensor) -> Clusters:
        """Cluster log-mel spectrograms, float32 [B, 1, 201, 64]; K = a_cluster."""
        return self.cluster(self.project(self.audio_features(spectrograms), self.audio_projection), self.a_cluster)

    def normalize_frames(self, frames: torch.Tensor) -> torch.Tensor:
        """Frames as the backbone takes them, uint8 [B, 3, H, W] -> float32 [B, 3, H, W]."""
        return frames.to(self.mean.dtype, copy=True).div_(255).sub_(self.mean).div_(self.std)

    def frame_features(self, frames: torch.Tensor) -> torch.Tensor:
        """Features of normalized frames before their projection, [B, 3, H, W] -> [B, D, h, w]."""
        return self._backbone(self.visual_net, frames)

    def audio_features(self, spectrograms: torch.Tensor) -> torch.Tensor:
        """Features of spectrograms before their projection, [B, 1, 201, 64] -> [B, 512, h, w]."""
        if self.recipe.spectrogram_scaling == "second":
            std, mean = torch.std_mean(spectrograms, dim=(2, 3), keepdim=True)
            spectrograms = (spectrograms - mean) / (std + QUIET)
        if self.recipe.audio_pooling > 1:
            spectrograms = functional.avg_pool2d(spectrograms, (self.recipe.audio_pooling, 1))  # over time only
        return self._backbone(self.audio_net, spectrograms)

    def _backbone(self, net: nn.Module, x: torch.Tensor) -> torch.Tensor:
        # Module.compile compiles the call. Test frames come in several sizes, each of which would be compiled anew.
        call = net if self.training else net.forward
        with torch.autocast(x.device.type, self.precision, enabled=self.precision != torch.float32):
            return call(x.contiguous(memory_format=torch.channels_last))

    def project(self, features: torch.Tensor, projection: nn.Linear) -> torch.Tensor:
        """Features of one stream in the common space, [B, D, h, w] -> [B, h, w, 512]."""
        features = projection(features.to(projection.weight.dtype).permute(0, 2, 3, 1))
        return functional.normalize(features, dim=-1) if self.recipe.normalize else features

    def cluster(self, features: torch.Tensor, num_clusters: int) -> Clusters:
        """Cluster the projected features of one stream, [B, h, w, 512]."""
        centers, assignment = soft_kmeans(
            features.flatten(1, 2), num_clusters, self.recipe.beta, init=self.recipe.cluster_start
        )
        return Clusters(centers, assignment.unflatten(2, features.shape[1:3]))


def most_clusters(height: int, width: int) -> int:
    """The largest number of clusters for an input of this size: one for each feature."""
    rows, columns = feature_size(height, width)
    return rows * columns
