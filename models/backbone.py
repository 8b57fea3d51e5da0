"""Networks that turn a frame or a spectrogram into a map of features at 1/16 of its size.

A strided convolution starts at the first pixel, so feature i of a usual network is centered on pixel 16 i, a corner of
its cell of 16 x 16 pixels: maps are half a cell too far down and right. The networks below that are not the published
one start their last strided stage one place, 8 pixels, later: their feature i is centered on pixel 16 i + 8.

Zeros around a frame tell a feature how far the edge is. The features along the edge then form a cluster of their own
before an object does. These networks repeat the edge instead.
"""

import math
from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional
from torchvision.models import mobilenet_v2, resnet18

STRIDE = 16  # pixels from one feature to the next
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class ResNet18(nn.Module):
    """ResNet-18 without pooling and classifier, its last stage at stride 1, as published. torchvision's names.

    Args:
        in_channels: 3 for frames, 1 for spectrograms.
    """

    out_channels = 512
    mean, std = IMAGENET_MEAN, IMAGENET_STD

    def __init__(self, in_channels: int = 3) -> None:
        super().__init__()
        resnet = resnet18(weights=None)
        if in_channels != 3:
            resnet.conv1 = nn.Conv2d(in_channels, 64, kernel_size=7, stride=2, padding=3, bias=False)
            nn.init.kaiming_normal_(resnet.conv1.weight, mode="fan_out", nonlinearity="relu")  # as torchvision does
        resnet.layer4[0].conv1.stride = (1, 1)
        resnet.layer4[0].downsample[0].stride = (1, 1)
        for name, module in resnet.named_children():
            if name not in ("avgpool", "fc"):
                self.add_module(name, module)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Features, [B, C, H, W] -> [B, D, h, w]; see `feature_size`.

        224 x 224 pixels give 14 x 14 features, a spectrogram of 201 x 64 gives 13 x 4.
        """
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        return self.layer4(self.layer3(self.layer2(self.layer1(x))))


class LocalResNet18(ResNet18):
    """ResNet-18 for frames up to its third stage, whose last block has pointwise kernels.

    A feature sees 147 pixels instead of 339, so it can learn less of the background by heart, at half the cost.
    """

    out_channels = 256

    def __init__(self) -> None:
        super().__init__()
        for name in ("conv1", "conv2"):
            setattr(self.layer3[1], name, nn.Conv2d(256, 256, kernel_size=1, bias=False))
        del self.layer4
        replicate_edges(self)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Features, [B, 3, H, W] -> [B, 256, h, w]."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        return self.layer3(start_one_later(self.layer2(self.layer1(x))))


class MobileNetV2(nn.Module):
    """MobileNetV2 for frames up to its first stage at 1/16 (Sandler et al., CVPR 2018). torchvision's names.

    A feature sees 171 pixels. With the next stage, which sees 267, maps were no better.
    """

    out_channels = 64
    mean, std = IMAGENET_MEAN, IMAGENET_STD
    LAST, LAST_STRIDED = 10, 7  # of torchvision's `features`

    def __init__(self) -> None:
        super().__init__()
        self.features = mobilenet_v2(weights=None).features[: self.LAST + 1]
        replicate_edges(self)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Features, [B, 3, H, W] -> [B, 64, h, w]."""
        return self.features[self.LAST_STRIDED :](start_one_later(self.features[: self.LAST_STRIDED](x)))


class VGG16(nn.Module):
    """VGG-16 for frames without its last pooling and its classifier, as in the CVPR paper. torchvision's names.

    256 x 256 pixels give 16 x 16 features.

    Args:
        width: factor of the number of channels of each layer.
    """

    mean = std = (0.5, 0.5, 0.5)  # frames in -1 ... 1

    def __init__(self, width: float = 1.0) -> None:
        super().__init__()
        stages = (64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512)
        self.features, self.out_channels = _vgg_layers(3, stages, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Features, [B, 3, H, W] -> [B, 512 width, h, w]."""
        return self.features(x)


class VGGish(nn.Module):
    """VGGish for spectrograms without its last pooling and its classifier, as in the CVPR paper.

    A spectrogram of 496 x 64 gives 62 x 8 features. They are at 1/8 of its size.

    Args:
        width: factor of the number of channels of each layer.
    """

    def __init__(self, width: float = 1.0) -> None:
        super().__init__()
        self.features, self.out_channels = _vgg_layers(1, ((64,), (128,), (256, 256), (512, 512)), width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Features, [B, 1, H, W] -> [B, 512 width, h, w]."""
        return self.features(x)


def _vgg_layers(in_channels: int, stages: Sequence[Sequence[int]], width: float) -> tuple[nn.Sequential, int]:
    """Stages of 3 x 3 convolutions with ReLU, a pooling between them; and the number of channels at the end.

    Of a size that is no multiple of 16 the last rows and columns count too, as in the other networks.
    """
    layers = []
    for stage in stages:
        layers += [nn.MaxPool2d(2, ceil_mode=True)] if layers else []
        for channels in stage:
            convolution = nn.Conv2d(in_channels, in_channels := max(1, round(width * channels)), 3, padding=1)
            nn.init.kaiming_normal_(convolution.weight, mode="fan_out", nonlinearity="relu")  # as torchvision does
            nn.init.zeros_(convolution.bias)
            layers += [convolution, nn.ReLU(inplace=True)]
    return nn.Sequential(*layers), in_channels


VISUAL_NETS = {"resnet18": ResNet18, "resnet18_local": LocalResNet18, "mobilenet_v2": MobileNetV2, "vgg16": VGG16}


def repeat_edges(x: torch.Tensor, widths: tuple[int, int, int, int]) -> torch.Tensor:
    """Repeat the edge of [B, D, H, W] left, right, above, and below.

    On CPUs autocast would do it in float32, for 10% of a step of the pretrained recipe.
    """
    with torch.autocast(x.device.type, enabled=False):
        return functional.pad(x, widths, mode="replicate")


class EdgeConv2d(nn.Conv2d):
    """A convolution that repeats the edge."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Convolve, [B, C, H, W] -> [B, D, h, w]."""
        rows, columns = self.padding
        padded = repeat_edges(x, (columns, columns, rows, rows))
        return functional.conv2d(padded, self.weight, self.bias, stride=self.stride, groups=self.groups)


def start_one_later(x: torch.Tensor) -> torch.Tensor:
    """Features moved by one place up and left, the last row and column repeated: [B, D, h, w]."""
    return repeat_edges(x, (0, 1, 0, 1))[..., 1:, 1:]


def replicate_edges(module: nn.Module) -> None:
    """Replace all convolutions of a module by ones that repeat the edge. Their weights stay."""
    for name, child in module.named_children():
        if isinstance(child, nn.Conv2d) and child.padding != (0, 0):
            shape = (child.in_channels, child.out_channels, child.kernel_size, child.stride, child.padding)
            edge_conv = EdgeConv2d(*shape, groups=child.groups, bias=False)
            edge_conv.weight = child.weight
            setattr(module, name, edge_conv)
        else:
            replicate_edges(child)


def feature_size(height: int, width: int) -> tuple[int, int]:
    """Rows and columns of the features of an input of `height` x `width`."""
    return math.ceil(height / STRIDE), math.ceil(width / STRIDE)
