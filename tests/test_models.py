"""The network, its losses and the matching of clusters: by hand and against plain loops."""

import itertools
import math

import numpy as np
import pytest
import torch
from torch import nn
from torchvision.models import resnet18

from models.backbone import Backbone
from models.clustering import soft_kmeans
from models.dmc import DMC
from models.losses import ContrastiveLoss
from models.matching import match_clusters, pair_distance, squared_distances


@pytest.mark.parametrize(
    ("channels", "size", "expected"),
    [(3, (224, 224), (14, 14)), (1, (201, 64), (13, 4)), (3, (112, 96), (7, 6)), (3, (100, 33), (7, 3))],
)
def test_features_are_at_a_sixteenth(channels, size, expected):
    with torch.no_grad():
        features = Backbone(channels).eval()(torch.randn(1, channels, *size))
    assert features.shape == (1, 512, *expected)


def test_the_backbone_is_torchvisions_resnet18_with_stride_1_in_layer4():
    reference = resnet18(weights=None).eval()
    net = Backbone(3).eval()
    assert net.load_state_dict(reference.state_dict(), strict=False).missing_keys == []
    reference.layer4[0].conv1.stride = reference.layer4[0].downsample[0].stride = (1, 1)
    picture = torch.randn(2, 3, 64, 64)
    stages = nn.Sequential(*list(reference.children())[:-2])
    with torch.no_grad():
        torch.testing.assert_close(net(picture), stages(picture))


def test_pictures_are_normalised_as_imagenet_on_the_way_in():
    model = DMC().eval()
    seen = []
    model.visual_net.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    frames = torch.zeros(1, 3, 32, 32, dtype=torch.uint8)
    frames[:, 1] = 255
    with torch.no_grad():
        model.see(frames)
    expected = [(0 - 0.485) / 0.229, (1 - 0.456) / 0.224, (0 - 0.406) / 0.225]
    torch.testing.assert_close(seen[0][0, :, 5, 5], torch.tensor(expected))


def test_the_streams_cluster_the_projected_features():
    torch.manual_seed(0)
    model = DMC(v_cluster=3, a_cluster=2).eval()
    frames = torch.randint(0, 256, (2, 3, 64, 48), dtype=torch.uint8)
    spectrograms = torch.randn(2, 1, 201, 64)
    with torch.no_grad():
        visual, audio = model.see(frames), model.listen(spectrograms)
        features = model.audio_net(spectrograms)  # [2, 512, 13, 4]
        vectors = torch.stack([model.audio_projection(features[:, :, i, j]) for i in range(13) for j in range(4)], 1)
        centers, assignment = soft_kmeans(vectors, 2)
    assert visual.centers.shape == (2, 3, 512) and visual.assignment.shape == (2, 3, 4, 3)
    torch.testing.assert_close(audio.centers, centers, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(audio.assignment[1, 0, 12, 3], assignment[1, 0, 51], rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(visual.assignment.sum(1), torch.ones(2, 4, 3))


def test_the_loss_by_hand():
    right, wrong = torch.tensor([4.0, 0.0]), torch.tensor([9.0, 100.0])  # D = 2, 0 and 3, 10
    expected = (0.5 * 4 + 0 + 0.5 * (5 - 3) ** 2 + 0) / 4
    assert ContrastiveLoss()(right, wrong).item() == pytest.approx(expected, rel=1e-6)


def test_the_losss_gradient_is_finite_at_distance_0():
    wrong = torch.zeros(2, requires_grad=True)
    ContrastiveLoss()(torch.zeros(2), wrong).backward()
    assert wrong.grad.isfinite().all() and (wrong.grad < 0).all()  # pushed apart


def test_the_margin_is_an_option():
    loss = ContrastiveLoss(margin=1.0)(torch.tensor([0.0]), torch.tensor([0.25]))
    assert loss.item() == pytest.approx(0.5 * (1 - math.sqrt(0.25 + 1e-9)) ** 2 / 2)


def test_a_pairs_distance_is_that_of_each_sound_cluster_to_the_nearest_visual_one():
    rng = np.random.default_rng(0)
    audio, visual = rng.normal(size=(3, 2, 4)), rng.normal(size=(3, 5, 4))
    expected = [sum(min(((a - v) ** 2).sum() for v in visual[b]) for a in audio[b]) for b in range(3)]
    found = pair_distance(torch.tensor(audio), torch.tensor(visual))
    np.testing.assert_allclose(found, expected)
    assert squared_distances(torch.tensor(audio), torch.tensor(visual)).shape == (3, 2, 5)


def test_one_sound_gets_the_nearest_cluster_and_the_others_follow_by_distance():
    assert match_clusters(torch.tensor([[3.0, 1.0, 2.0, 0.5]])).tolist() == [3, 1, 2, 0]


def test_several_sounds_get_one_cluster_each_with_the_smallest_sum():
    for seed in range(20):
        distances = np.random.default_rng(seed).uniform(0, 1, (2, 4))
        best = min(itertools.permutations(range(4), 2), key=lambda pair: distances[0, pair[0]] + distances[1, pair[1]])
        order = match_clusters(torch.tensor(distances)).tolist()
        assert tuple(order[:2]) == best
        others = sorted(set(range(4)) - set(best), key=lambda column: distances[:, column].min())
        assert order[2:] == others


def test_both_sounds_nearest_to_one_cluster_do_not_share_it():
    assert match_clusters(torch.tensor([[0.1, 1.0], [0.2, 5.0]])).tolist() == [1, 0]  # 1.0 + 0.2 < 0.1 + 5.0
