"""Weights that the visual network starts from: those of a ResNet-18 that was trained to classify pictures."""

from pathlib import Path
from urllib.error import URLError

import torch
from torch import nn
from torchvision.models import ResNet18_Weights

from common.errors import UserError
from training.checkpoint import read_weights
from training.processes import from_first

IMAGENET = "imagenet"


def load_visual_weights(model: nn.Module, source: str) -> str:
    """Put a ResNet-18's weights into the visual network of a `models.dmc.DMC`.

    Args:
        model: the network; its projection and its sound network stay as they are.
        source: ``imagenet``, torchvision's weights, which are downloaded once; or a file of such weights.

    Returns:
        One line on what was done.

    Raises:
        UserError: the weights cannot be had, or are those of another network.
    """
    weights = from_first(_weights, source)  # so that of several processes one downloads
    wanted = model.visual_net.state_dict()
    unused = ("fc.",) if "layer4.0.conv1.weight" in wanted else ("fc.", "layer4.")
    found = {
        name: _middle(weight) if name in wanted and wanted[name].shape[2:] == (1, 1) else weight
        for name, weight in weights.items()
        if not name.startswith(unused)
    }
    # BatchNorm's counters came with PyTorch 0.4.1: older files have none.
    missing = [name for name in wanted if name not in found and not name.endswith("num_batches_tracked")]
    wrong = missing + [name for name in found if name in wanted and found[name].shape != wanted[name].shape]
    if wrong or found.keys() - wanted.keys():
        problem = f"{wrong[0]} is missing or of another shape" if wrong else "it holds more than a ResNet-18"
        raise UserError(f"--visual_weights {source} holds no weights of torchvision's ResNet-18: {problem}")
    model.visual_net.load_state_dict(found, strict=False)
    return f"The visual network starts from the weights of {source}."


def _middle(weight: torch.Tensor) -> torch.Tensor:
    """Of kernels of 3 x 3 their middle, for a network whose kernels are single points; others stay."""
    return weight[:, :, 1:2, 1:2] if weight.shape[2:] == (3, 3) else weight


def _weights(source: str) -> dict[str, torch.Tensor]:
    return _imagenet() if source == IMAGENET else read_weights(Path(source))


def _imagenet() -> dict[str, torch.Tensor]:
    try:
        return ResNet18_Weights.IMAGENET1K_V1.get_state_dict(progress=True, check_hash=True)
    except (URLError, OSError, RuntimeError) as error:
        raise UserError(
            f"--visual_weights imagenet: the weights cannot be downloaded ({error}). Where there is internet, download "
            "torchvision's resnet18 and give its file: --visual_weights FILE"
        ) from error
