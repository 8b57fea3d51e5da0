"""Checkpoints: ours, the published code's, and files that are neither."""

import io
import os
import pickle
import re
import zipfile
from argparse import Namespace
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from common.errors import UserError
from models.dmc import DMC
from models.recipes import ORIGINAL
from tests.fixtures.training_run import same_weights
from training.checkpoints.checkpoint import load_weights, read_checkpoint, read_weights, save_checkpoint
from training.checkpoints.published import export_published


@pytest.fixture(scope="module")
def model() -> DMC:
    torch.manual_seed(3)
    model = DMC(ORIGINAL)
    for value in model.state_dict().values():
        if value.is_floating_point():
            value += 0.2 * torch.rand_like(value)  # away from the start, where many are equal
    return model


@pytest.fixture
def published(model: DMC, tmp_path: Path) -> dict[str, torch.Tensor]:
    """Its state dict as the published program has it. `test_published.py` proves that this is the same network."""
    export_published(model, tmp_path / "exported.pth")
    return torch.load(tmp_path / "exported.pth")


def prefixed(prefix: str) -> Callable[[dict], dict]:
    return lambda weights: {prefix + name: value for name, value in weights.items()}


OPTIMIZER = {"state": {0: {"step": torch.tensor(1.0), "exp_avg": torch.zeros(3)}}, "param_groups": [{"params": [0]}]}


@pytest.mark.parametrize(
    "wrap",
    [
        prefixed(""),
        prefixed("module."),  # DataParallel
        prefixed("_orig_mod."),  # torch.compile
        prefixed("module._orig_mod."),
        prefixed("model."),  # Lightning
        lambda weights: {name.replace("_net.", "_net._orig_mod."): value for name, value in weights.items()},
        lambda weights: {"model": weights},
        lambda weights: {"pixels": {"mean": torch.zeros(3)}, "net": weights, "epoch": 2},
        lambda weights: {"optimizer": OPTIMIZER, "state_dict": prefixed("module.")(weights)},
        lambda weights: {"model_state_dict": weights, "args": None},
        lambda weights: {"ema": {name: value + 1 for name, value in weights.items()}, "model": weights},
        lambda weights: {"checkpoint": {"network": OrderedDict(weights)}},
        lambda weights: {name: nn.Parameter(value, value.is_floating_point()) for name, value in weights.items()},
    ],
)
def test_a_published_state_dict_gives_the_network_that_was_exported(model, published, tmp_path, wrap):
    torch.save(wrap(published), tmp_path / "published.pth")
    loaded = DMC(ORIGINAL)
    checkpoint = read_checkpoint(tmp_path / "published.pth")
    note = load_weights(loaded, checkpoint)
    assert checkpoint.state == checkpoint.args == {}
    assert same_weights(loaded.state_dict(), model.state_dict())
    assert "\n" not in note
    for unused in ("visual_net.conv1_a", "audio_net.conv1", "visual_net.fc", "fc_v_2", "fc_a_2", "fc_av"):
        assert unused in note


def test_one_line_names_the_weights_that_a_published_file_lacks(published, tmp_path):
    weights = {
        name: value
        for name, value in published.items()
        if not name.startswith("fc_a_1") and not name.endswith("num_batches_tracked")
    }
    torch.save(weights, tmp_path / "published.pth")
    note = load_weights(DMC(ORIGINAL), read_checkpoint(tmp_path / "published.pth"))
    assert "missing num_batches_tracked, audio_projection" in note and "\n" not in note


def test_a_saved_checkpoint_is_read_unchanged_and_fits_other_numbers_of_clusters(tmp_path):
    saved = DMC(ORIGINAL, v_cluster=2)
    save_checkpoint(tmp_path / "ours.pth", {"model": saved.state_dict(), "args": {"v_cluster": 2}})
    checkpoint = read_checkpoint(tmp_path / "ours.pth")
    loaded = DMC(ORIGINAL, v_cluster=5, a_cluster=3)
    assert load_weights(loaded, checkpoint) is None
    assert checkpoint.args == {"v_cluster": 2}
    assert same_weights(loaded.state_dict(), saved.state_dict())


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (
            lambda weights: weights | {"visual_net.layer1.2.conv1.weight": torch.zeros(64, 64, 3, 3)},  # ResNet-34
            "visual_net.layer1.2.conv1.weight is unknown",
        ),
        (lambda _: {"features.0.weight": torch.zeros(64, 3, 3, 3)}, "features.0.weight is unknown"),
        (
            lambda weights: weights | {"fc_v_1.weight": torch.zeros(128, 512)},
            r"visual_projection.weight has shape \(128, 512\), not \(512, 512\)",
        ),
        (
            lambda weights: {name: value for name, value in weights.items() if not name.startswith("audio_net.layer")},
            "audio_net.layer1.0.conv1.weight is missing",
        ),
    ],
    ids=["ResNet-34", "VGG", "wide", "one stream"],
)
def test_weights_of_another_architecture_are_refused(published, tmp_path, change, named):
    torch.save(change(published), tmp_path / "other.pth")
    with pytest.raises(UserError, match=f"(?s)other.pth holds another network than visual_net=resnet18 with.*{named}"):
        load_weights(DMC(ORIGINAL), read_checkpoint(tmp_path / "other.pth"))


class Payload:
    def __reduce__(self):
        return os.system, ("touch payload_ran",)


