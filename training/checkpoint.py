"""Checkpoints: ours, and the flat state dicts of the published code.

Ours is a dict with ``model`` (state dict) and ``args`` (the options of its training). To resume, it also has
``optimizer``, ``epoch``, ``history`` and ``random_states``. It is read with ``weights_only=True``, so that a file
cannot run code.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from common.atomic import atomic_file
from common.errors import UserError, first_line

# Unused weights of the published networks: each has the first convolution of the other one, and a classifier.
_PUBLISHED_UNUSED = re.compile(
    r"visual_net\.conv1_a\..*|audio_net\.conv1\..*|(visual|audio)_net\.fc\..*|fc_[va]_2\..*|fc_av\..*"
)
_PUBLISHED_NAMES = (
    (re.compile(r"^audio_net\.conv1_a\."), "audio_net.conv1."),
    (re.compile(r"^fc_v_1\."), "visual_projection."),
    (re.compile(r"^fc_a_1\."), "audio_projection."),
)
_PROJECTIONS = ("visual_projection.", "audio_projection.")


@dataclass
class Checkpoint:
    """A checkpoint in our form."""

    path: Path  # of its file
    model: dict[str, torch.Tensor]  # state dict with our names
    args: dict[str, Any] = field(default_factory=dict)  # the options of its training; the published files have none
    state: dict[str, Any] = field(default_factory=dict)  # the whole dict of the file, to resume
    ignored: list[str] = field(default_factory=list)  # names of weights that the network does not use


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write a checkpoint, whole or not at all."""
    # Through a file of ours: on a full disk PyTorch's own writer raises what looks like a bug.
    with atomic_file(path) as partial, partial.open("wb") as file:
        torch.save(state, file)


def read_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint of ours or of the published code, onto the CPU.

    Raises:
        UserError: there is none, it is damaged, or it holds more than weights and plain values.
    """
    path = Path(path)
    if not path.exists():
        raise UserError(f"there is no checkpoint {path}: train one first, or name one with --ckpt_file")
    content = _read(path)
    if not isinstance(content, dict):
        raise UserError(f"{path} is no checkpoint of DMC: it holds a {type(content).__name__}")
    if _is_state_dict(content.get("model")) and isinstance(content.get("args"), dict):
        return Checkpoint(path, content["model"], content["args"], content)
    weights = content.get("state_dict", content)
    if not _is_state_dict(weights):
        raise UserError(f"{path} is no checkpoint of DMC: neither ours nor a state dict of the published code")
    return _from_published(path, weights)


def read_weights(path: Path) -> dict[str, torch.Tensor]:
    """Read a plain state dict onto the CPU.

    Raises:
        UserError: there is none, it is damaged, or it holds anything else.
    """
    if not Path(path).exists():
        raise UserError(f"there is no file of weights {path}")
    content = _read(Path(path))
    if not _is_state_dict(content):
        raise UserError(f"{path} is no state dict: names and tensors, nothing else")
    return content


def _read(path: Path) -> object:
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged or hostile file can raise anything
        reason = "it is damaged, or holds more than weights, which could run code"
        raise UserError(f"{path} was not loaded: {reason} ({first_line(error)})") from error


def _is_state_dict(content: object) -> bool:
    return isinstance(content, dict) and all(
        isinstance(name, str) and isinstance(value, torch.Tensor) for name, value in content.items()
    )


def _from_published(path: Path, weights: dict[str, torch.Tensor]) -> Checkpoint:
    """A flat state dict, perhaps of a DataParallel model, with our names."""
    checkpoint = Checkpoint(path, {})
    names = [name.removeprefix("module.") for name in weights]
    # Otherwise audio_net.conv1 is not a leftover but in use.
    has_unused = any(name.startswith("audio_net.conv1_a.") for name in names)
    for name, weight in zip(names, weights.values(), strict=True):
        if has_unused and _PUBLISHED_UNUSED.fullmatch(name):
            checkpoint.ignored.append(name)
            continue
        for pattern, replacement in _PUBLISHED_NAMES:
            name = pattern.sub(replacement, name)
        checkpoint.model[name] = weight
    return checkpoint


def load_weights(model: nn.Module, checkpoint: Checkpoint) -> str | None:
    """Put the weights of a checkpoint into a model.

    Missing projections keep their random start, missing counters of BatchNorm stay 0.

    Returns:
        One line on ignored and missing weights; None if there are none.

    Raises:
        UserError: the weights are those of another architecture.
    """
    wanted = model.state_dict()
    # A visual backbone that ends at layer3 has no last stage.
    left_out = [name for name in checkpoint.model if name.startswith("visual_net.layer4.") and name not in wanted]
    found = {name: weight for name, weight in checkpoint.model.items() if name not in left_out}
    unknown = [name for name in found if name not in wanted]
    missing = [name for name in wanted if name not in found]
    fatal = [name for name in missing if not name.startswith(_PROJECTIONS) and not name.endswith("num_batches_tracked")]
    other = [name for name in found if name in wanted and found[name].shape != wanted[name].shape]
    problems = (
        [f"{name} is unknown" for name in unknown]
        + [f"{name} is missing" for name in fatal]
        + [f"{name} has shape {tuple(found[name].shape)}, not {tuple(wanted[name].shape)}" for name in other]
    )
    if problems:
        more = f" and {len(problems) - 3} more" if len(problems) > 3 else ""
        raise UserError(
            f"{checkpoint.path} holds another architecture than two ResNet-18s with projections to 512, or one of "
            f"another visual_net: {'; '.join(problems[:3])}{more}"
        )
    model.load_state_dict(found, strict=False)
    notes = []
    if ignored := checkpoint.ignored + left_out:
        notes.append(f"ignored {', '.join(_modules(ignored))}")
    if missing:
        notes.append(f"missing {', '.join(_modules(missing))}")
    return f"{checkpoint.path}: {'; '.join(notes)}" if notes else None


def _modules(names: list[str]) -> list[str]:
    """Names of the modules of weights; the counters of BatchNorm as one."""
    return list(
        dict.fromkeys(
            "num_batches_tracked" if name.endswith("num_batches_tracked") else name.rpartition(".")[0] for name in names
        )
    )
