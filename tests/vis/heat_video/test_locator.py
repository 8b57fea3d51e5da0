"""The network of a heat video, without BatchNorm."""

import pytest
import torch
from torch import nn

from models.backbone import VISUAL_NETS
from vis.heat_video.locator import fold_batch_norm


@pytest.mark.parametrize("name", ["resnet18", "resnet18_local", "mobilenet_v2"])
def test_a_network_without_batch_norm_has_the_same_features(name):
    torch.manual_seed(0)
    network, frames = VISUAL_NETS[name](), torch.randn(4, 3, 64, 64)
    for _ in range(10):
        network(frames)  # statistics that are not 0 and 1
    with torch.no_grad():
        expected = network.eval()(frames)
        fold_batch_norm(network)
        assert not any(isinstance(module, nn.BatchNorm2d) for module in network.modules())
        torch.testing.assert_close(network(frames), expected, rtol=1e-3, atol=1e-4)
