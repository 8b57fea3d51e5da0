"""The backbones: torchvision's networks at stride 16, their edges, and what a feature sees."""

import pytest
import torch
from torch import nn
from torchvision.models import mobilenet_v2, resnet18
from torchvision.models.vgg import cfgs, make_layers

from models.backbone import (
    VGG16,
    VISUAL_NETS,
    EdgeConv2d,
    LocalResNet18,
    MobileNetV2,
    ResNet18,
    VGGish,
    feature_size,
    repeat_edges,
)


@pytest.mark.parametrize(
    ("channels", "size", "expected"),
    [(3, (224, 224), (14, 14)), (1, (201, 64), (13, 4)), (3, (112, 96), (7, 6)), (3, (100, 33), (7, 3))],
)
def test_features_are_at_a_sixteenth_of_the_size(channels, size, expected):
    assert feature_size(*size) == expected
    for net in [ResNet18(1)] if channels == 1 else [net_class() for net_class in VISUAL_NETS.values()]:
        with torch.no_grad():
            features = net.eval()(torch.randn(1, channels, *size))
        assert features.shape == (1, net.out_channels, *expected)


def test_the_published_backbone_is_torchvisions_resnet18_with_stride_1_in_layer4():
    reference = resnet18(weights=None).eval()
    net = ResNet18().eval()
    assert net.load_state_dict(reference.state_dict(), strict=False).missing_keys == []
    reference.layer4[0].conv1.stride = reference.layer4[0].downsample[0].stride = (1, 1)
    frame = torch.randn(2, 3, 64, 64)
    stages = nn.Sequential(*list(reference.children())[:-2])
    with torch.no_grad():
        torch.testing.assert_close(net(frame), stages(frame))


def test_vgg16_is_torchvisions_without_the_last_pooling():
    reference = make_layers(cfgs["D"])[:-1]
    net = VGG16()
    net.features.load_state_dict(reference.state_dict())
    frame = torch.randn(1, 3, 64, 48)
    with torch.no_grad():
        torch.testing.assert_close(net(frame), reference(frame))


def test_vggish_is_at_an_eighth_of_five_seconds_and_a_width_scales_every_layer():
    for width in (1.0, 0.25):
        net = VGGish(width)
        with torch.no_grad():
            assert net(torch.randn(1, 1, 496, 64)).shape == (1, net.out_channels, 62, 8)
        convolutions = [layer.out_channels / width for layer in net.features if isinstance(layer, nn.Conv2d)]
        assert convolutions == [64, 128, 256, 256, 512, 512]
    assert VGG16(0.25).out_channels == VGGish(0.25).out_channels == 128


def test_far_from_the_edge_mobilenet_is_torchvisions_half_a_cell_later():
    reference = mobilenet_v2(weights=None).eval()
    net = MobileNetV2().eval()
    assert net.load_state_dict(reference.state_dict(), strict=False).missing_keys == []
    frame = torch.randn(1, 3, 640, 640)
    with torch.no_grad():
        expected = reference.features[:11](frame.roll((-8, -8), (2, 3)))
        torch.testing.assert_close(net(frame)[..., 17:23, 17:23], expected[..., 17:23, 17:23], rtol=1e-3, atol=1e-4)


def test_the_edge_is_invisible_to_all_but_the_published_backbones():
    # A frame of one color: only the edge can make its features differ.
    frame = torch.tensor([0.9, -0.4, 0.2]).view(1, 3, 1, 1).expand(2, 3, 96, 80)
    torch.manual_seed(0)
    for net_class in VISUAL_NETS.values():
        with torch.no_grad():
            features = net_class().eval()(frame)
        spread = features.flatten(2).std(-1).mean() / features.abs().mean()
        assert spread > 0.05 if net_class in (ResNet18, VGG16) else spread < 1e-4


@pytest.mark.parametrize("precision", [torch.bfloat16, torch.float16])
def test_a_convolution_that_repeats_the_edge_is_pytorchs_one_and_keeps_half_precision(precision):
    torch.manual_seed(0)
    expected = nn.Conv2d(6, 6, (3, 5), 2, (1, 2), groups=3, bias=False, padding_mode="replicate")
    ours = EdgeConv2d(6, 6, (3, 5), 2, (1, 2), groups=3, bias=False)
    ours.load_state_dict(expected.state_dict())
    x = torch.randn(2, 6, 9, 7)
    assert torch.equal(ours(x), expected(x))
    with torch.autocast("cpu", precision):
        assert repeat_edges(x.to(precision), (1, 1, 1, 1)).dtype == precision
        assert torch.equal(ours(x.to(precision)), expected(x.to(precision)))


@pytest.mark.parametrize("net_class", [LocalResNet18, MobileNetV2])
def test_features_see_the_middle_of_their_cell(net_class):
    torch.manual_seed(0)
    net = net_class().eval()
    frames = torch.randn(8, 3, 144, 144, requires_grad=True)
    net(frames)[:, :, 4, 4].square().sum().backward()
    influence = frames.grad.square().sum((0, 1))  # [144, 144], of each pixel on the feature at (4, 4)
    position = torch.arange(144.0)
    row = (influence.sum(1) * position).sum() / influence.sum()
    column = (influence.sum(0) * position).sum() / influence.sum()
    assert [row.item(), column.item()] == pytest.approx([16 * 4 + 8] * 2, abs=3)


@pytest.mark.parametrize(("net_class", "pixels"), [(LocalResNet18, 147), (MobileNetV2, 171), (ResNet18, 339)])
def test_the_receptive_field_is_the_documented_one(net_class, pixels):
    net = net_class().eval()
    frame = torch.randn(1, 3, 416, 416, requires_grad=True)
    net(frame)[:, :, 13, 13].square().sum().backward()
    seen = frame.grad.abs().sum((0, 1, 2)).nonzero()
    assert len(seen) == seen.max() - seen.min() + 1 == pixels
