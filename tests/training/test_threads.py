"""As many threads compute as make a step fastest, and measuring that changes nothing else."""

import copy

import pytest
import torch

from data.negative_audio import NoiseNegatives
from models.dmc import DMC
from training import threads
from training.batches import train_and_val_loaders
from training.device import DeviceLoader
from training.options import merge_options
from training.steps import Stepper, build_stepper
from training.threads import NUM_THREADS, choose_threads


@pytest.fixture
def start(training_set, small, monkeypatch) -> tuple[Stepper, DeviceLoader]:
    """A training before its first step, with eight threads."""
    given = {"recipe": "improved", "batch_size": 4, "num_threads": 0, "set": ["image_size=32"]}
    options = merge_options({"data_dir": str(training_set), **given}, {})
    model, noise = DMC(options.recipe), NoiseNegatives(training_set, 2)
    loader, _ = train_and_val_loaders(options, torch.device("cpu"))
    monkeypatch.delenv(NUM_THREADS, raising=False)
    before = torch.get_num_threads()
    torch.set_num_threads(8)
    yield build_stepper(options, model, noise, loader.device), loader
    torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("seconds", "chosen"), [({8: 1, 4: 2}, 8), ({8: 3, 4: 2, 2: 4}, 4), ({8: 4, 4: 3, 2: 2, 1: 1}, 1)]
)
def test_the_number_is_halved_as_long_as_steps_become_faster(start, monkeypatch, capsys, seconds, chosen):
    monkeypatch.setattr(threads, "_seconds", lambda stepper, step, number: seconds[number])
    choose_threads(*start)
    assert torch.get_num_threads() == chosen
    assert f"threads: {chosen} (" in capsys.readouterr().out


def test_measuring_changes_neither_weights_nor_statistics_nor_random_numbers(start):
    stepper, loader = start
    weights, random = copy.deepcopy(stepper.model.state_dict()), torch.get_rng_state()
    choose_threads(stepper, loader)
    assert all(torch.equal(value, weights[name]) for name, value in stepper.model.state_dict().items())
    assert torch.equal(torch.get_rng_state(), random) and not stepper.optimizer.state


@pytest.mark.parametrize("variable", [NUM_THREADS, "WORLD_SIZE"])
def test_nothing_is_measured_where_the_number_is_given_or_several_processes_train(start, monkeypatch, variable):
    monkeypatch.setenv(variable, "2")
    monkeypatch.setattr(threads, "_seconds", lambda *_: pytest.fail("measured"))
    choose_threads(*start)
    assert torch.get_num_threads() == 8
