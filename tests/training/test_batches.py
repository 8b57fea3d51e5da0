"""The batches of a training, from its options."""

import json
import re
import shutil
from argparse import Namespace
from pathlib import Path

import pytest
import torch

from common.errors import UserError
from data.layout import audio_frames_dir
from data.lists import parse_list_line
from training import batches
from training.batches import adopt_spectrogram_settings, test_loaders, train_and_val_loaders
from training.options import merge_options

test_loaders.__test__ = False  # a function of the program, not a test
CPU = torch.device("cpu")


def build_options(data_dir: Path, **others: object) -> Namespace:
    small = {"batch_size": 6, "cache": 0, "num_threads": 0, "set": ["image_size=32"]}
    return merge_options({"data_dir": str(data_dir), **small, **others}, {})


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_batches_for_a_gpu_lie_in_pinned_memory(training_set, device):
    options = build_options(training_set)
    for loader in train_and_val_loaders(options, torch.device(device)):
        assert loader.loader.pin_memory == (device == "cuda")
    assert test_loaders(options, torch.device(device))[0].loader.pin_memory == (device == "cuda")


def test_accumulate_bounds_the_samples_at_a_time_in_validation_and_testing_too(training_set):
    options = build_options(training_set, accumulate=3)
    loaders = train_and_val_loaders(options, CPU)
    assert [max(len(batch["frame"]) for batch in loader) for loader in loaders] == [2, 2]
    assert {len(batch["keys"]) for batch in test_loaders(options, CPU)[0]} == {4}  # a second stays together


def test_recipes_set_the_size_of_frames(training_set):
    options = build_options(training_set, set=["image_size=48", "readout=audio_guided"])
    train_loader, _ = train_and_val_loaders(options, CPU)
    assert next(iter(train_loader))["frame"].shape[2:] == (48, 48)
    assert next(iter(test_loaders(options, CPU)[0]))["frames"].shape[2:] == (72, 72)


@pytest.mark.parametrize(("spare", "cached"), [(0, True), (-1, False)])
def test_lists_that_fit_are_read_into_memory(training_set, monkeypatch, capsys, spare, cached):
    # 8 seconds with 4 frames of 37 x 37 pixels, before they are cropped; the validation list has half as many.
    options = build_options(training_set, cache=1)
    monkeypatch.setattr(batches, "memory_to_spend", lambda: 8 * (4 * 3 * 37**2 + 4 * 201 * 64) + spare)
    train, val = (loader.loader.dataset.cache for loader in train_and_val_loaders(options, CPU))
    assert (train is not None) == cached and val is not None
    assert capsys.readouterr().out.count("do not fit") == (not cached)


@pytest.mark.parametrize(("device", "cache", "workers"), [("cpu", 1, 0), ("cpu", 0, 2), ("cuda", 1, 2)])
def test_only_a_cpu_that_reads_from_memory_has_no_loading_processes(training_set, device, cache, workers):
    options = build_options(training_set, cache=cache, num_threads=2)
    for loader in train_and_val_loaders(options, torch.device(device)):
        assert loader.loader.num_workers == workers and bool(loader.loader.dataset.cache) == cache


@pytest.mark.parametrize(
    ("train_list", "without", "message"),
    [
        (None, "", r"no list .*train\.txt: python3 data/split\.py --data_dir"),
        ("\n", "", r"train\.txt is empty: draw it with python3 data/split\.py .* --force"),
        ("train0\n", "", r"the train list has one usable video, .* python3 data/split\.py .* --force"),
        ("train0\n", "audio_frames", r"has frames and spectrograms .*data/cut_video\.py .* and .*data/cut_audio\.py"),
        ("train0\n", "video_frames", r"has frames and spectrograms .*data/cut_video\.py .* and .*data/cut_audio\.py"),
    ],
)
def test_bad_data_is_a_sentence_with_the_remedy(training_set, tmp_path, train_list, without, message):
    shutil.copytree(training_set, tmp_path / "set", ignore=shutil.ignore_patterns("train.txt", without))
    if train_list is not None:
        (tmp_path / "set/train.txt").write_text(train_list)
    with pytest.raises(UserError, match=message):
        train_and_val_loaders(build_options(tmp_path / "set"), CPU)


@pytest.mark.parametrize(
    "form", ["video/{}.mp4", "{}.jpg", '"{}"', "{},0,10,flute", "{} flute", "/home/me/{}", "./{}", "{}/frame_000"]
)
def test_entries_of_another_form_are_shown_with_the_form_of_entries(training_set, tmp_path, capsys, form):
    shutil.copytree(training_set, tmp_path / "set")
    entries = [form.format(f"train{number}") for number in range(4)]
    (tmp_path / "set/train.txt").write_text("\n".join(entries))
    expected = (
        rf"4 entries are no videos of .*set, as '{re.escape(parse_list_line(entries[0]))}': an entry is the NAME of"
    )
    with pytest.raises(UserError, match=expected) as error:
        train_and_val_loaders(build_options(tmp_path / "set"), CPU)
    assert "cut_video" not in str(error.value)
    (tmp_path / "set/train.txt").write_text("\n".join([*entries, "train0", "train1"]))
    train_and_val_loaders(build_options(tmp_path / "set"), CPU)  # the others are used
    assert re.search(expected, capsys.readouterr().out)


def test_a_video_without_audio_is_counted_and_the_others_are_used(training_set, tmp_path, capsys):
    shutil.copytree(training_set, tmp_path, dirs_exist_ok=True)
    shutil.rmtree(tmp_path / "audio_frames/train1")
    train_loader, _ = train_and_val_loaders(build_options(tmp_path), CPU)
    assert "1 videos lack frames or audio, as train1" in capsys.readouterr().out
    assert len(train_loader.loader.dataset) == 3 * 2


def test_a_fresh_training_takes_the_window_of_the_data_set_and_a_trained_network_keeps_its_own(tmp_path):
    options = build_options(tmp_path)
    adopt_spectrogram_settings(options, from_scratch=False)  # no window is recorded: nothing to compare
    assert options.n_fft == 160
    audio_frames_dir(tmp_path).mkdir()
    (audio_frames_dir(tmp_path) / "settings.json").write_text(json.dumps({"n_fft": 1024}))
    with pytest.raises(
        UserError, match=r"cut with --n_fft 1024, .* trained with --n_fft 160: .* --n_fft 160 --overwrite 1"
    ):
        adopt_spectrogram_settings(options, from_scratch=False)
    adopt_spectrogram_settings(options, from_scratch=True)
    assert options.n_fft == 1024
    for damaged in ({}, {"n_fft": "160"}, {"n_fft": True}, {"n_fft": -160}):
        (audio_frames_dir(tmp_path) / "settings.json").write_text(json.dumps(damaged))
        with pytest.raises(UserError, match=r"settings\.json is damaged \(n_fft is"):
            adopt_spectrogram_settings(options, from_scratch=True)
    (audio_frames_dir(tmp_path) / "settings.json").write_text(json.dumps({"n_fft": 512, "seconds": 5}))
    with pytest.raises(UserError, match=r"cut with --seconds 5, .* trained with --n_fft 1024: .* --n_fft 1024 --over"):
        adopt_spectrogram_settings(options, from_scratch=False)
    adopt_spectrogram_settings(options, from_scratch=True)
    assert options.audio_seconds == 5
