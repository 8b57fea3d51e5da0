"""Checkpoints: ours, and the flat state dicts of the published code.

Ours is a dict with ``model`` (state dict) and ``args`` (the options of its training). To resume, it also has
``optimizer``, ``epoch``, ``history`` and ``random_states``. It is read with ``weights_only=True``, so that a file
cannot run code. Of other files, the state dict may be an entry such as ``net`` or ``state_dict``, of a model in
DataParallel or ``torch.compile``.
"""

import io
import re
import warnings
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from common.atomic import atomic_file
from common.errors import UserError, first_line

# What PyTorch and its wrappers put before or into the name of a weight.
_WRAPPERS = re.compile(r"(?<![^.])(module|_orig_mod|model|net)\.")

# Unused weights of the published networks: each has the first convolution of the other one, and a classifier.
_PUBLISHED_UNUSED = re.compile(
    r"visual_net\.conv1_a\..*|audio_net\.conv1\..*|(visual|audio)_net\.fc\..*|fc_[va]_2\..*|fc_av\..*"
)
PUBLISHED_NAMES = {  # how names begin there -> here
    "audio_net.conv1_a.": "audio_net.conv1.",
    "fc_v_1.": "visual_projection.",
    "fc_a_1.": "audio_projection.",
}
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
    content = io.BytesIO()  # on a full disk PyTorch's own writer raises what looks like a bug
    try:
        torch.save(state, content)
    except RuntimeError as error:  # what PyTorch's writer makes of a MemoryError
        raise MemoryError from error
    with atomic_file(path) as partial:
        partial.write_bytes(content.getbuffer())


def read_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint of ours or of the published code, onto the CPU.

    Raises:
        UserError: there is none, it is damaged, or it holds more than weights and plain values.
    """
    path = Path(path)
    if not path.exists():
        raise UserError(f"there is no checkpoint {path}: train one first, or name one with --ckpt_file")
    content, weights = _read(path)
    args = content.get("args")
    checkpoint = Checkpoint(path, {}, args, content) if isinstance(args, dict) else Checkpoint(path, {})
    _add_with_our_names(checkpoint, weights)
    return checkpoint


def read_weights(path: Path) -> dict[str, torch.Tensor]:
    """Read a plain state dict onto the CPU.

    Raises:
        UserError: there is none, it is damaged, or it holds anything else.
    """
    if not path.exists():
        raise UserError(f"there is no file of weights {path}")
    return _read(path)[1]


def _read(path: Path) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    """The content of a file, and the state dict in it."""
    try:
        _require_whole(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # they advise to file issues about a stranger's file
            content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged or hostile file can raise anything
        raise UserError(f"{path} was not loaded: {_reason(error)}") from error
    weights = _find_weights(content)
    if not weights:
        holds = f"the entries {[*content]!r:.100}" if isinstance(content, dict) else f"a {type(content).__name__}"
        raise UserError(f"{path} holds no state dict, names and tensors: it holds {holds}")
    for name, weight in weights.items():
        if weight.layout != torch.strided or weight.is_meta or weight.is_quantized or weight.is_complex():
            raise UserError(f"{path} holds {name:.100} as a sparse, quantized, or complex tensor, or without values")
    return content, weights


def _require_whole(path: Path) -> None:
    """Refuse a zip file with changed bytes, which PyTorch does not notice, or one that unpacks to more than it is."""
    if not zipfile.is_zipfile(path):  # of an old PyTorch, or damaged
        return
    with zipfile.ZipFile(path) as file:
        if sum(entry.file_size for entry in file.infolist()) > path.stat().st_size:  # torch.save() compresses nothing
            raise ValueError("it unpacks to more than its size")
        if damaged := file.testzip():
            raise ValueError(f"the checksum of {damaged} is wrong")


def _reason(error: Exception) -> str:
    """Why PyTorch refused a file, without its advice to read it in a way in which it could run code."""
    if asked := re.search(r"GLOBAL (\S+)", str(error)):
        return f"it asks for {asked[1]}, which could run code; save plain weights, torch.save(model.state_dict(), ...)"
    if isinstance(error, MemoryError) or "can't allocate memory" in str(error):
        return "memory ran out, or the file states more than it holds; end other programs"
    quoted = "" if "weights_only" in str(error) else f" ({first_line(error)})"
    return f"it is damaged, or no file of torch.save(){quoted}"


def _find_weights(content: object, seen: set[int] | None = None, depth: int = 3) -> dict[str, torch.Tensor] | None:
    """The state dict that a file is or holds: as the entry ``model``, else the one with most weights."""
    seen = set() if seen is None else seen  # a stranger's file may hold itself, or one dict a million times
    is_named = isinstance(content, dict) and all(isinstance(key, str) for key in content)  # an optimizer's state is not
    if not is_named or not depth or id(content) in seen:
        return None
    seen.add(id(content))
    if content and all(isinstance(value, torch.Tensor) for value in content.values()):
        return {_WRAPPERS.sub("", name): value for name, value in content.items()}
    found = {key: weights for key, value in content.items() if (weights := _find_weights(value, seen, depth - 1))}
    return found.get(max(found, key=lambda key: (key == "model", len(found[key])), default=None))


def _add_with_our_names(checkpoint: Checkpoint, weights: dict[str, torch.Tensor]) -> None:
    """Add the weights of a checkpoint, ours or of the published code."""
    # Otherwise audio_net.conv1 is not a leftover but in use.
    has_unused = any(name.startswith("audio_net.conv1_a.") for name in weights)
    for name, weight in weights.items():
        if has_unused and _PUBLISHED_UNUSED.fullmatch(name):
            checkpoint.ignored.append(name)
            continue
        theirs = next((theirs for theirs in PUBLISHED_NAMES if name.startswith(theirs)), "")
        checkpoint.model[PUBLISHED_NAMES.get(theirs, "") + name.removeprefix(theirs)] = weight


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
            f"{checkpoint.path} holds another network than visual_net={model.recipe.visual_net} with "
            f"clustering={model.recipe.clustering}: {'; '.join(problems[:3])}{more}"
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
