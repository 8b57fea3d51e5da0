"""Maps of a trained network: audio-guided clustering, several views of a frame, every precision."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional

from models.clustering import soft_kmeans
from models.dmc import DMC, Clusters
from models.localization import AUDIO_SHARE, Localizer, audio_guided_clustering
from models.matching import match_all, squared_distances
from models.recipes import ORIGINAL
from tests.fixtures.planted import plant_checkpoint
from tests.fixtures.small_network import small_backbones
from training.checkpoint import load_weights, read_checkpoint
from training.options import merge_options

BETA = 7.5
# Directions of objects in a frame of 4 x 4 features; a bird before the wall is like the wall and like the trumpet.
WALL, TRUMPET, BIRD, DRUM = functional.normalize(
    torch.tensor([[1.0, 0, 0, 0], [0, 1, 0, 0], [0.7, 0.7, 0.3, 0], [0, 0, 0, 1]]), dim=-1
)
FRAME = torch.stack([WALL] * 8 + [TRUMPET] * 5 + [BIRD] * 3)


def cluster(features: torch.Tensor, count: int) -> Clusters:
    centers, assignment = soft_kmeans(features[None], count, BETA, 6, "farthest")
    return Clusters(centers, assignment.unflatten(2, (4, 4)), features[None])


def matched_maps(audio: torch.Tensor, frames: Clusters) -> torch.Tensor:
    """Maps of the matched clusters first, [V, 16]."""
    return frames.assignment[0, match_all(squared_distances(audio, frames.centers))[0]].flatten(1)


def test_an_object_unlike_the_audio_begins_to_leave_the_matched_cluster():
    audio, before = TRUMPET[None, None], cluster(FRAME, 2)
    after = audio_guided_clustering(audio, before, BETA, 4)
    wall, trumpet, bird = (
        torch.stack([matched_maps(audio, found)[0, place] for found in (before, after)]) for place in (0, 8, 13)
    )
    assert bird[0] > 0.8 and bird[1] < bird[0] - 0.1
    assert trumpet.min() > 0.99 and wall.max() < 0.01


def test_zero_rounds_change_nothing_and_more_rounds_still_give_clusters():
    audio, before = TRUMPET[None, None], cluster(FRAME, 3)
    assert audio_guided_clustering(audio, before, BETA, 0) is before
    after = audio_guided_clustering(audio, before, BETA, 3)
    torch.testing.assert_close(after.assignment.sum(1), torch.ones(1, 4, 4))
    weights = after.assignment.flatten(2) / after.assignment.sum((2, 3))[..., None]
    torch.testing.assert_close(after.centers, weights @ FRAME)


def test_one_round_by_hand():
    features = torch.tensor([[[0.0], [4.0]]])
    before = Clusters(centers=features, assignment=torch.tensor([[[[1.0, 0.0]], [[0.0, 1.0]]]]), features=features)
    after = audio_guided_clustering(torch.tensor([[[9.0]]]), before, 1.0, 1)  # audio at 9, matched to the center at 4
    moved = 4 + 5 * AUDIO_SHARE
    first = torch.sigmoid(torch.tensor([moved, abs(moved - 4) - 4]))  # of the first cluster, at 0 and at 4
    torch.testing.assert_close(after.assignment[0, 0, 0], first)


def test_each_of_two_audio_clusters_attracts_a_cluster_of_its_own():
    frame = torch.stack([WALL] * 6 + [TRUMPET] * 5 + [DRUM] * 5)
    audio = torch.stack([DRUM, TRUMPET])[None]
    drum, trumpet = matched_maps(audio, audio_guided_clustering(audio, cluster(frame, 3), BETA, 4))[:2]
    assert drum[11:].min() > 0.9 and trumpet[6:11].min() > 0.9
    assert drum[:11].max() < 0.1 and trumpet[:6].max() < 0.1 and trumpet[11:].max() < 0.1


def test_a_rotated_frame_has_the_rotated_map_if_views_are_averaged():
    torch.manual_seed(0)
    recipe = replace(ORIGINAL, cluster_start="farthest", normalize=True)
    model = DMC(recipe).eval()
    frames = torch.randint(0, 256, (3, 3, 64, 80), dtype=torch.uint8)
    for views, same in (({}, False), ({"test_rotate_180": True, "test_num_scales": 3}, True)):
        localizer = Localizer(model, replace(recipe, **views))
        maps, rotated = (localizer.encode_frames(x).assignment for x in (frames, frames.flip(-2, -1)))
        difference = (rotated.flip(-2, -1) - maps).abs().max()
        assert difference < 1e-3 if same else difference > 0.01


def test_test_settings_of_the_original_recipe_give_the_clusters_of_training():
    torch.manual_seed(0)
    with small_backbones():
        model = DMC(ORIGINAL).eval()
    frames, spectrograms = torch.randint(0, 256, (2, 3, 32, 32), dtype=torch.uint8), torch.randn(2, 1, 201, 64)
    localizer = Localizer(model, ORIGINAL)
    with torch.no_grad():
        torch.testing.assert_close(localizer.encode_frames(frames), model.encode_frames(frames), rtol=0, atol=0)
        torch.testing.assert_close(localizer.encode_audio(spectrograms), model.encode_audio(spectrograms))


def test_weights_without_finite_distances_are_an_error():
    localizer = Localizer(None, ORIGINAL)
    with pytest.raises(FloatingPointError, match="no finite distances: train again"):
        localizer.match(torch.full((1, 1, 4), torch.nan), cluster(FRAME, 2))


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
