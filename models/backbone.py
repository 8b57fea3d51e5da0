"""ResNet-18 as a map of features at 1/16: torchvision's, its last stage at stride 1, or without it and more local."""

import math

import torch
from torch import nn
from torch.nn import functional
from torchvision.models import resnet18

FEATURE_SIZES = {"layer3_local": 256, "layer3": 256, "layer4": 512}  # of the layer that ends the network
LAYERS = tuple(FEATURE_SIZES)
STRIDE = 16  # pixels from one feature to the next
PADDINGS = ("zeros", "replicate")


class Backbone(nn.Module):
    """ResNet-18 without pooling and classifier. Its weights have torchvision's names.

    Args:
        in_channels: 3 for frames, 1 for spectrograms.
        padding: of the convolutions. Zeros tell a feature how far the edge is. The features along the edge then form a
            cluster of their own before an object does. ``replicate`` repeats the edge.
        last_layer: ``layer4`` is the whole network. ``layer3`` stops before the last stage, at the same stride: half
            the cost, and a receptive field of 211 pixels instead of 339. ``layer3_local`` has pointwise kernels in its
            last block, and a receptive field of 147 pixels.
        center_features: A strided convolution starts at the first pixel, so feature i is centered on pixel 16 i, a
            corner of its cell of 16 x 16 pixels: maps are half a cell too far down and right. With this, layer 3
            starts at the second place, and feature i is centered on pixel 16 i + 8. The weights do not depend on it.
    """

    def __init__(
        self, in_channels: int, padding: str = "zeros", last_layer: str = "layer4", center_features: bool = False
    ) -> None:
        super().__init__()
        self.center_features = center_features
        resnet = resnet18(weights=None)
        if in_channels != 3:
            resnet.conv1 = nn.Conv2d(in_channels, 64, kernel_size=7, stride=2, padding=3, bias=False)
            nn.init.kaiming_normal_(resnet.conv1.weight, mode="fan_out", nonlinearity="relu")  # as torchvision does
        resnet.layer4[0].conv1.stride = (1, 1)
        resnet.layer4[0].downsample[0].stride = (1, 1)
        if last_layer == "layer3_local":
            make_pointwise(resnet.layer3[1])
        for name, module in resnet.named_children():
            if name not in ("avgpool", "fc") and (name != "layer4" or last_layer == "layer4"):
                self.add_module(name, module)
        if padding == "replicate":
            replicate_edges(self)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Features, [B, C, H, W] -> [B, D, h, w]; see `FEATURE_SIZES` and `feature_size`.

        224 x 224 pixels give 14 x 14 features, a spectrogram of 201 x 64 gives 13 x 4.
        """
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        x = self.layer2(self.layer1(x))
        if self.center_features:
            x = functional.pad(x, (0, 1, 0, 1), mode="replicate")[..., 1:, 1:]
        x = self.layer3(x)
        return self.layer4(x) if hasattr(self, "layer4") else x


def make_pointwise(block: nn.Module) -> None:
    """Give both convolutions of a block at the end of a stage kernels of 1 x 1."""
    for name in ("conv1", "conv2"):
        channels = getattr(block, name).out_channels
        setattr(block, name, nn.Conv2d(channels, channels, kernel_size=1, bias=False))


def replicate_edges(module: nn.Module) -> None:
    """Replace all convolutions of a module by ones that repeat the edge. Their weights stay."""
    for name, child in module.named_children():
        if isinstance(child, nn.Conv2d) and child.padding != (0, 0):
            shape = (child.in_channels, child.out_channels, child.kernel_size, child.stride, child.padding)
            replicating = nn.Conv2d(*shape, bias=False, padding_mode="replicate")
            replicating.weight = child.weight
            setattr(module, name, replicating)
        else:
            replicate_edges(child)


def feature_size(height: int, width: int) -> tuple[int, int]:
    """Rows and columns of the features of an input of `height` x `width`."""
    return math.ceil(height / STRIDE), math.ceil(width / STRIDE)
