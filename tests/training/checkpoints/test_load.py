"""The weights that a training can start from. `test_old_checkpoints.py` tests `load_trained` on whole files."""

import copy
from urllib.error import URLError

import pytest
import torch
from torchvision.models import ResNet18_Weights, mobilenet_v2, resnet18, resnet34

from common.errors import UserError
from models.dmc import DMC
from models.recipes import IMPROVED, ORIGINAL, PRETRAINED
from tests.fixtures.training_run import same_weights
from training.checkpoints.load import load_visual_weights


def classifier() -> dict[str, torch.Tensor]:
    """A state dict of torchvision's ResNet-18, far from its random start."""
    torch.manual_seed(5)
    weights = resnet18(weights=None).state_dict()
    return {
        name: value + torch.rand_like(value) if value.is_floating_point() else value for name, value in weights.items()
    }


def has_weights(model: DMC, weights: dict[str, torch.Tensor]) -> bool:
    """Whether the visual backbone has all weights of the classifier but its last layer's."""
    wanted = {name: value for name, value in weights.items() if not name.startswith("fc.")}
    return same_weights(model.visual_net.state_dict(), wanted)


@pytest.mark.parametrize("headless", [False, True])
def test_torchvisions_weights_become_the_visual_backbone_and_nothing_else_changes(tmp_path, headless):
    weights = {name: value for name, value in classifier().items() if not (headless and name.startswith("fc."))}
    torch.save({"model": weights, "epoch": 3}, tmp_path / "resnet18.pth")  # as torchvision's references save it
    model = DMC(ORIGINAL)
    before = copy.deepcopy(model.state_dict())
    assert "resnet18.pth" in load_visual_weights(model, str(tmp_path / "resnet18.pth"))
    assert has_weights(model, weights)
    after = model.state_dict()
    assert all(torch.equal(after[name], before[name]) for name in before if not name.startswith("visual_net"))


def test_a_local_backbone_takes_the_middle_of_the_kernels_and_leaves_layer4(tmp_path):
    weights = classifier()
    torch.save(weights, tmp_path / "resnet18.pth")
    model = DMC(IMPROVED)
    load_visual_weights(model, str(tmp_path / "resnet18.pth"))
    found = model.visual_net.state_dict()
    assert torch.equal(found["layer3.1.conv1.weight"], weights["layer3.1.conv1.weight"][:, :, 1:2, 1:2])
    assert torch.equal(found["layer3.0.conv1.weight"], weights["layer3.0.conv1.weight"])
    assert not any(name.startswith("layer4") for name in found)


def test_mobilenet_takes_its_first_blocks(tmp_path):
    weights = mobilenet_v2(weights=None).state_dict()
    torch.save(weights, tmp_path / "mobilenet_v2.pth")
    model = DMC(PRETRAINED)
    load_visual_weights(model, str(tmp_path / "mobilenet_v2.pth"))
    assert all(torch.equal(value, weights[name]) for name, value in model.visual_net.state_dict().items())


def test_weights_from_before_batchnorm_counted_batches_are_accepted(tmp_path):
    # The counters came with PyTorch 0.4.1: torchvision's first files have none.
    weights = {name: value for name, value in classifier().items() if not name.endswith("num_batches_tracked")}
    torch.save(weights, tmp_path / "old.pth")
    model = DMC(ORIGINAL)
    load_visual_weights(model, str(tmp_path / "old.pth"))
    assert torch.equal(model.visual_net.layer4[1].bn2.running_var, weights["layer4.1.bn2.running_var"])


@pytest.mark.parametrize(
    ("weights", "problem"),
    [
        (lambda: resnet34(weights=None).state_dict(), "holds more than that"),
        (lambda: {"features.0.weight": torch.zeros(3)}, "conv1.weight is missing"),
        (lambda: {**classifier(), "conv1.weight": torch.zeros(64, 1, 7, 7)}, "conv1.weight is missing or of another"),
        (lambda: torch.zeros(3), "holds no state dict"),
    ],
    ids=["ResNet-34", "VGG", "one channel", "tensor"],
)
def test_weights_of_another_network_are_refused_and_change_nothing(tmp_path, weights, problem):
    torch.save(weights(), tmp_path / "other.pth")
    model = DMC(ORIGINAL)
    before = copy.deepcopy(model.state_dict())
    with pytest.raises(UserError, match=f"other.pth.*{problem}"):
        load_visual_weights(model, str(tmp_path / "other.pth"))
    assert same_weights(model.state_dict(), before)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match=r"there is no file of weights .*none\.pth"):
        load_visual_weights(DMC(ORIGINAL), str(tmp_path / "none.pth"))


def test_imagenet_is_torchvisions_own_download(monkeypatch):
    monkeypatch.setattr(ResNet18_Weights, "get_state_dict", lambda self, **_: classifier())
    model = DMC(ORIGINAL)
    assert "imagenet" in load_visual_weights(model, "imagenet")
    assert has_weights(model, classifier())


@pytest.mark.parametrize(
    "error", [URLError("no route to host"), RuntimeError("invalid hash value"), OSError("disk full")]
)
def test_imagenet_without_internet_is_a_sentence_with_a_remedy(monkeypatch, error):
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(ResNet18_Weights, "get_state_dict", fail)
    with pytest.raises(UserError, match=r"cannot be downloaded .*--set visual_weights=FILE") as raised:
        load_visual_weights(DMC(ORIGINAL), "imagenet")
    assert str(error.args[0]) in str(raised.value) and "\n" not in str(raised.value)
