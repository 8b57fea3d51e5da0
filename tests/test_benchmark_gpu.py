"""The benchmark of a GPU, as far as a CPU can tell: its figures, the search for the largest batch, what it says."""

import argparse
import json

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
