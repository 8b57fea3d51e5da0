"""The device: what it is set to when it is chosen."""

import pytest
import torch

from training.device import choose_device, random_states, restore_random_states


@pytest.fixture(autouse=True)
def denormals():
    """Other tests keep them."""
    yield
    torch.set_flush_denormal(False)


@pytest.mark.parametrize("name", ["cpu", "cuda", "auto"])
def test_convolutions_on_a_gpu_are_tried_out_and_those_on_a_cpu_are_what_they_were(name, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.backends.cudnn, "benchmark", False)
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    assert choose_device(name).type == ("cpu" if name == "cpu" else "cuda")
    assert torch.backends.cudnn.benchmark == (name != "cpu")


@pytest.mark.parametrize("name", ["cpu", "cuda"])
def test_on_a_cpu_numbers_below_the_smallest_normal_one_count_as_0(name, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.backends.cudnn, "benchmark", False)
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    if not torch.set_flush_denormal(False):
        pytest.skip("this CPU cannot")
    choose_device(name)
    assert ((torch.tensor(2e-38) * 0.1).item() == 0) == (name == "cpu")


def test_the_random_state_of_the_gpu_in_use_comes_back_whichever_it_is(monkeypatch):
    # The first of several processes saves its own; all of them go on from it, each on another GPU.
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
