"""The network: one stream looks, one listens, each clusters its features; the centers of both live in one space.

Simplified form of "Deep Multimodal Clustering for Unsupervised Audiovisual Learning" (CVPR 2019), as published in 2020.
"""

import contextlib
from argparse import Namespace
from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from torch import nn
from torch.nn import functional

from models.backbone import FEATURE_SIZES, STRIDE, Backbone, feature_size
from models.clustering import BETA, ROUNDS, soft_kmeans

CENTER_SIZE = 512
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
SPECTROGRAM_SCALINGS = ("none", "second")
QUIET = 5.0  # decibels added to a second's standard deviation, so that silence is not blown up


class Clusters(NamedTuple):
    """What one stream makes of a batch.

    Attributes:
        centers: [B, K, 512].
        assignment: [B, K, h, w], sums to 1 over the clusters.
        vectors: what was clustered, [B, h w, 512].
    """

    centers: torch.Tensor
    assignment: torch.Tensor
    vectors: torch.Tensor


class DMC(nn.Module):
    """Deep multimodal clustering. Only its backbones and projections have weights: all arguments but `visual_layer` can
    be others when these are loaded again.

    Args:
        v_cluster: clusters of a picture.
        a_cluster: clusters of a sound.
        beta: hardness of the clusters.
        rounds: of the clustering.
        cluster_start: where their centers start, see `models.clustering.STARTS`.
        visual_layer: of which pictures' features are the output, see `models.backbone.Backbone`.
        center_features: whether pictures' features lie in the middle of their cells, see `models.backbone.Backbone`.
        normalize: whether features have length 1, so that only their directions count.
        padding: of the visual stream's convolutions, see `models.backbone.Backbone`.
        spectrogram_scaling: ``none``, or ``second``: each second has mean 0 and about unit size.
        audio_pooling: frames of a spectrogram that are averaged into one; the sound network costs as much less.
        precision: of the backbones. All else is computed in the precision of the weights.
    """

    def __init__(
        self,
        v_cluster: int = 2,
        a_cluster: int = 1,
        *,
        beta: float = BETA,
        rounds: int = ROUNDS,
        cluster_start: str = "strided",
        visual_layer: str = "layer4",
        center_features: bool = False,
        normalize: bool = False,
        padding: str = "zeros",
        spectrogram_scaling: str = "none",
        audio_pooling: int = 1,
        precision: torch.dtype = torch.float32,
    ) -> None:
        super().__init__()
        self.v_cluster = v_cluster
        self.a_cluster = a_cluster
        self.beta = beta
        self.rounds = rounds
        self.joint_rounds = 0
        self.turn = False
        self.sizes = 1
        self.cluster_start = cluster_start
        self.normalize = normalize
        self.spectrogram_scaling = spectrogram_scaling
        self.audio_pooling = audio_pooling
        self.precision = precision
        self.visual_net = Backbone(3, padding, visual_layer, center_features)
        self.audio_net = Backbone(in_channels=1)
        self.visual_projection = nn.Linear(FEATURE_SIZES[visual_layer], CENTER_SIZE)
        self.audio_projection = nn.Linear(FEATURE_SIZES["layer4"], CENTER_SIZE)
        self._compiled: dict[nn.Module, Callable[[torch.Tensor], torch.Tensor]] = {}
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(IMAGENET_STD).view(3, 1, 1), persistent=False)
        self.to(memory_format=torch.channels_last)  # the faster order for convolutions

    def compile_training(self) -> None:
        """Train from now on with backbones that PyTorch has compiled for this machine: the first step takes a minute.

        Testing goes on as before: its pictures come in several sizes, each of which would be compiled by itself.
        """
        self._compiled = {net: torch.compile(net) for net in (self.visual_net, self.audio_net)}

    def set_testing(self, options: Namespace) -> None:
        """Cluster from now on as the options say of testing.

        Nothing in training says where in its receptive field a feature has what it stands for, or how much of it: a
        network comes to lean to one side, and turned to the opposite one; and what it takes for the object changes
        with the picture's size. Testing averages the features of several views of a picture.
        """
        self.beta, self.rounds, self.joint_rounds = options.test_beta, options.test_rounds, options.test_joint_rounds
        self.turn, self.sizes = bool(options.test_turn), options.test_sizes

    @contextlib.contextmanager
    def testing(self, options: Namespace) -> Iterator[None]:
        """As `set_testing`, and afterwards as before: for a look at a network in training."""
        before = self.beta, self.rounds, self.joint_rounds, self.turn, self.sizes
        self.set_testing(options)
        try:
            yield
        finally:
            self.beta, self.rounds, self.joint_rounds, self.turn, self.sizes = before

    def forward(self, spectrograms: torch.Tensor, frames: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Centers of sounds, [S, a_cluster, 512], and of pictures, [P, v_cluster, 512]; see `listen` and `see`."""
        return self.listen(spectrograms).centers, self.see(frames).centers

    def see(self, frames: torch.Tensor) -> Clusters:
        """Cluster pictures.

        Args:
            frames: uint8 [B, 3, H, W], RGB.

        Returns:
            Clusters with K = v_cluster, at 1/16 of the size.
        """
        return self._cluster(self.visual_features(frames), self.visual_projection, self.v_cluster)

    def visual_features(self, frames: torch.Tensor) -> torch.Tensor:
        """What `see` clusters, before it is projected: uint8 [B, 3, H, W] -> [B, D, h, w]."""
        normalised = frames.to(self.mean.dtype, copy=True).div_(255).sub_(self.mean).div_(self.std)
        features = self._view(normalised)
        if self.sizes > 1:
            smaller = [self._view(_smaller(normalised, number)) for number in range(1, self.sizes)]
            enlarged = [functional.interpolate(view, features.shape[2:], mode="bilinear") for view in smaller]
            features = torch.stack([features, *enlarged]).mean(0)
        return features

    def _view(self, pictures: torch.Tensor) -> torch.Tensor:
        """Features of normalised pictures, if it is to be with those of the turned pictures, [B, D, h, w]."""
        features = self._features(self.visual_net, pictures).to(pictures.dtype)
        if self.turn:
            turned = self._features(self.visual_net, pictures.flip(-2, -1)).flip(-2, -1).to(pictures.dtype)
            features = (features + turned) / 2
        return features

    def listen(self, spectrograms: torch.Tensor) -> Clusters:
        """Cluster sounds.

        Args:
            spectrograms: float32 [B, 1, 201, 64], log-mel.

        Returns:
            Clusters with K = a_cluster.
        """
        return self._cluster(self.audio_features(spectrograms), self.audio_projection, self.a_cluster)

    def audio_features(self, spectrograms: torch.Tensor) -> torch.Tensor:
        """What `listen` clusters, before it is projected: float32 [B, 1, 201, 64] -> [B, 512, h, w]."""
        if self.spectrogram_scaling == "second":
            std, mean = torch.std_mean(spectrograms, dim=(2, 3), keepdim=True)
            spectrograms = (spectrograms - mean) / (std + QUIET)
        if self.audio_pooling > 1:
            spectrograms = functional.avg_pool2d(spectrograms, (self.audio_pooling, 1))  # over time only
        return self._features(self.audio_net, spectrograms)

    def _features(self, net: Backbone, x: torch.Tensor) -> torch.Tensor:
        with torch.autocast(x.device.type, self.precision, enabled=self.precision != torch.float32):
            call = self._compiled.get(net, net) if self.training else net
            return call(x.contiguous(memory_format=torch.channels_last))

    def _cluster(self, features: torch.Tensor, projection: nn.Linear, num_clusters: int) -> Clusters:
        height, width = features.shape[2:]
        features = features.to(projection.weight.dtype)
        vectors = projection(features.flatten(2).transpose(1, 2))  # [B, h w, 512]
        if self.normalize:
            vectors = functional.normalize(vectors, dim=-1)
        centers, assignment = soft_kmeans(vectors, num_clusters, self.beta, self.rounds, self.cluster_start)
        return Clusters(centers, assignment.unflatten(2, (height, width)), vectors)


def _smaller(pictures: torch.Tensor, number: int) -> torch.Tensor:
    """Pictures [B, 3, H, W] scaled down, by two features' distance a number."""
    size = [max(STRIDE, smallest_view(length, number + 1)) for length in pictures.shape[2:]]
    return functional.interpolate(pictures, size, mode="bilinear", antialias=True)


def build_dmc(options: Namespace, precision: torch.dtype = torch.float32) -> DMC:
    """The network that the options of a training or of its checkpoint describe."""
    return DMC(
        options.v_cluster,
        options.a_cluster,
        beta=options.beta,
        cluster_start=options.cluster_start,
        visual_layer=options.visual_layer,
        center_features=bool(options.center_features),
        normalize=bool(options.normalize),
        padding=options.padding,
        spectrogram_scaling=options.spectrogram_scaling,
        audio_pooling=options.audio_pooling,
        precision=precision,
    )


def smallest_view(size: int, sizes: int) -> int:
    """Pixels of a side of the smallest of `sizes` views of a picture that has `size`, see `DMC.see`."""
    return size - 2 * STRIDE * (sizes - 1)


def most_clusters(height: int, width: int) -> int:
    """The largest number of clusters that an input of this size can have: one for every feature."""
    rows, columns = feature_size(height, width)
    return rows * columns
