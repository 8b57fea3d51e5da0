"""The weights that the visual network starts from."""

from urllib.error import URLError

import pytest
import torch
from torchvision.models import ResNet18_Weights, resnet18, resnet34

from common.errors import UserError
from models.dmc import DMC
from training.visual_weights import load_visual_weights


def classifier() -> dict[str, torch.Tensor]:
    """A state dict as torchvision's own, of a network that is far from its start."""
    torch.manual_seed(5)
    weights = resnet18(weights=None).state_dict()
    return {
        name: value + torch.rand_like(value) if value.is_floating_point() else value for name, value in weights.items()
    }


def of_visual_net(model: DMC, weights: dict[str, torch.Tensor]) -> bool:
    """Whether each of the classifier's weights but its last layer's is the visual network's."""
    found = model.visual_net.state_dict()
    wanted = {name: value for name, value in weights.items() if not name.startswith("fc.")}
    return found.keys() == wanted.keys() and all(torch.equal(found[name], wanted[name]) for name in wanted)


@pytest.mark.parametrize("padding", ["zeros", "replicate"])
def test_a_file_of_torchvisions_weights_becomes_the_visual_network_and_nothing_else(tmp_path, padding):
    torch.save(classifier(), tmp_path / "resnet18.pth")
    model = DMC(padding=padding)
    others = {name: value.clone() for name, value in model.state_dict().items() if not name.startswith("visual_net")}
    assert "resnet18.pth" in load_visual_weights(model, str(tmp_path / "resnet18.pth"))
    assert of_visual_net(model, classifier())
    assert all(torch.equal(model.state_dict()[name], value) for name, value in others.items())


def test_a_file_without_the_classifier_will_do(tmp_path):
    weights = {name: value for name, value in classifier().items() if not name.startswith("fc.")}
    torch.save(weights, tmp_path / "headless.pth")
    model = DMC()
    load_visual_weights(model, str(tmp_path / "headless.pth"))
    assert of_visual_net(model, weights)


def test_weights_from_before_batchnorm_counted_batches_will_do(tmp_path):
    # As torchvision's first files are: the counters came with PyTorch 0.4.1.
    weights = {name: value for name, value in classifier().items() if not name.endswith("num_batches_tracked")}
    torch.save(weights, tmp_path / "old.pth")
    model = DMC()
    load_visual_weights(model, str(tmp_path / "old.pth"))
    assert torch.equal(model.visual_net.layer4[1].bn2.running_var, weights["layer4.1.bn2.running_var"])


@pytest.mark.parametrize(
    ("weights", "problem"),
    [
        (lambda: resnet34(weights=None).state_dict(), "holds more than a ResNet-18"),
        (lambda: {"features.0.weight": torch.zeros(3)}, "conv1.weight is missing"),
        (lambda: {**classifier(), "conv1.weight": torch.zeros(64, 1, 7, 7)}, "conv1.weight is missing or of another"),
        (lambda: {"model": classifier()}, "is no state dict"),
        (lambda: torch.zeros(3), "is no state dict"),
    ],
    ids=["ResNet-34", "VGG", "one channel", "nested", "tensor"],
)
def test_weights_of_something_else_are_refused_and_change_nothing(tmp_path, weights, problem):
    torch.save(weights(), tmp_path / "other.pth")
    model = DMC()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with pytest.raises(UserError, match=f"other.pth.*{problem}"):
        load_visual_weights(model, str(tmp_path / "other.pth"))
    assert all(torch.equal(model.state_dict()[name], value) for name, value in before.items())


def test_an_absent_file_is_named(tmp_path):
    with pytest.raises(UserError, match=r"there is no file of weights .*none\.pth"):
        load_visual_weights(DMC(), str(tmp_path / "none.pth"))


def test_imagenet_is_torchvisions_own_download(monkeypatch):
    monkeypatch.setattr(ResNet18_Weights, "get_state_dict", lambda self, **_: classifier())
    model = DMC()
    assert "imagenet" in load_visual_weights(model, "imagenet")
    assert of_visual_net(model, classifier())


@pytest.mark.parametrize(
    "error", [URLError("no route to host"), RuntimeError("invalid hash value"), OSError("disk full")]
)
def test_imagenet_without_internet_is_a_sentence_that_says_what_to_do(monkeypatch, error):
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(ResNet18_Weights, "get_state_dict", fail)
    with pytest.raises(UserError, match=r"cannot be downloaded .*--visual_weights FILE") as raised:
        load_visual_weights(DMC(), "imagenet")
    assert str(error.args[0]) in str(raised.value) and "\n" not in str(raised.value)
