"""Maps of a trained network: its own clusters or audio-guided ones, in every precision."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional

from models.dmc import DMC, build_network
from models.localization import AUDIO_SHARE, GUIDED_BETA, GUIDED_ROUNDS, Localizer, audio_guided_clustering
from models.matching import match_all, squared_distances
from models.recipes import CVPR2019, IMPROVED, ORIGINAL
from tests.fixtures.planted import plant_checkpoint
from tests.fixtures.small_network import small_backbones
from training.checkpoints.checkpoint import load_weights, read_checkpoint
from training.options import merge_options

# Directions of objects in a frame of 16 features; a bird before the wall is like the wall and like the trumpet.
WALL, TRUMPET, BIRD = functional.normalize(torch.tensor([[1.0, 0, 0, 0], [0, 1, 0, 0], [0.7, 0.7, 0.3, 0]]), dim=-1)
FRAME = torch.stack([WALL] * 8 + [TRUMPET] * 5 + [BIRD] * 3)


def loop_in_float64(audio: np.ndarray, features: np.ndarray, num_clusters: int) -> tuple[np.ndarray, np.ndarray]:
    """Oracle of audio-guided clustering: one frame, one feature at a time."""
    centers = [*audio]
    while len(centers) < num_clusters:
        centers.append(max(features, key=lambda feature: min(np.linalg.norm(feature - center) for center in centers)))
    for _ in range(GUIDED_ROUNDS):
        near = np.exp([[-GUIDED_BETA * np.linalg.norm(u - center) for u in features] for center in centers])
        assignment = near / near.sum(0)
        means = [weights @ features / weights.sum() for weights in assignment]
        drawn = [mean + AUDIO_SHARE * (center - mean) for mean, center in zip(means, audio, strict=False)]
        centers = [*drawn, *means[len(audio) :]]
    return np.array(means), assignment


@pytest.mark.parametrize(("num_audio", "num_clusters"), [(1, 2), (1, 3), (2, 4), (3, 3)])
def test_audio_guided_clustering_is_the_documented_loop(num_audio, num_clusters):
    generator = torch.Generator().manual_seed(num_audio)
    audio, features = (
        functional.normalize(torch.randn(4, count, 8, generator=generator, dtype=torch.float64), dim=-1)
        for count in (num_audio, 20)
    )
    means, assignment = audio_guided_clustering(audio, features, num_clusters)
    for number in range(4):
        expected = loop_in_float64(audio[number].numpy(), features[number].numpy(), num_clusters)
        np.testing.assert_allclose(means[number], expected[0], atol=1e-9)
        np.testing.assert_allclose(assignment[number], expected[1], atol=1e-9)


def test_only_what_is_like_the_audio_is_in_its_cluster():
    _, maps = audio_guided_clustering(TRUMPET[None, None], FRAME[None], 3)
    wall, trumpet, bird = maps[0, 0, 0], maps[0, 0, 8], maps[0, 0, 13]
    assert trumpet > 0.95 and wall < 0.05 and bird < 0.5


def test_a_rotated_frame_has_the_rotated_features_in_an_audio_guided_readout():
    torch.manual_seed(0)
    model = DMC(replace(ORIGINAL, normalize=True)).eval()
    frames = torch.randint(0, 256, (3, 3, 64, 80), dtype=torch.uint8)
    for readout, same in (("clusters", False), ("audio_guided", True)):
        localizer = Localizer(model, replace(ORIGINAL, readout=readout))
        features, rotated = (localizer.encode_frames(x) for x in (frames, frames.flip(-2, -1)))
        difference = (rotated.flip(1, 2) - features).abs().max()
        assert difference < 1e-3 if same else difference > 0.01


@pytest.mark.parametrize("recipe", [ORIGINAL, IMPROVED])
def test_row_j_is_matched_to_audio_cluster_j(recipe):
    torch.manual_seed(0)
    with small_backbones():
        model = DMC(recipe, v_cluster=4, a_cluster=2).eval()
    frames, spectrograms = torch.randint(0, 256, (3, 3, 64, 48), dtype=torch.uint8), torch.randn(2, 1, 201, 64)
    second = torch.tensor([1, 0, 1])
    found = Localizer(model, recipe)(spectrograms, frames, second)
    assert found.maps.shape == (3, 4, 4, 3) and found.distances.shape == (3, 2)
    np.testing.assert_allclose(found.maps.sum(1), 1, atol=1e-5)
    with torch.no_grad():
        audio = model.encode_audio(spectrograms).centers[second]
        if recipe is ORIGINAL:  # the clusters of training
            visual = model.encode_frames(frames)
            orders, _ = match_all(squared_distances(audio, visual.centers))
            centers, maps = (tensor[torch.arange(3)[:, None], orders] for tensor in visual)
        else:
            features = Localizer(model, recipe).encode_frames(frames).flatten(1, 2)
            centers, maps = audio_guided_clustering(audio, features, 4)
    np.testing.assert_allclose(found.maps, maps.view(3, 4, 4, 3), atol=1e-5)
    np.testing.assert_allclose(found.distances, (audio - centers[:, :2]).norm(dim=-1), rtol=1e-4)


def test_in_the_papers_form_maps_are_in_the_order_of_the_similarity_of_their_clusters():
    torch.manual_seed(0)
    with small_backbones():
        model = build_network(CVPR2019, 6, 2, torch.float32).eval()
    frames, spectrograms = torch.randint(0, 256, (3, 3, 64, 48), dtype=torch.uint8), torch.randn(2, 1, 201, 64)
    second = torch.tensor([1, 0, 1])
    found = Localizer(model, CVPR2019)(spectrograms, frames, second)
    assert found.maps.shape == (3, 6, 4, 3) and found.distances.shape == (3, 2)
    np.testing.assert_allclose(found.maps.sum(1), 1, atol=1e-5)
    with torch.no_grad():
        visual, audio = model.encode_frames(frames), model.encode_audio(spectrograms).centers[second]
    for frame in range(3):
        cosines = [float(a @ v / a.norm() / v.norm()) for a, v in zip(audio[frame], visual.centers[frame], strict=True)]
        order = sorted(range(6), key=lambda i: -cosines[i])
        np.testing.assert_allclose(found.maps[frame], visual.assignment[frame][order], atol=1e-6)
        np.testing.assert_allclose(found.distances[frame], [(2 - 2 * cosines[i]) ** 0.5 for i in order[:2]], rtol=1e-4)


@pytest.mark.parametrize("recipe", [ORIGINAL, IMPROVED])
def test_weights_without_finite_distances_are_an_error(recipe):
    localizer = Localizer(None, recipe)
    with pytest.raises(FloatingPointError, match="no finite distances: train again"):
        localizer.match(torch.full((1, 1, 4), torch.nan), FRAME.view(1, 4, 4, 4))


@pytest.mark.parametrize("precision", [torch.bfloat16, torch.float16])
def test_the_maps_of_every_precision_are_those_of_float32_to_a_hundredth(tmp_path, precision):
    red, grey = np.array([[220, 30, 30]]), np.array([[120, 120, 120]])
    checkpoint = read_checkpoint(plant_checkpoint(tmp_path / "best.pth", red, grey))
    recipe = merge_options({}, checkpoint.args).recipe
    size = recipe.test_size
    torch.manual_seed(0)
    frames = (120 + 20 * torch.randn(2, 3, size, size)).clamp(0, 255).to(torch.uint8)
    for number, frame in enumerate(frames):  # a red square in noise, each time elsewhere
        start = 50 * number + 20
        frame[:, start : start + 60, 30:90] = torch.from_numpy(red).view(3, 1, 1)
    spectrograms = torch.randn(2, 1, 201, 64)
    found = []
    for dtype in (torch.float32, precision):
        model = DMC(recipe, precision=dtype).eval()
        load_weights(model, checkpoint)
        found.append(Localizer(model, recipe)(spectrograms, frames, torch.arange(2)))
    exact, rounded = found
    assert (exact.maps.max((1, 2, 3)) > 0.9).all() and (rounded.maps != exact.maps).any()
    np.testing.assert_allclose(rounded.maps, exact.maps, rtol=0, atol=0.01)
    np.testing.assert_allclose(rounded.distances, exact.distances, rtol=0.01, atol=0.01)
