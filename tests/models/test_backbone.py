"""The backbone: torchvision's ResNet-18 at stride 16, its padding, and what a feature sees."""

import pytest
import torch
from torch import nn
from torchvision.models import resnet18

from models.backbone import Backbone, feature_size


@pytest.mark.parametrize(
    ("channels", "size", "expected"),
    [(3, (224, 224), (14, 14)), (1, (201, 64), (13, 4)), (3, (112, 96), (7, 6)), (3, (100, 33), (7, 3))],
)
def test_features_are_at_a_sixteenth_of_the_size(channels, size, expected):
    with torch.no_grad():
        features = Backbone(channels).eval()(torch.randn(1, channels, *size))
    assert features.shape == (1, 512, *expected) and feature_size(*size) == expected


def test_the_backbone_is_torchvisions_resnet18_with_stride_1_in_layer4():
    reference = resnet18(weights=None).eval()
    net = Backbone(3).eval()
    assert net.load_state_dict(reference.state_dict(), strict=False).missing_keys == []
    reference.layer4[0].conv1.stride = reference.layer4[0].downsample[0].stride = (1, 1)
    frame = torch.randn(2, 3, 64, 64)
    stages = nn.Sequential(*list(reference.children())[:-2])
    with torch.no_grad():
        torch.testing.assert_close(net(frame), stages(frame))


def test_a_replicated_edge_is_invisible_and_a_zero_edge_is_not():
    # A frame of one colour: only the edge can make its features differ.
    frame = torch.tensor([0.9, -0.4, 0.2]).view(1, 3, 1, 1).expand(2, 3, 96, 80)
    torch.manual_seed(0)
    nets = {padding: Backbone(3, padding).eval() for padding in ("zeros", "replicate")}
    nets["replicate"].load_state_dict(nets["zeros"].state_dict())
    with torch.no_grad():
        features = {padding: net(frame) for padding, net in nets.items()}
    constant = features["replicate"][:, :, :1, :1].expand_as(features["replicate"])
    torch.testing.assert_close(features["replicate"], constant, rtol=1e-4, atol=1e-5)
    spread = features["zeros"].flatten(2).std(-1).mean() / features["zeros"].abs().mean()
    assert spread > 0.05


@pytest.mark.parametrize(("center_features", "expected"), [(False, 16 * 4), (True, 16 * 4 + 8)])
@pytest.mark.parametrize("last_layer", ["layer3_local", "layer3", "layer4"])
def test_centered_features_see_the_middle_of_their_cell(center_features, expected, last_layer):
    torch.manual_seed(0)
    net = Backbone(3, "replicate", last_layer, center_features).eval()
    frames = torch.randn(8, 3, 144, 144, requires_grad=True)
    net(frames)[:, :, 4, 4].square().sum().backward()
    influence = frames.grad.square().sum((0, 1))  # [144, 144], of each pixel on the feature at (4, 4)
    position = torch.arange(144.0)
    row = (influence.sum(1) * position).sum() / influence.sum()
    column = (influence.sum(0) * position).sum() / influence.sum()
    assert row.item() == pytest.approx(expected, abs=3) and column.item() == pytest.approx(expected, abs=3)


def test_centering_changes_neither_the_number_of_features_nor_the_weights():
    plain, centered = Backbone(3).eval(), Backbone(3, center_features=True).eval()
    centered.load_state_dict(plain.state_dict())
    with torch.no_grad():
        for size in ((96, 96), (100, 33), (144, 145)):
            assert plain(torch.zeros(1, 3, *size)).shape == centered(torch.zeros(1, 3, *size)).shape


@pytest.mark.parametrize(("last_layer", "pixels"), [("layer3_local", 147), ("layer3", 211), ("layer4", 339)])
def test_the_receptive_field_is_the_documented_one(last_layer, pixels):
    net = Backbone(3, last_layer=last_layer).eval()
    frame = torch.randn(1, 3, 416, 416, requires_grad=True)
    net(frame)[:, :, 13, 13].square().sum().backward()
    seen = frame.grad.abs().sum((0, 1, 2)).nonzero()
    assert len(seen) == seen.max() - seen.min() + 1 == pixels
