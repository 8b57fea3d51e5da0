"""The weights of the published program: a flat state dict, with other names and with weights that nothing uses."""

from pathlib import Path

import torch
from torch import nn

from common.atomic import require_writable
from models.backbone import ResNet18
from models.dmc import DMC
from training.checkpoints.checkpoint import PUBLISHED_NAMES, save_checkpoint


def export_published(model: DMC, path: Path) -> str:
    """Write the weights of a network of two ResNet-18s as the published program saves them; says what was added.

    Each published ResNet has the first convolution of the other stream and a classifier, and there are layers for
    another loss. Nothing uses them, but the program wants them: they get their usual random start.
    """
    named = {_published_name(name): weight.cpu() for name, weight in model.state_dict().items()}
    unused = {
        "visual_net.conv1_a": ResNet18(in_channels=1).conv1,
        "audio_net.conv1": ResNet18(in_channels=3).conv1,
        "visual_net.fc": nn.Linear(512, 1000),
        "audio_net.fc": nn.Linear(512, 1000),
        "fc_v_2": nn.Linear(128, 128),
        "fc_a_2": nn.Linear(128, 128),
        "fc_av": nn.Linear(2, 1),
    }
    filled: dict[str, torch.Tensor] = {
        f"{name}.{key}": weight for name, layer in unused.items() for key, weight in layer.state_dict().items()
    }
    require_writable(path)
    save_checkpoint(path, named | filled)
    return f"Wrote {path} for the published program. Random, as it does not use them: {', '.join(unused)}."


def _published_name(name: str) -> str:
    theirs = next((theirs for theirs, ours in PUBLISHED_NAMES.items() if name.startswith(ours)), "")
    return theirs + name.removeprefix(PUBLISHED_NAMES.get(theirs, ""))
