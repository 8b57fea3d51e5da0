"""The batches of a training, from its options."""

import json
import shutil
from argparse import Namespace
from pathlib import Path

import pytest
import torch

from common.errors import UserError
from data.layout import audio_frames_dir
from tests.fixtures.sample_set import make_set
from training.batches import set_window, test_loader, train_and_val_loaders
from training.options import merge_options

test_loader.__test__ = False  # a function of the program, not a test
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("set")
    make_set(folder, train=3, val=2, test=2, seconds=2)
    return folder


def build_options(data_dir: Path, **others: object) -> Namespace:
    small = {"batch_size": 6, "cache": 0, "num_threads": 0, "set": ["image_size=32"]}
    return merge_options({"data_dir": str(data_dir), **small, **others}, {})


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_batches_for_a_gpu_lie_in_pinned_memory_and_get_their_color_jitter_there(data_dir, device):
    options = build_options(data_dir)
    for loader in train_and_val_loaders(options, torch.device(device)):
        assert loader.loader.pin_memory == loader.loader.dataset.jitter_later == (device == "cuda")
    assert test_loader(options, torch.device(device)).loader.pin_memory == (device == "cuda")


def test_accumulate_bounds_the_samples_at_a_time_in_validation_and_testing_too(data_dir):
    options = build_options(data_dir, accumulate=3)
    loaders = train_and_val_loaders(options, CPU)
    assert [max(len(batch["frame"]) for batch in loader) for loader in loaders] == [2, 2]
    assert {len(batch["keys"]) for batch in test_loader(options, CPU)} == {4}  # a second stays together


def test_recipes_set_the_size_of_frames(data_dir):
    options = build_options(data_dir, set=["image_size=48", "test_scale=1.5"])
    train_loader, _ = train_and_val_loaders(options, CPU)
    assert next(iter(train_loader))["frame"].shape[2:] == (48, 48)
    assert next(iter(test_loader(options, CPU)))["frames"].shape[2:] == (72, 72)


def test_a_video_without_audio_is_counted_and_the_others_are_used(data_dir, tmp_path, capsys):
    shutil.copytree(data_dir, tmp_path, dirs_exist_ok=True)
    shutil.rmtree(tmp_path / "audio_frames/train1")
    train_loader, _ = train_and_val_loaders(build_options(tmp_path), CPU)
    assert "1 videos lack frames or audio, as train1" in capsys.readouterr().out
    assert len(train_loader.loader.dataset) == 4


def test_a_fresh_training_takes_the_window_of_the_data_set_and_a_trained_network_keeps_its_own(tmp_path):
    options = build_options(tmp_path)
    set_window(options, from_scratch=False)  # no window is recorded: nothing to compare
    assert options.n_fft == 160
    audio_frames_dir(tmp_path).mkdir()
    (audio_frames_dir(tmp_path) / "settings.json").write_text(json.dumps({"n_fft": 1024}))
    with pytest.raises(UserError, match=r"cut with --n_fft 1024, .* trained with 160: .* --n_fft 160 --overwrite 1"):
        set_window(options, from_scratch=False)
    set_window(options, from_scratch=True)
    assert options.n_fft == 1024
