"""The network: its input, its features, its clusters and its precision."""

from dataclasses import replace

import pytest
import torch

from models.clustering import capsule_clustering, soft_kmeans, squash
from models.dmc import DMC, build_network
from models.recipes import CVPR2019, ORIGINAL
from tests.fixtures.small_network import small_backbones

SCALED = replace(ORIGINAL, spectrogram_scaling="second")
NORMALIZED = replace(ORIGINAL, normalize=True)


@pytest.fixture(autouse=True)
def no_grad():
    with torch.no_grad(), small_backbones():
        yield


def input_of(model: DMC, stream: str) -> list[torch.Tensor]:
    """A list to which each input of a backbone is added."""
    seen = []
    getattr(model, stream).register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    return seen


def draw_batch() -> tuple[torch.Tensor, torch.Tensor]:
    """Two frames and two spectrograms."""
    torch.manual_seed(1)
    return torch.randint(0, 256, (2, 3, 64, 48), dtype=torch.uint8), torch.randn(2, 1, 201, 64) * 20 - 50


def test_frames_are_normalized_as_for_imagenet():
    model = DMC(ORIGINAL)
    seen = input_of(model, "visual_net")
    frames = torch.zeros(1, 3, 32, 32, dtype=torch.uint8)
    frames[:, 1] = 255
    model.encode_frames(frames)
    expected = [(0 - 0.485) / 0.229, (1 - 0.456) / 0.224, (0 - 0.406) / 0.225]
    torch.testing.assert_close(seen[0][0, :, 5, 5], torch.tensor(expected))


def test_the_streams_cluster_the_projected_features():
    frames, spectrograms = draw_batch()
    model = DMC(ORIGINAL, v_cluster=3, a_cluster=2).eval()
    visual, audio = model.encode_frames(frames), model.encode_audio(spectrograms)
    net = model.audio_net(spectrograms)  # [2, 512, 13, 4]
    features = torch.stack([model.audio_projection(net[:, :, i, j]) for i in range(13) for j in range(4)], 1)
    centers, assignment = soft_kmeans(features, 2)
    assert visual.centers.shape == (2, 3, 512) and visual.assignment.shape == (2, 3, 4, 3)
    torch.testing.assert_close(audio.centers, centers, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(audio.assignment[1, 0, 12, 3], assignment[1, 0, 51], rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(visual.assignment.sum(1), torch.ones(2, 4, 3))
    torch.testing.assert_close(model(spectrograms, frames), (audio.centers, visual.centers))


def test_normalized_features_have_length_1():
    frames, spectrograms = draw_batch()
    model = DMC(NORMALIZED, v_cluster=2, a_cluster=2).eval()
    maps = model.frame_features(model.normalize_frames(frames))
    lengths = model.project(maps, model.visual_projection).norm(dim=-1)
    torch.testing.assert_close(lengths, torch.ones(2, 4, 3))
    for clusters in (model.encode_frames(frames), model.encode_audio(spectrograms)):
        assert (clusters.centers.norm(dim=-1) <= 1 + 1e-5).all()  # a mean of them is shorter
    model.recipe = ORIGINAL
    assert (model.project(maps, model.visual_projection).norm(dim=-1) - 1).abs().max() > 1e-2


def test_each_scaled_second_has_mean_0_and_nearly_unit_size_and_silence_stays_silence():
    model = DMC(SCALED)
    seen = input_of(model, "audio_net")
    quiet, loud = torch.randn(1, 1, 201, 64) * 0.01 - 90, torch.randn(1, 1, 201, 64) * 20 - 30
    clusters = model.encode_audio(torch.cat([quiet, loud, torch.full((1, 1, 201, 64), -100.0)]))
    assert clusters.centers.isfinite().all()
    torch.testing.assert_close(seen[0].mean((1, 2, 3)), torch.zeros(3), rtol=0, atol=1e-4)
    quiet, loud, silence = seen[0].std((1, 2, 3)).tolist()
    assert silence == 0 < quiet < 0.01  # near silence is not blown up
    assert loud == pytest.approx(20 / 25, rel=0.02)


@pytest.mark.parametrize(("pooling", "rows"), [(1, 13), (4, 4), (201, 1)])
def test_audio_pooling_averages_columns_over_time(pooling, rows):
    model = DMC(replace(ORIGINAL, audio_pooling=pooling))
    seen = input_of(model, "audio_net")
    spectrogram = torch.arange(201.0).view(1, 1, 201, 1).expand(1, 1, 201, 64)
    assert model.encode_audio(spectrogram).assignment.shape == (1, 1, rows, 4)
    means = [sum(range(i * pooling, (i + 1) * pooling)) / pooling for i in range(201 // pooling)]
    torch.testing.assert_close(seen[0][0, 0, :, 9], torch.tensor(means))


def test_bf16_centers_are_within_two_percent_of_fp32_and_clustered_in_float32():
    frames, spectrograms = draw_batch()
    # One cluster: its center is the mean of the features, so rounding cannot change its start.
    recipe = replace(SCALED, normalize=True)
    exact, rounded = DMC(recipe, 1, 1).eval(), DMC(recipe, 1, 1, torch.bfloat16).eval()
    rounded.load_state_dict(exact.state_dict())
    for found, expected in (
        (rounded.encode_frames(frames), exact.encode_frames(frames)),
        (rounded.encode_audio(spectrograms), exact.encode_audio(spectrograms)),
    ):
        assert found.centers.dtype == found.assignment.dtype == torch.float32
        error = (found.centers - expected.centers).norm(dim=-1) / expected.centers.norm(dim=-1)
        assert 0 < error.max() < 0.02
    assert rounded.frame_features(rounded.normalize_frames(frames)).dtype == torch.bfloat16
    assert {weight.dtype for weight in rounded.parameters()} == {torch.float32}


def test_weights_lie_in_the_order_in_which_convolutions_are_fastest():
    model = DMC(ORIGINAL)
    weights = [module.weight for module in model.modules() if isinstance(module, torch.nn.Conv2d)]
    assert weights and all(weight.is_contiguous(memory_format=torch.channels_last) for weight in weights)
    features = model.frame_features(torch.randn(2, 3, 64, 64))
    assert features.is_contiguous(memory_format=torch.channels_last) and not features.is_contiguous()


def test_in_the_papers_form_both_streams_share_one_glorot_projection_for_each_cluster():
    torch.manual_seed(0)
    model = build_network(CVPR2019, 5, 1, torch.float32)
    (weights,) = {id(weight): weight for name, weight in model.named_parameters() if "projection" in name}.values()
    assert weights.shape == (5 * 16, 512)
    bound = (6 / (512 + 16)) ** 0.5
    assert all(0.98 * bound < of_cluster.abs().max() <= bound for of_cluster in weights.split(16))
    frames, spectrograms = draw_batch()
    seen = input_of(model, "visual_net")
    visual, audio = model.encode_frames(frames), model.encode_audio(spectrograms)
    torch.testing.assert_close(seen[0], frames / 127.5 - 1)
    for found, features in ((visual, model.visual_net(seen[0])), (audio, model.audio_net(spectrograms))):
        vectors = squash(features.flatten(2).transpose(1, 2))  # [2, N, 512]
        projected = torch.stack([vectors @ of_cluster.T for of_cluster in weights.split(16)], 2)  # [2, N, 5, 16]
        centers, assignment = capsule_clustering(projected)
        torch.testing.assert_close(found.centers, centers / centers.norm(dim=-1, keepdim=True))
        torch.testing.assert_close(found.assignment.flatten(2), assignment)
    assert audio.centers.shape == (2, 5, 16)
