"""A network whose weights are planted, not trained: what has the right colour is what every sound is matched to."""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from models.checkpoint import save_checkpoint
from models.dmc import DMC, IMAGENET_MEAN, IMAGENET_STD
from models.recipes import RECIPES

OPTIONS: dict[str, Any] = {
    "recipe": "improved",
    "v_cluster": 2,
    "a_cluster": 1,
    "image_size": 96,
    "precision": "fp32",
}


def between(object_colors: np.ndarray, other_colors: np.ndarray) -> tuple[np.ndarray, float]:
    """What tells two sets of colours apart: w and b, so that w · color + b is above 0 for the object's (Fisher, 1936).

    Args:
        object_colors: [N, 3], 0 ... 255.
        other_colors: [M, 3].
    """
    means = [colors.mean(0) for colors in (object_colors, other_colors)]
    spread = sum(np.cov(colors.T) if len(colors) > 1 else 0 for colors in (object_colors, other_colors))
    weights = np.linalg.solve(spread + 25 * np.eye(3), means[0] - means[1])
    return weights, -float(weights @ (means[0] + means[1])) / 2


def plant_checkpoint(path: Path, object_colors: np.ndarray, other_colors: np.ndarray, **options: Any) -> Path:
    """Write a checkpoint that locates what has an object's colours, by one linear function of each pixel's colour.

    The visual stream carries that function's positive part in channel 0 and its negative part in channel 1 through all
    of ResNet's shortcuts; all else in it is 0. All sounds lie where channel 0 does.
    """
    options = OPTIONS | options
    torch.manual_seed(0)
    model = DMC(visual_layer=RECIPES["improved"]["visual_layer"])
    state = {name: torch.zeros_like(value) for name, value in model.state_dict().items()}
    for name in state:
        if name.endswith("running_var"):
            state[name] += 1
    weights, bias = between(np.asarray(object_colors, float), np.asarray(other_colors, float))
    scale = 10 / (np.abs(weights).sum() * 255)
    color = torch.tensor(scale * weights * 255 * np.array(IMAGENET_STD), dtype=torch.float32)
    offset = scale * (bias + float(weights @ (255 * np.array(IMAGENET_MEAN))))
    for channel, sign in ((0, 1), (1, -1)):
        state["visual_net.conv1.weight"][channel] = sign * color[:, None, None] / 49
        state["visual_net.bn1.weight"][channel] = 1
        state["visual_net.bn1.bias"][channel] = sign * offset
        for layer in ("layer2", "layer3"):
            state[f"visual_net.{layer}.0.downsample.0.weight"][channel, channel] = 1
            state[f"visual_net.{layer}.0.downsample.1.weight"][channel] = 1
        state["visual_projection.weight"][channel, channel] = 1
    state["audio_projection.bias"][0] = 1
    save_checkpoint(path, {"model": state, "args": options})
    return path
