"""Negative audio is never of the same content, depends on seed and second alone, and missing files are named."""

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from common.errors import SampleError, UserError
from data.dataset import SecondDataset
from data.dmc_pkl import NEGATIVE_AUDIO
from data.index import SecondIndex, index_seconds
from data.layout import audio_frames_dir, noise_file, silence_file
from data.lists import labels_of_set
from data.loaders import second_loader
from data.negative_audio import NoiseNegatives, ShuffledAudio, choose_audio
from data.preprocess.settings import record_settings
from tests.fixtures.sample_set import add_labels, add_negatives, add_video

LABELS = {"flute": ["a", "b"], "drum": ["c", "d"], "bell": ["e"]}
DUETS = {"bell flute": ["a"], "flute violin": ["b"], "drum violin": ["c"], "bell": ["d", "e"]}


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    for name in "abcde":
        add_video(tmp_path, name, frames=1)
    add_negatives(tmp_path)
    add_labels(tmp_path, LABELS)
    return tmp_path


@pytest.fixture
def seconds(data_dir: Path) -> SecondIndex:
    return index_seconds(data_dir, list("abcde"))


def test_own_and_shuffled_audio_are_the_spectrograms_of_their_seconds(seconds):
    own, shuffled = (choose_audio(audio, seconds, seed=10) for audio in ("own", "shuffled"))
    for index in range(len(seconds)):
        np.testing.assert_array_equal(own(index)[0], np.load(seconds.spectrogram_path(index)))
        assert torch.equal(shuffled(index), own(shuffled.other(index)))


@pytest.mark.parametrize(
    ("labels", "others"),
    [
        (LABELS, {"a": "cde", "b": "cde", "c": "abe", "d": "abe", "e": "abcd"}),
        (DUETS, {"a": "c", "c": "a"}),
        ({"flute": ["a", "b"]}, {"a": "c", "b": "c", "c": "ab"}),  # c has no label: it can have any content
        ({}, {"a": "b", "b": "a"}),
    ],
)
def test_shuffled_audio_can_be_any_second_of_a_video_with_other_content_and_no_other(data_dir, labels, others):
    add_labels(data_dir, labels)
    seconds = index_seconds(data_dir, list(others))
    sources = [ShuffledAudio(seconds, labels_of_set(data_dir), seed) for seed in range(200)]
    for index in range(len(seconds)):
        possible = {other for other in range(len(seconds)) if seconds.name(other) in others[seconds.name(index)]}
        assert {source.other(index) for source in sources} == possible


def test_a_note_says_that_labels_are_missing(data_dir, capsys):
    choose_audio("shuffled", index_seconds(data_dir, ["a", "c"]), seed=10)
    assert capsys.readouterr().out == ""
    (data_dir / "labels.json").unlink()
    choose_audio("shuffled", index_seconds(data_dir, ["a", "b"]), seed=10)
    assert f"2 of 2 videos have no label in {data_dir / 'labels.json'}: they" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["a"], "one usable video"),
        (["a", "gone"], "one usable video"),
        (["d", "e"], r"in common with d \(bell\)"),
        (["a", "b", "c"], r"in common with b \(flute violin\)"),
    ],
)
def test_a_list_without_other_content_is_an_error(data_dir, names, words):
    add_labels(data_dir, DUETS)
    with pytest.raises(UserError, match=words):
        choose_audio("shuffled", index_seconds(data_dir, names), seed=10)


def test_training_and_tests_draw_from_different_halves_of_the_noise_and_have_silence(seconds):
    noise = choose_audio("noise", seconds, seed=10)
    assert {int(noise(index)[0, 0, 0]) for index in range(600)} == set(range(32, 64))
    negatives = NoiseNegatives(seconds.data_dir, 200)
    drawn, again = (negatives.draw(torch.zeros(5, 1, 201, 64)) for _ in range(2))
    assert drawn.shape == (200 + 1, 1, 201, 64) and drawn.dtype == torch.float32
    assert set(drawn[:-1, 0, 0, 0].int().tolist()) == set(range(32))
    assert (drawn[-1] == -100).all() and (choose_audio("silence", seconds, seed=10)(0) == -100).all()
    assert not torch.equal(drawn, again)


@pytest.mark.parametrize("audio", ["own", *NEGATIVE_AUDIO])
def test_audio_depends_on_seed_and_second_alone(seconds, audio):
    batches = [
        list(second_loader(SecondDataset(seconds, 32, False, choose_audio(audio, seconds, 10)), size, workers))
        for size, workers in ((4, 0), (12, 2))
    ]
    one, other = (torch.cat([batch["spectrogram"] for batch in found]) for found in batches)
    assert torch.equal(one, other) and one.shape == (len(seconds), 1, 201, 64)
    pickled = pickle.loads(pickle.dumps(choose_audio(audio, seconds, 10)))  # as for workers that are not forked
    backwards = [pickled(index) for index in reversed(range(len(seconds)))]
    assert torch.equal(torch.stack(backwards[::-1]), one)
    another = torch.stack([choose_audio(audio, seconds, 11)(index) for index in range(len(seconds))])
    assert torch.equal(another, one) == (audio in ("own", "silence"))


@pytest.mark.parametrize(("n_fft", "option"), [(512, " --n_fft 512"), (160, "")])
@pytest.mark.parametrize("path_of", [noise_file, silence_file])
def test_the_remedy_for_missing_noise_and_silence_names_the_window_of_the_set(seconds, path_of, n_fft, option):
    """Without it, cut_audio.py refuses to continue a set that has another window than its default."""
    data_dir, path = seconds.data_dir, path_of(seconds.data_dir)
    record_settings(audio_frames_dir(data_dir), {"sample_rate": 16_000, "n_fft": n_fft}, overwrite=False)
    path.write_bytes(b"")
    with pytest.raises(SampleError, match=rf"run python3 data/cut_audio\.py --data_dir .*{option} again"):
        choose_audio(path.stem, seconds, 10)
    path.unlink()
    for use in (lambda: choose_audio(path.stem, seconds, 10), lambda: NoiseNegatives(data_dir, 1)):
        with pytest.raises(UserError) as error:
            use()
        message = f"there is no {path}: python3 data/cut_audio.py --data_dir {data_dir}{option} adds it"
        assert message in str(error.value)


def test_noise_and_silence_go_to_the_device_once(data_dir):
    negatives = NoiseNegatives(data_dir, 3)
    for _ in range(2):  # the second draw could not copy from this device, which has no values
        found = negatives.draw(torch.empty(5, 1, 201, 64, device="meta"))
        assert found.shape == (3 + 1, 1, 201, 64)
        assert {found.device.type, negatives.noise.device.type, negatives.silence.device.type} == {"meta"}


def test_no_noise_needs_neither_files_nor_random_numbers(tmp_path):
    before = torch.get_rng_state()
    assert NoiseNegatives(tmp_path, 0).draw(torch.zeros(5, 1, 201, 64)).shape == (0, 1, 201, 64)
    assert torch.equal(torch.get_rng_state(), before)
