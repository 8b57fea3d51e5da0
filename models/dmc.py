"""The network: one stream encodes frames, one encodes audio, each clusters its features; all centers share one space.

"Deep Multimodal Clustering for Unsupervised Audiovisual Learning" (CVPR 2019) in two forms: `DMC` as in the simplified
version that was published in 2020, and `CapsuleDMC` as in the paper. A recipe's `clustering` selects one.
"""

from typing import NamedTuple

import torch
from torch import nn
from torch.nn import functional

from models.backbone import VISUAL_NETS, ResNet18, VGGish
from models.clustering import capsule_clustering, soft_kmeans, squash
from models.recipes import Recipe

CENTER_SIZE = 512
CAPSULE_SIZE = 16
QUIET = 5.0  # decibels added to the standard deviation of a second, so that silence is not blown up


class Clusters(NamedTuple):
    """The clusters of one stream."""

    centers: torch.Tensor  # [B, K, D], D = 512; 16 in the paper's form
    assignment: torch.Tensor  # [B, K, h, w], sums to 1 over the clusters


class TwoStreams(nn.Module):
    """The streams of both forms up to the features, and the way from features to clusters.

    Each form says how to `build_projections`, to `project` features of a stream into the common space, and to `cluster`
    them.

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
        if recipe.visual_net == "vgg16":
            self.visual_net, self.audio_net = VISUAL_NETS["vgg16"](recipe.width), VGGish(recipe.width)
        else:
            self.visual_net, self.audio_net = VISUAL_NETS[recipe.visual_net](), ResNet18(in_channels=1)
        self.visual_projection, self.audio_projection = self.build_projections()
        self.register_buffer("mean", torch.tensor(self.visual_net.mean).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(self.visual_net.std).view(3, 1, 1), persistent=False)
        self.to(memory_format=torch.channels_last)  # the faster order for convolutions

    def forward(self, spectrograms: torch.Tensor, frames: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Centers of the audio, [S, A, D], and of the frames, [F, V, D]."""
        return self.encode_audio(spectrograms).centers, self.encode_frames(frames).centers

    def encode_frames(self, frames: torch.Tensor) -> Clusters:
        """Cluster frames, uint8 [B, 3, H, W], RGB; K = v_cluster, at 1/16 of the size."""
        features = self.project(self.frame_features(self.normalize_frames(frames)), self.visual_projection)
        return self.cluster(features, self.v_cluster)

    def encode_audio(self, spectrograms: torch.Tensor) -> Clusters:
        """Cluster log-mel spectrograms, float32 [B, 1, T, 64]; K = a_cluster."""
        return self.cluster(self.project(self.audio_features(spectrograms), self.audio_projection), self.a_cluster)

    def normalize_frames(self, frames: torch.Tensor) -> torch.Tensor:
        """Frames as the backbone takes them, uint8 [B, 3, H, W] -> float32 [B, 3, H, W]."""
        return (frames.to(self.mean.dtype) / 255 - self.mean) / self.std

    def frame_features(self, frames: torch.Tensor) -> torch.Tensor:
        """Features of normalized frames before their projection, [B, 3, H, W] -> [B, D, h, w]."""
        return self._backbone(self.visual_net, frames)

    def audio_features(self, spectrograms: torch.Tensor) -> torch.Tensor:
        """Features of spectrograms before their projection, [B, 1, T, 64] -> [B, D, h, w]."""
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


class DMC(TwoStreams):
    """Deep multimodal clustering in its published simplified form: soft k-means of features in one common space.

    Only the backbones and projections have weights. They fit any recipe with the same backbones.
    """

    def build_projections(self) -> tuple[nn.Linear, nn.Linear]:
        """The projections of frames and of audio."""
        visual, audio = (nn.Linear(net.out_channels, CENTER_SIZE) for net in (self.visual_net, self.audio_net))
        return visual, audio

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


class CapsuleDMC(TwoStreams):
    """Deep multimodal clustering in the CVPR paper's own form.

    Each of K clusters has a projection of its own, the same for frames and audio: cluster i of a frame and cluster i of
    audio belong together. K is `v_cluster` for both; `a_cluster` says how many of them `models.localization` takes as
    sounding. Both backbones need the same number of channels.
    """

    def build_projections(self) -> tuple[nn.Linear, nn.Linear]:
        """One projection, for frames and for audio."""
        projection = nn.Linear(self.visual_net.out_channels, self.v_cluster * CAPSULE_SIZE, bias=False)
        for of_cluster in projection.weight.data.split(CAPSULE_SIZE):
            nn.init.xavier_uniform_(of_cluster)
        return projection, projection

    def encode_audio(self, spectrograms: torch.Tensor) -> Clusters:
        """Cluster log-mel spectrograms, float32 [B, 1, T, 64]; K = v_cluster."""
        return self.cluster(self.project(self.audio_features(spectrograms), self.audio_projection), self.v_cluster)

    def project(self, features: torch.Tensor, projection: nn.Linear) -> torch.Tensor:
        """Features of one stream, projected for each cluster, [B, D, h, w] -> [B, h, w, 16 K]."""
        return projection(squash(features.to(projection.weight.dtype).permute(0, 2, 3, 1)))

    def cluster(self, features: torch.Tensor, num_clusters: int) -> Clusters:
        """Cluster the projected features of one stream, [B, h, w, 16 K].

        Centers have length 1, so that half of the squared distance of two centers is 1 less their cosine.
        """
        projected = features.flatten(1, 2).unflatten(2, (num_clusters, CAPSULE_SIZE))  # [B, N, K, 16]
        centers, assignment = capsule_clustering(projected)
        return Clusters(functional.normalize(centers, dim=-1), assignment.unflatten(2, features.shape[1:3]))


NETWORKS = {"kmeans": DMC, "capsules": CapsuleDMC}


def build_network(recipe: Recipe, v_cluster: int, a_cluster: int, precision: torch.dtype) -> TwoStreams:
    """The network of a recipe, with random weights."""
    return NETWORKS[recipe.clustering](recipe, v_cluster, a_cluster, precision)
