"""The network: its features, what is done to pictures and sounds on the way in, its options and its precision."""

from argparse import Namespace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torchvision.models import resnet18

from models.backbone import Backbone
from models.clustering import soft_kmeans
from models.dmc import DMC, build_dmc
from models.localization import locate
from tests.fixtures.planted import plant_checkpoint
from training.checkpoint import load_weights, read_checkpoint
from training.options import merge_options, picture_size
from training.precision import choose_precision, slow_training


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


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_normalising_leaves_the_frames_as_they_are(dtype):
    model = DMC().to(dtype).eval()
    for kind in (torch.uint8, dtype):
        frames = torch.full((1, 3, 32, 32), 7).to(kind)
        with torch.no_grad():
            model.see(frames)
        assert (frames == 7).all()


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


def test_beyond_a_replicated_edge_nothing_is_seen_but_zeros_show_where_the_edge_is():
    # A picture of one colour has nothing to find; what differs over its features is the edge.
    picture = torch.tensor([0.9, -0.4, 0.2]).view(1, 3, 1, 1).expand(2, 3, 96, 80)
    torch.manual_seed(0)
    nets = {padding: Backbone(3, padding).eval() for padding in ("zeros", "replicate")}
    nets["replicate"].load_state_dict(nets["zeros"].state_dict())
    with torch.no_grad():
        features = {padding: net(picture) for padding, net in nets.items()}
    constant = features["replicate"][:, :, :1, :1].expand_as(features["replicate"])
    torch.testing.assert_close(features["replicate"], constant, rtol=1e-4, atol=1e-5)
    spread = features["zeros"].flatten(2).std(-1).mean() / features["zeros"].abs().mean()
    assert spread > 0.05


def test_another_padding_has_the_same_weights_under_the_same_names_and_they_are_trained():
    zeros, replicate = (DMC(padding=padding) for padding in ("zeros", "replicate"))
    shapes = [{name: value.shape for name, value in model.state_dict().items()} for model in (zeros, replicate)]
    assert shapes[0] == shapes[1]
    assert replicate.load_state_dict(zeros.state_dict()) and zeros.load_state_dict(replicate.state_dict())
    assert {id(weight) for weight in replicate.parameters()} >= {id(replicate.visual_net.layer1[0].conv1.weight)}
    modes = {
        module.padding_mode for module in replicate.visual_net.modules() if getattr(module, "padding", 0) == (1, 1)
    }
    assert modes == {"replicate"}
    assert {module.padding_mode for module in replicate.audio_net.modules() if isinstance(module, nn.Conv2d)} == {
        "zeros"
    }


def pictures_and_sounds() -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(1)
    return torch.randint(0, 256, (2, 3, 64, 48), dtype=torch.uint8), torch.randn(2, 1, 201, 64) * 20 - 50


def test_normalized_features_have_length_1_so_that_a_centre_of_one_vector_does_too():
    pictures, sounds = pictures_and_sounds()
    model = DMC(v_cluster=12, a_cluster=52, beta=1e4, normalize=True).eval()  # as many clusters as features
    with torch.no_grad():
        visual, audio = model.see(pictures), model.listen(sounds)
        soft = DMC(v_cluster=2, beta=1.0, normalize=True).eval().see(pictures)
        free = DMC(v_cluster=12, beta=1e4).eval().see(pictures)
    for clusters in (visual, audio):
        torch.testing.assert_close(clusters.centers.norm(dim=-1), torch.ones(clusters.centers.shape[:2]))
    assert (soft.centers.norm(dim=-1) <= 1 + 1e-5).all()  # a mean of such vectors is shorter
    assert (free.centers.norm(dim=-1) - 1).abs().max() > 1e-2


def test_a_seconds_own_scale_makes_loudness_of_no_account_and_silence_harmless():
    _, sounds = pictures_and_sounds()
    model = DMC(a_cluster=2, spectrogram_scaling="second").eval()
    with torch.no_grad():
        centers, louder = model.listen(sounds).centers, model.listen(sounds + 17).centers
        silence = model.listen(torch.full((1, 1, 201, 64), -100.0)).centers
        model.spectrogram_scaling = "none"
        plain, plain_louder = model.listen(sounds).centers, model.listen(sounds + 17).centers
    torch.testing.assert_close(centers, louder, rtol=1e-3, atol=1e-4)
    assert silence.isfinite().all()
    assert (plain - plain_louder).abs().max() > 0.01


