"""Checkpoints that the program of November 2026 wrote, before `Recipe` and `--set`: the same networks today."""

import gzip
from pathlib import Path

import numpy as np
import torch

from training.checkpoints.load import TrainedNetwork, load_trained

CHECKPOINTS = Path(__file__).resolve().parents[2] / "fixtures" / "checkpoints"


def load_old(recipe: str, folder: Path) -> TrainedNetwork:
    path = folder / f"{recipe}.pth"
    path.write_bytes(gzip.decompress((CHECKPOINTS / f"{recipe}.pth.gz").read_bytes()))
    return load_trained(path, "cpu")


def draw_batch(size: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Spectrograms, frames of coarse blocks, and the second of each frame: those of the stored maps."""
    rng = np.random.default_rng(5)
    blocks = rng.integers(0, 256, (3, 3, 6, 6)).astype(np.uint8)
    frames = np.kron(blocks, np.ones((1, 1, size // 6 + 1, size // 6 + 1), np.uint8))[:, :, :size, :size]
    spectrograms = rng.normal(-40, 12, (2, 1, 201, 64)).astype(np.float32)
    spectrograms[0, :, :, 10:20] += 40
    spectrograms[1, :, 50:, 40:50] += 40
    return torch.from_numpy(spectrograms), torch.from_numpy(frames.copy()), torch.tensor([0, 0, 1])


def test_an_old_checkpoint_of_the_original_recipe_gives_the_maps_that_it_gave(tmp_path, capsys):
    network = load_old("original", tmp_path)
    assert capsys.readouterr().out == ""  # nothing in it is ignored or missing
    found = network.localizer(*draw_batch(network.frame_size))
    with np.load(CHECKPOINTS / "maps.npz") as expected:
        np.testing.assert_allclose(found.maps, expected["original_maps"], rtol=0, atol=1e-4)
        np.testing.assert_allclose(found.distances, expected["original_distances"], rtol=0, atol=1e-4)
    assert (found.maps.std((2, 3)) > 0.01).all()  # far above the tolerance: the maps are not uniform


def test_an_old_checkpoint_of_the_improved_recipe_is_the_same_network(tmp_path, capsys):
    # Its maps are others: the readout has changed.
    network = load_old("improved", tmp_path)
    assert capsys.readouterr().out == ""  # nothing in it is ignored or missing
    spectrograms, frames, _ = draw_batch(64)
    model = network.localizer.model
    with torch.no_grad():
        features = model.project(model.frame_features(model.normalize_frames(frames)), model.visual_projection)
        audio = model.encode_audio(spectrograms).centers
    with np.load(CHECKPOINTS / "maps.npz") as expected:  # the first 32 numbers of each feature
        np.testing.assert_allclose(features[..., :32], expected["improved_features"], rtol=0, atol=1e-4)
        np.testing.assert_allclose(audio, expected["improved_audio"], rtol=0, atol=1e-4)
    assert features.std((1, 2)).max() > 0.01


def test_the_options_of_an_old_checkpoint_count_under_their_new_names(tmp_path):
    network = load_old("improved", tmp_path)
    recipe = network.localizer.recipe
    assert (recipe.beta, recipe.image_size, recipe.visual_net) == (12.0, 64, "resnet18_local")
    assert (network.v_cluster, network.a_cluster) == (4, 2)