@pytest.mark.parametrize("zipped", [True, False])
def test_a_checkpoint_cannot_run_code(tmp_path, monkeypatch, zipped):
    monkeypatch.chdir(tmp_path)
    torch.save({"model": Payload(), "args": {}}, "bad.pth", _use_new_zipfile_serialization=zipped)
    with pytest.raises(UserError, match=r"bad\.pth was not loaded: it asks for \w+\.system, which could run code"):
        read_checkpoint("bad.pth")
    assert not (tmp_path / "payload_ran").exists()


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ({"args": Namespace(lr=1)}, "argparse.Namespace"),
        ({"best": np.float64(3)}, r"numpy\._?core\.multiarray\.scalar"),
        (nn.Linear(2, 2), "torch.nn.modules.linear.Linear"),
    ],
    ids=["Namespace", "numpy", "module"],
)
def test_what_a_refused_file_asks_for_is_named_without_the_advice_to_run_its_code(tmp_path, content, named):
    torch.save(content, tmp_path / "bad.pth")
    with pytest.raises(UserError, match=rf"bad\.pth was not loaded: it asks for {named}, .*state_dict") as error:
        read_checkpoint(tmp_path / "bad.pth")
    assert not re.search(r"weights_only|likely succeed|\x1b|\n", str(error.value))


def script() -> bytes:
    torch.jit.save(torch.jit.script(nn.Linear(2, 2)), file := io.BytesIO())
    return file.getvalue()


@pytest.mark.parametrize(
    "content", [b"", b"no checkpoint", pickle.dumps({"a": 1}, protocol=2), pickle.dumps({"a": 1}), None, script()]
)
def test_damaged_and_truncated_files_are_named(tmp_path, content):
    if content is None:
        save_checkpoint(tmp_path / "bad.pth", {"model": {"w": torch.randn(1000)}, "args": {}})
        content = (tmp_path / "bad.pth").read_bytes()[:2000]
    (tmp_path / "bad.pth").write_bytes(content)
    with pytest.raises(UserError, match=r"bad\.pth was not loaded: it is damaged, or no file of torch\.save") as error:
        read_checkpoint(tmp_path / "bad.pth")
    assert not re.search(r"weights_only|likely succeed|\x1b|\n", str(error.value))


def test_a_zip_file_that_unpacks_to_more_than_its_size_is_refused(tmp_path):
    save_checkpoint(tmp_path / "bad.pth", {"model": {"w": torch.zeros(1_000_000)}, "args": {}})
    with zipfile.ZipFile(tmp_path / "bad.pth") as file:
        contents = {name: file.read(name) for name in file.namelist()}
    for folder in ("", "../../"):
        with zipfile.ZipFile(tmp_path / "bad.pth", "w", zipfile.ZIP_DEFLATED) as file:
            for name, content in contents.items():
                file.writestr(folder + name, content)
        with pytest.raises(UserError, match=r"bad\.pth was not loaded: .*it unpacks to more than its size"):
            read_checkpoint(tmp_path / "bad.pth")


@pytest.mark.parametrize("read", [read_checkpoint, read_weights])
@pytest.mark.parametrize("odd", [torch.zeros(3).to_sparse(), torch.zeros(3, device="meta"), torch.zeros(3) * 1j])
def test_weights_that_no_layer_can_take_are_refused(tmp_path, read, odd):
    torch.save({"a.weight": torch.zeros(3), "b.weight": odd}, tmp_path / "bad.pth")
    with pytest.raises(UserError, match=r"bad\.pth holds b\.weight as a sparse, quantized, or complex tensor"):
        read(tmp_path / "bad.pth")


def test_a_missing_checkpoint_names_the_remedy(tmp_path):
    with pytest.raises(UserError, match=r"no checkpoint .*none.pth: train one first"):
        read_checkpoint(tmp_path / "none.pth")


HOLDS_ITSELF: dict = {}
HOLDS_ITSELF["self"] = HOLDS_ITSELF
ONE_DICT_OFTEN = NAMES = dict.fromkeys(map(str, range(3000)))
for _ in range(2):  # to look at it anew each time would take hours
    ONE_DICT_OFTEN = dict.fromkeys(NAMES, ONE_DICT_OFTEN)


@pytest.mark.parametrize(
    ("content", "holds"),
    [
        (torch.zeros(3), "a Tensor"),
        ([{"model": {}}], "a list"),
        ({}, r"the entries \[\]"),
        ({"epoch": 3}, r"the entries \['epoch'\]"),
        ({1: torch.zeros(1)}, r"the entries \[1\]"),
        ({"model": {"a": "x"}, "args": {}}, "the entries"),
        ({"optimizer": OPTIMIZER}, "the entries"),
        (HOLDS_ITSELF, "the entries"),
        (ONE_DICT_OFTEN, "the entries"),
    ],
)
def test_a_file_without_a_dict_of_weights_is_refused(tmp_path, content, holds):
    torch.save(content, tmp_path / "other.pth")
    with pytest.raises(UserError, match=rf"other\.pth holds no state dict, names and tensors: it holds {holds}"):
        read_checkpoint(tmp_path / "other.pth")


def test_audio_net_conv1_is_used_in_a_file_without_the_published_conv1_a(tmp_path):
    # A state dict of ours, saved without its options.
    ours = DMC(ORIGINAL).state_dict()
    torch.save(ours, tmp_path / "flat.pth")
    checkpoint = read_checkpoint(tmp_path / "flat.pth")
    assert checkpoint.ignored == [] and same_weights(checkpoint.model, ours)
    load_weights(DMC(ORIGINAL), checkpoint)