def test_a_scaled_second_has_mean_0_and_about_unit_size_each_for_itself():
    seen = []
    model = DMC(spectrogram_scaling="second").eval()
    model.audio_net.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    quiet, loud = torch.randn(1, 1, 201, 64) * 0.01 - 90, torch.randn(1, 1, 201, 64) * 20 - 30
    with torch.no_grad():
        model.listen(torch.cat([quiet, loud]))
    torch.testing.assert_close(seen[0].mean((1, 2, 3)), torch.zeros(2), rtol=0, atol=1e-4)
    quiet, loud = seen[0].std((1, 2, 3)).tolist()
    assert quiet < 0.01 and loud == pytest.approx(20 / 25, rel=0.02)  # what is next to silence is not blown up


@pytest.mark.parametrize(("pooling", "rows"), [(1, 13), (2, 7), (4, 4), (201, 1)])
def test_pooled_sounds_have_as_many_fewer_frames(pooling, rows):
    model = DMC(audio_pooling=pooling).eval()
    seen = []
    model.audio_net.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    sound = torch.arange(201.0).view(1, 1, 201, 1).expand(1, 1, 201, 64)
    with torch.no_grad():
        assert model.listen(sound).assignment.shape == (1, 1, rows, 4)
    assert seen[0].shape[2:] == (201 // pooling, 64)
    means = [sum(range(i * pooling, (i + 1) * pooling)) / pooling for i in range(201 // pooling)]
    torch.testing.assert_close(seen[0][0, 0, :, 9], torch.tensor(means))


def test_the_precision_that_is_named_is_that_precision():
    cpu = torch.device("cpu")
    assert choose_precision("fp32", cpu) == torch.float32 and choose_precision("bf16", cpu) == torch.bfloat16


@pytest.mark.parametrize(("computes", "expected"), [(True, torch.bfloat16), (False, torch.float32)])
def test_auto_is_bf16_exactly_where_the_hardware_computes_in_it(monkeypatch, computes, expected):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx2": True, "avx512_bf16": computes}, raising=False)
    assert choose_precision("auto", torch.device("cpu")) == expected
    monkeypatch.delattr(torch.cpu, "get_capabilities")  # as in older versions
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: computes, raising=False)
    assert choose_precision("auto", torch.device("cpu")) == expected
    asked = []
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **given: asked.append(given) or computes)
    assert choose_precision("auto", torch.device("cuda")) == expected
    assert asked == [{"including_emulation": False}]


def test_auto_knows_this_processor():
    flags = Path("/proc/cpuinfo").read_text().split() if Path("/proc/cpuinfo").exists() else []
    expected = torch.bfloat16 if "avx512_bf16" in flags else torch.float32
    assert choose_precision("auto", torch.device("cpu")) == expected


def test_auto_is_fp32_on_a_processor_of_which_nothing_is_known(monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"architecture": "riscv64"}, raising=False)
    assert choose_precision("auto", torch.device("cpu")) == torch.float32
    monkeypatch.delattr(torch.cpu, "get_capabilities")
    monkeypatch.delattr(torch.cpu, "_is_avx512_bf16_supported", raising=False)
    assert choose_precision("auto", torch.device("cpu")) == torch.float32
    assert choose_precision("auto", torch.device("meta")) == torch.float32


def test_only_float16_on_a_cpu_is_warned_of():
    cpu, gpu = torch.device("cpu"), torch.device("cuda")
    assert "--precision auto" in slow_training(torch.float16, cpu)
    others = [(torch.float32, cpu), (torch.bfloat16, cpu), (torch.float16, gpu), (torch.bfloat16, gpu)]
    assert [slow_training(*other) for other in others] == [None] * 4


