"""Baselines of a data set: the density of the training boxes, the object prior, and runs that are below one."""

import json

import numpy as np
import pytest
import torch
from torchvision.models import get_model

from data.dmc_pkl import read_dmc, write_maps
from metrics import object_prior
from metrics.maps.annotations import read_annotations
from metrics.maps.baselines import OBJECT_PRIOR, TRAINING_BOXES, below_text, better_baselines, learned_baselines
from tests.fixtures.sample_set import add_video

KEYS = ["test/frame_000/00000", "test/frame_000/00006"]


@pytest.fixture
def data_set(tmp_path):
    """Annotated boxes of a training video, left and top left, and of a test video, on the right; the annotations."""
    boxes = {f"{key}.jpg": {"bbox": [{"normbox": [0.5, 0, 0.5, 1]}]} for key in KEYS}
    boxes["train/frame_000/00000.jpg"] = {"bbox": [{"normbox": [0, 0, 0.5, 1]}, {"normbox": [0, 0, 0.5, 0.5]}]}
    (tmp_path / "boxes.json").write_text(json.dumps(boxes))
    return tmp_path, read_annotations(tmp_path / "boxes.json")


def test_a_set_has_the_baselines_for_which_it_has_files(data_set, capsys):
    folder, annotations = data_set
    assert learned_baselines(folder, KEYS, annotations) == {}
    (folder / "train.txt").write_text("train\n")
    found = learned_baselines(folder, KEYS, annotations)
    assert found.keys() == {TRAINING_BOXES}
    density = np.kron([[1, 0], [0.5, 0]], np.ones((112, 112)))  # the number of boxes, as a part of the most
    np.testing.assert_array_equal(found[TRAINING_BOXES][KEYS[1]][0], density)
    write_maps(folder / "object_prior.pkl", {KEYS[0]: np.ones((1, 7, 7))})
    assert OBJECT_PRIOR not in learned_baselines(folder, KEYS, annotations)
    assert "lacks 1 of 2 frames" in capsys.readouterr().out
    assert [*learned_baselines(folder, KEYS[:1], annotations)[OBJECT_PRIOR]] == KEYS[:1]


def test_a_run_is_below_a_baseline_that_is_better_in_a_figure():
    run = {"frames": 4, "mean_iou": 0.4, "pointing": 0.9, "area_ratio": 1.0, "ciou": None}
    weak = {"frames": 9, "mean_iou": 0.4, "pointing": 0.1, "area_ratio": 6.0}
    found = better_baselines(run, {"disc": weak, "prior": {**weak, "mean_iou": 0.41, "ciou": 0.1, "intervals": {}}})
    assert found == {"prior": ["mean_iou", "ciou"]}
    assert below_text("a/dmc.pkl", found) == "* a/dmc.pkl is below prior in mean IoU, CIoU."


@pytest.fixture
def frames(tmp_path):
    """A set with the frames of a test video."""
    add_video(tmp_path, "-a", seconds=1)
    (tmp_path / "test.txt").write_text("-a\n")
    return tmp_path


@pytest.mark.parametrize("name", object_prior.NETWORKS)
def test_the_object_prior_is_the_mean_activation_of_the_last_map(frames, name):
    torch.manual_seed(0)
    network = get_model(name).eval()
    torch.save(network.state_dict(), frames / "weights.pth")
    assert object_prior.main([f"--data_dir={frames}", f"--weights={frames / 'weights.pth'}"]) == 0
    maps = read_dmc(frames / "object_prior.pkl")
    assert [*maps] == [f"-a/frame_000/{index:05d}" for index in (0, 6, 12, 18)]
    frame = object_prior.resize(object_prior.load_frame(frames / "video_frames/-a/frame_000/00006.jpg"), 224)
    mean, std = np.array([[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]])[:, :, None, None]
    pixels = torch.tensor((frame.numpy() / 255 - mean) / std).float()[None]
    last = "layer4" if name == "resnet18" else "features"
    seen = []
    network.get_submodule(last).register_forward_hook(lambda module, inputs, output: seen.append(output))
    network(pixels)
    expected = seen[0].detach().numpy()[0].astype(float)
    np.testing.assert_allclose(maps["-a/frame_000/00006"][0], np.abs(expected).mean(0), rtol=1e-3, atol=1e-5)


def test_missing_or_other_weights_are_named_and_nothing_is_downloaded(frames, capsys, monkeypatch):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(frames / "hub"))
    torch.save({"fc.weight": torch.zeros(1)}, frames / "other.pth")
    (frames / "text.pth").write_text("weights")
    for options, message in (
        ([], f"there are no ImageNet weights in {frames / 'hub/checkpoints'}: download https://"),
        (["other.pth"], "other.pth holds no weights of torchvision's resnet18 or mobilenet_v2"),
        (["text.pth"], "text.pth cannot be read"),
    ):
        assert object_prior.main([f"--data_dir={frames}", *(f"--weights={frames / name}" for name in options)]) == 1
        assert message in capsys.readouterr().err
