"""Device, precision and random states."""

from pathlib import Path

import pytest
import torch

from training.device import choose_device, choose_precision, random_states, restore_random_states
from training.options import PRECISIONS

CPU, GPU = torch.device("cpu"), torch.device("cuda")


@pytest.fixture
def gpu_machine(monkeypatch):
    """A machine that seems to have a GPU; other tests keep small numbers afterwards."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.backends.cudnn, "benchmark", False)
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    yield
    torch.set_flush_denormal(False)


@pytest.mark.parametrize(("name", "expected"), [("cpu", "cpu"), ("cuda", "cuda"), ("auto", "cuda")])
def test_only_a_gpu_tries_out_its_convolutions(gpu_machine, name, expected):
    assert choose_device(name).type == expected
    assert torch.backends.cudnn.benchmark == (expected == "cuda")


@pytest.mark.parametrize("name", ["cpu", "cuda"])
def test_only_a_cpu_takes_denormal_numbers_for_0(gpu_machine, name):
    if not torch.set_flush_denormal(False):
        pytest.skip("this CPU cannot")
    choose_device(name)
    assert ((torch.tensor(2e-38) * 0.1).item() == 0) == (name == "cpu")


def test_a_named_precision_is_taken():
    found = [choose_precision(name, CPU, "original") for name in PRECISIONS[1:]]
    assert found == [torch.float32, torch.bfloat16, torch.float16]


@pytest.mark.parametrize(("computes", "expected"), [(True, torch.bfloat16), (False, torch.float32)])
def test_auto_is_bf16_exactly_where_the_hardware_computes_in_it(monkeypatch, computes, expected):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx2": True, "avx512_bf16": computes}, raising=False)
    assert choose_precision("auto", CPU, "improved") == expected
    assert choose_precision("auto", CPU, "original") == torch.float32  # as published
    monkeypatch.delattr(torch.cpu, "get_capabilities")  # as in older versions
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: computes, raising=False)
    assert choose_precision("auto", CPU, "improved") == expected
    asked = []
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **given: asked.append(given) or computes)
    assert choose_precision("auto", GPU, "improved") == expected
    assert asked == [{"including_emulation": False}]


@pytest.mark.skipif(not Path("/proc/cpuinfo").exists(), reason="Linux lists the instructions there")
def test_auto_knows_this_processor():
    expected = torch.bfloat16 if "avx512_bf16" in Path("/proc/cpuinfo").read_text().split() else torch.float32
    assert choose_precision("auto", CPU, "improved") == expected


def test_auto_is_fp32_on_an_unknown_processor(monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"architecture": "riscv64"}, raising=False)
    assert choose_precision("auto", CPU, "improved") == torch.float32
    monkeypatch.delattr(torch.cpu, "get_capabilities")
    monkeypatch.delattr(torch.cpu, "_is_avx512_bf16_supported", raising=False)
    assert [choose_precision("auto", torch.device(name), "improved") for name in ("cpu", "meta")] == [torch.float32] * 2


def test_the_random_state_of_the_gpu_in_use_is_restored(monkeypatch):
    # Rank 0 saves the state of its GPU. All processes resume from it, each on another GPU.
    state = torch.arange(3, dtype=torch.uint8)
    found = []
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_rng_state", lambda: state)
    monkeypatch.setattr(torch.cuda, "set_rng_state", found.append)
    saved = random_states()
    restore_random_states(saved)
    restore_random_states(saved | {"cuda": [state, state + 1]})  # of an older checkpoint
    assert [one.tolist() for one in found] == [[0, 1, 2], [0, 1, 2]]