def test_bf16_centres_are_those_of_fp32_to_two_hundredths_and_clustered_in_float32():
    pictures, sounds = pictures_and_sounds()
    torch.manual_seed(0)
    # One cluster: its centre is the mean of the features, and does not jump where a start changes.
    exact = DMC(1, 1, normalize=True, spectrogram_scaling="second").eval()
    rounded = DMC(1, 1, normalize=True, spectrogram_scaling="second", precision=torch.bfloat16).eval()
    rounded.load_state_dict(exact.state_dict())
    seen = []
    rounded.visual_net.layer4.register_forward_hook(lambda *arguments: seen.append(arguments[2].dtype))
    with torch.no_grad():
        for found, expected in (
            (rounded.see(pictures), exact.see(pictures)),
            (rounded.listen(sounds), exact.listen(sounds)),
        ):
            assert found.centers.dtype == found.assignment.dtype == torch.float32
            error = (found.centers - expected.centers).norm(dim=-1) / expected.centers.norm(dim=-1)
            assert 0 < error.max() < 0.02
    assert seen == [torch.bfloat16]
    assert {weight.dtype for weight in rounded.parameters()} == {torch.float32}


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_the_maps_of_every_precision_are_those_of_float32_to_a_hundredth(tmp_path, precision):
    red, grey = np.array([[220, 30, 30]]), np.array([[120, 120, 120]])
    checkpoint = read_checkpoint(plant_checkpoint(tmp_path / "best.pth", red, grey))
    options = merge_options({}, checkpoint.args)
    size = picture_size(options)
    torch.manual_seed(0)
    frames = (120 + 20 * torch.randn(4, 3, size, size)).clamp(0, 255).to(torch.uint8)
    for number, frame in enumerate(frames):  # a red square in noise, each time elsewhere
        start = 20 * (number + 1)
        frame[:, start : start + 60, 30:90] = torch.from_numpy(red).view(3, 1, 1)
    batch = {"spectrogram": torch.randn(4, 1, 201, 64), "frames": frames, "second": torch.arange(4)}
    located = []
    for name in ("fp32", precision):
        model = build_dmc(options, choose_precision(name, torch.device("cpu"))).eval()
        load_weights(model, checkpoint)
        model.set_testing(options)
        located.append(locate(model, batch))
    expected, found = located
    assert (expected.maps.max((1, 2, 3)) > 0.9).all() and (found.maps != expected.maps).any()
    np.testing.assert_allclose(found.maps, expected.maps, rtol=0, atol=0.01)
    np.testing.assert_allclose(found.distances, expected.distances, rtol=0.01, atol=0.01)


@pytest.mark.parametrize(("center_features", "expected"), [(False, 16 * 4), (True, 16 * 4 + 8)])
@pytest.mark.parametrize("last_layer", ["layer3_local", "layer3", "layer4"])
def test_centred_features_look_at_the_middle_of_the_cell_that_they_stand_for(center_features, expected, last_layer):
    torch.manual_seed(0)
    net = Backbone(3, "replicate", last_layer, center_features).eval()
    pictures = torch.randn(8, 3, 144, 144, requires_grad=True)
    net(pictures)[:, :, 4, 4].square().sum().backward()
    influence = pictures.grad.square().sum((0, 1))  # [144, 144], of each pixel on the feature at (4, 4)
    where = torch.arange(144.0)
    row = (influence.sum(1) * where).sum() / influence.sum()
    column = (influence.sum(0) * where).sum() / influence.sum()
    assert row.item() == pytest.approx(expected, abs=3) and column.item() == pytest.approx(expected, abs=3)


def test_centred_features_are_as_many_and_have_the_same_weights():
    plain, centred = Backbone(3), Backbone(3, center_features=True)
    centred.load_state_dict(plain.state_dict())
    with torch.no_grad():
        for size in ((96, 96), (100, 33), (144, 145)):
            assert plain.eval()(torch.zeros(1, 3, *size)).shape == centred.eval()(torch.zeros(1, 3, *size)).shape


def test_looking_both_ways_at_all_sizes_a_turned_picture_has_the_turned_map():
    torch.manual_seed(0)
    model = DMC(v_cluster=2, cluster_start="farthest", normalize=True).eval()
    frames = torch.randint(0, 256, (3, 3, 64, 80), dtype=torch.uint8)
    with torch.no_grad():
        one_way, other_way = (model.see(pictures).assignment for pictures in (frames, frames.flip(-2, -1)))
        model.set_testing(Namespace(test_beta=30.0, test_rounds=4, test_joint_rounds=0, test_turn=1, test_sizes=3))
        maps, turned = (model.see(pictures).assignment for pictures in (frames, frames.flip(-2, -1)))
    torch.testing.assert_close(turned.flip(-2, -1), maps, rtol=1e-3, atol=1e-3)
    assert (other_way.flip(-2, -1) - one_way).abs().max() > 0.01  # which one way does not give


@pytest.mark.parametrize(("last_layer", "pixels"), [("layer3_local", 147), ("layer3", 211), ("layer4", 339)])
def test_a_feature_sees_as_many_pixels_as_is_said(last_layer, pixels):
    net = Backbone(3, last_layer=last_layer).eval()
    pictures = torch.randn(1, 3, 416, 416, requires_grad=True)
    net(pictures)[:, :, 13, 13].square().sum().backward()
    seen = pictures.grad.abs().sum((0, 1, 2)).nonzero()
    assert len(seen) == seen.max() - seen.min() + 1 == pixels
