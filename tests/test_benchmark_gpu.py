"""The benchmark of a GPU, as far as a CPU can tell: its figures, the search for the largest batch, what it says."""

import argparse
import json
from pathlib import Path

import pytest
import torch

from benchmarks import gpu
from tests.sample_set import add_negatives, make_set

SMALL = "--device cpu --image_size 32 --batch_size 4 --steps 1 --num_threads 1".split()


@pytest.fixture
def options(tmp_path) -> argparse.Namespace:
    make_set(tmp_path / "set", train=4, val=2, test=2, seconds=2)
    add_negatives(tmp_path / "set")
    return gpu.parse([*SMALL, "--data_dir", str(tmp_path / "set"), "--out", str(tmp_path / "out")])


def test_the_largest_batch_is_the_last_one_that_fits(options, monkeypatch):
    tried = []

    def step(recipe: str, size: int, _: argparse.Namespace) -> None:
        tried.append(size)
        if size > 100:
            raise torch.OutOfMemoryError

    monkeypatch.setattr(gpu, "one_step_of", step)
    assert gpu.largest_batch("original", options) == 64
    assert tried == [16, 32, 64, 128]
    options.most_batch = 32
    assert gpu.largest_batch("original", options) == 32


@pytest.mark.parametrize("recipe", ["original", "improved"])
def test_a_batch_of_made_up_samples_can_be_trained_on(options, recipe):
    gpu.one_step_of(recipe, 16, options)


@pytest.mark.parametrize("recipe", ["original", "improved"])
def test_the_networks_alone_are_given_what_training_gives_them(options, recipe):
    training = gpu.own_training(recipe, 4, options)
    seen: dict[str, list[torch.Size]] = {"step": [], "alone": []}
    for net in (training.model.visual_net, training.model.audio_net):
        net.register_forward_pre_hook(lambda _, inputs: seen[now].append(inputs[0].shape[1:]))
    now = "step"
    training.step()
    now = "alone"
    gpu.seconds_of_networks(training, 1)
    assert set(seen["alone"]) == set(seen["step"]) and len(set(seen["step"])) == 2
    assert training.model.visual_net.conv1.weight.grad.abs().sum() > 0


def test_the_gpu_is_busy_with_each_kernel_once():
    def event(device: str, microseconds: float, annotation: bool = False) -> argparse.Namespace:
        device_type = getattr(torch.autograd.DeviceType, device)
        return argparse.Namespace(
            device_type=device_type, self_device_time_total=microseconds, is_user_annotation=annotation
        )

    operators = [event("CPU", 3e6), event("CPU", 1e6)]
    kernels = [event("CUDA", 3e6), event("CUDA", 1e6)]
    assert gpu.device_seconds([*operators, *kernels, event("CUDA", 4e6, annotation=True)]) == 4.0


def test_all_programs_are_given_the_device_and_the_processes_that_load(options, monkeypatch):
    given = []

    def run_program(_: str, arguments: list[object], log: Path) -> None:
        given.append(arguments)
        (options.out / "improved").mkdir(parents=True, exist_ok=True)
        (options.out / "improved/log.csv").write_text("epoch,seconds\n1,60\n")

    (options.data_dir / "boxes.json").write_text("{}")
    monkeypatch.setattr(gpu, "run_program", run_program)
    monkeypatch.setattr(gpu, "read_annotations", lambda _: None)
    monkeypatch.setattr(gpu, "read_run", lambda _: argparse.Namespace(maps=None))
    monkeypatch.setattr(gpu, "score_run", lambda *_: None)
    monkeypatch.setattr(gpu, "summary", lambda _: {"iou_at_0.5": 0.7})
    assert gpu.time_to_iou(options)["minutes"] == 1.0
    assert len(given) == 2
    for arguments in given:
        assert arguments[arguments.index("--num_threads") + 1] == 1
        assert arguments[arguments.index("--device") + 1] == "cpu"


def test_its_figures_are_printed_and_saved(options, monkeypatch, capsys):
    monkeypatch.setattr(gpu, "largest_batch", lambda *_: 64)
    monkeypatch.setattr(gpu, "time_to_iou", lambda _: {"minutes": 1.5, "epochs": []})
    gpu.benchmark(options)
    results = json.loads(options.json.read_text())
    for name, found in results["steps"].items():
        assert found["samples_per_second"] > 0 and found["times_plain"] > 0 and found["busy"] == 0, name
    assert results["steps"]["improved"]["times_networks"] > 0
    said = capsys.readouterr().out
    assert "reached after 1.50 minutes" in said and "| improved " in said


def test_without_the_device_it_says_so_at_once(tmp_path, capsys):
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    assert gpu.main(["--data_dir", str(tmp_path)]) == 1
    assert "--device cuda" in capsys.readouterr().err
