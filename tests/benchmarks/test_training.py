"""The benchmark of training: the plain loop is the original recipe, the parts are the step, a whole small run."""

import copy

import pytest
import torch

from benchmarks import own_training, shared
from benchmarks import training as training_program
from benchmarks.plain import PlainDMC, PlainTraining
from models.dmc import DMC
from models.matching import pair_distance, squared_distances
from models.recipes import ORIGINAL

SMALL = "--image_size 32 --batch_sizes 4 --steps 1 --repeats 1 --num_threads 1 --precisions fp32".split()


def test_the_plain_loop_computes_the_distances_of_the_original_recipe():
    torch.manual_seed(0)
    ours, plain = DMC(ORIGINAL, 2, 1).double().eval(), PlainDMC(2, 1).double().eval()
    values = [*ours.visual_net.state_dict().values(), *ours.audio_net.state_dict().values()]
    targets = [*plain.visual_net.state_dict().values(), *plain.audio_net.state_dict().values()]
    for target, value in zip(targets, values, strict=True):
        target.copy_(value)
    plain.fc_v.load_state_dict(ours.visual_projection.state_dict())
    plain.fc_a.load_state_dict(ours.audio_projection.state_dict())
    frames = torch.randint(0, 256, (3, 3, 64, 64), dtype=torch.uint8)
    spectrograms = torch.randn(3, 1, 201, 64, dtype=torch.float64) * 20
    with torch.no_grad():
        expected = plain(spectrograms, (frames / 255 - ours.mean) / ours.std)
        found = pair_distance(squared_distances(*ours(spectrograms, frames)))
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-8)


def test_the_plain_loop_trains_over_several_epochs(training_set):
    plain = PlainTraining(training_set, 32, 8, 0, torch.device("cpu"))  # a batch an epoch
    before = copy.deepcopy(plain.model.state_dict())
    assert plain.step() > 0 and plain.step() > 0
    assert not torch.equal(plain.model.fc_v.weight, before["fc_v.weight"])


@pytest.mark.parametrize("recipe", ["original", "improved"])
def test_a_step_is_timed_in_all_its_parts(training_set, recipe):
    own = own_training.Training(training_set, recipe, 32, batch_size=4, num_threads=1, precision="fp32")
    before = own.stepper.model.visual_projection.weight.detach().clone()
    seconds = own_training.seconds_of_parts(own, 1)
    assert tuple(seconds) == own_training.PARTS and all(value > 0 for value in seconds.values())
    assert not torch.equal(own.stepper.model.visual_projection.weight, before)


def test_a_whole_run_prints_its_table(training_set, capsys, monkeypatch):
    monkeypatch.setattr(shared, "in_own_process", lambda work, *arguments: work(*arguments))  # a new one takes seconds
    assert training_program.main(["--data_dir", str(training_set), *SMALL, "--recipes", "improved"]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("| ")]
    head, _, plain, own = [[cell.strip(" %") for cell in line.strip("|").split("|")] for line in lines]
    assert head == ["", "samples/s", "times plain", "GB", *own_training.PARTS]
    assert plain[0] == "plain loop fp32, batch 4, from files" and plain[4:] == [""] * 5
    assert own[0] == "improved fp32, batch 4"
    speed, plain_speed, times = float(own[1]), float(plain[1]), float(own[2])  # each rounded to a tenth
    assert (speed - 0.05) / (plain_speed + 0.05) - 0.06 < times < (speed + 0.05) / (plain_speed - 0.05) + 0.06
    assert sum(map(float, own[4:])) == pytest.approx(100, abs=0.5)


def test_a_training_that_does_not_fit_into_a_gpu_costs_only_its_row(training_set, monkeypatch, capsys):
    def training(*_: object, **__: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory.\nTried to allocate")

    monkeypatch.setattr(own_training, "choose_device", lambda _: torch.device("cuda"))
    monkeypatch.setattr(own_training, "Training", training)
    assert own_training.measure(training_set, 1, 32, 1, "original", "bf16", 64, 0, 1, 0) == {}
    assert capsys.readouterr().err == "original bf16, batch 64: CUDA out of memory.\n"
    plain = {"samples_per_second": 4.0, "memory": 1e9}
    assert training_program.table({"plain": plain, "large": {}})[-1].split() == [
        "|",
        "large",
        "|",
        "too",
        "large",
        *"|||",
    ]
