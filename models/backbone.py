"""ResNet-18 as a map of features at 1/16: torchvision's, its last stage at stride 1, or without it and more local."""

import math

import torch
from torch import nn
from torch.nn import functional
from torchvision.models import resnet18

FEATURE_SIZES = {"layer3_local": 256, "layer3": 256, "layer4": 512}  # of the features that can be the last
STRIDE = 16  # pixels from one feature to the next
PADDINGS = ("zeros", "replicate")


class Backbone(nn.Module):
    """ResNet-18 without pooling and classifier; its weights have torchvision's names.

    Args:
        in_channels: 3 for pictures, 1 for spectrograms.
        padding: what convolutions see beyond the edge. Zeros tell every feature how far the edge is, so that the
            features along it become a kind of their own, which a clustering finds before it finds objects;
            ``replicate`` repeats the edge.
        last_layer: ``layer4`` is the whole network; ``layer3`` stops before its last stage, at the same stride: half
            the cost, and each feature sees 211 pixels instead of 339, so that it tells more of its own place;
            ``layer3_local``, in whose last block the kernels are single points, 147 pixels.
        center_features: strided convolutions look at every second place from the first one on, so that feature i is
            centred on pixel 16 i, a corner of the cell of 16 x 16 pixels that it stands for in a map: all maps are half
            a cell too far down and right. With this, layer 3 looks from the second place on, and feature i is
            centred on pixel 16 i + 8. The weights do not depend on it.
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
            repeat_edges(self)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Features of a batch.

        Args:
            x: [B, C, H, W].

        Returns:
            [B, D, h, w], see `FEATURE_SIZES` and `feature_size`: 14 x 14 of 224 x 224 pixels, 13 x 4 of a spectrogram
            of 201 x 64.
        """
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        x = self.layer2(self.layer1(x))
        if self.center_features:
            x = _edges_repeated(x, (0, 1, 0, 1))[..., 1:, 1:]
        x = self.layer3(x)
        return self.layer4(x) if hasattr(self, "layer4") else x


def make_pointwise(block: nn.Module) -> None:
    """Give both convolutions of a block, as it is at the end of a stage, kernels of 1 x 1."""
    for name in ("conv1", "conv2"):
        channels = getattr(block, name).out_channels
        setattr(block, name, nn.Conv2d(channels, channels, kernel_size=1, bias=False))


def repeat_edges(module: nn.Module) -> None:
    """Make all convolutions in a module see the edge repeated beyond it; their weights stay."""
    for name, child in module.named_children():
        if isinstance(child, nn.Conv2d) and child.padding != (0, 0):
            shape = (child.in_channels, child.out_channels, child.kernel_size, child.stride, child.padding)
            padded = _EdgeRepeatingConv2d(*shape, bias=False, padding_mode="replicate")
            padded.weight = child.weight
            setattr(module, name, padded)
        else:
            repeat_edges(child)


class _EdgeRepeatingConv2d(nn.Conv2d):
    """As a convolution with this ``padding_mode`` is, in a form that can be compiled."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """[B, C, H, W] -> [B, D, h, w]."""
        above, beside = self.padding
        return functional.conv2d(_edges_repeated(x, (beside, beside, above, above)), self.weight, None, self.stride)


def _edges_repeated(x: torch.Tensor, padding: tuple[int, int, int, int]) -> torch.Tensor:
    """A batch with so many more columns to the left and right, and rows above and below.

    While it is compiled, it is put together from slices: of the gradient of its own padding, PyTorch's compiler (2.14)
    assumes a memory format that it does not have on CPUs, and stops.
    """
    if not torch.compiler.is_compiling():
        return functional.pad(x, padding, mode="replicate")
    for axis, (before, after) in ((3, padding[:2]), (2, padding[2:])):
        first, last = x.narrow(axis, 0, 1), x.narrow(axis, x.shape[axis] - 1, 1)
        x = torch.cat([first] * before + [x] + [last] * after, axis)
    return x


def feature_size(height: int, width: int) -> tuple[int, int]:
    """Rows and columns of the features of an input of `height` x `width`."""
    return math.ceil(height / STRIDE), math.ceil(width / STRIDE)
