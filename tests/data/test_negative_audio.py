"""What test frames can be heard with, and the labels that tell which sounds are of other content."""

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from common.errors import SampleError, UserError
from data.dataset import SecondDataset, second_loader
from data.index import SecondIndex, index_seconds
from data.layout import audio_frames_dir, noise_file, silence_file
from data.lists import contents_of, labels_of_set, read_labels
from data.negative_audio import (
    AUDIO_CHOICES,
    NoiseNegatives,
    OneOf,
    ShuffledAudio,
    choose_audio,
    read_noise,
    read_silence,
)
from data.preprocess.settings import record_settings
from tests.fixtures.sample_set import add_labels, add_negatives, add_video

KINDS = {"a": 0, "b": 0, "c": 1, "d": 1, "e": 2}
LABELS = {"flute": ["a", "b"], "drum": ["c", "d"], "bell": ["e"]}


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    for name, kind in KINDS.items():
        add_video(tmp_path, name, kind=kind, frames=1)
    add_negatives(tmp_path)
    add_labels(tmp_path, LABELS)
    return tmp_path


@pytest.fixture
def seconds(data_dir: Path) -> SecondIndex:
    return index_seconds(data_dir, list(KINDS))


def own(seconds: SecondIndex, index: int) -> np.ndarray:
    return np.load(seconds.spectrogram_path(index))[None]


def test_noise_and_silence_are_taken_for_no_video(data_dir):
    assert len(index_seconds(data_dir, ["noise", "silence", "noise.npy", "silence.npy"])) == 0


def test_the_own_sound_is_that_of_the_second(seconds):
    sound = choose_audio("own", seconds, seed=10)
    for index in range(len(seconds)):
        np.testing.assert_array_equal(sound(index), own(seconds, index))


def test_a_shuffled_sound_is_never_the_own_videos_nor_of_the_same_label_and_any_other_can_be(seconds):
    label = {name: label for label, names in LABELS.items() for name in names}
    heard = {index: set() for index in range(len(seconds))}
    for seed in range(200):
        sound = ShuffledAudio(seconds, labels_of_set(seconds.data_dir), seed)
        for index in range(len(seconds)):
            heard[index].add(sound.other(index))
    for index, others in heard.items():
        kind = label[seconds.name(index)]
        assert others == {i for i in range(len(seconds)) if label[seconds.name(i)] != kind}


def test_a_shuffled_sound_is_the_spectrogram_of_that_second(seconds):
    sound = choose_audio("shuffled", seconds, seed=10)
    for index in range(len(seconds)):
        np.testing.assert_array_equal(sound(index), own(seconds, sound.other(index)))


def test_without_labels_a_shuffled_sound_is_any_other_videos_and_that_is_said(data_dir, capsys):
    seconds = index_seconds(data_dir, ["a", "c"])
    choose_audio("shuffled", seconds, seed=10)
    assert capsys.readouterr().out == ""  # both have a label
    (data_dir / "labels.json").unlink()
    seconds = index_seconds(data_dir, ["a", "b"])
    sound = choose_audio("shuffled", seconds, seed=10)
    assert f"2 of 2 videos have no label in {data_dir / 'labels.json'}: they hear" in capsys.readouterr().out
    assert [seconds.name(sound.other(index)) for index in range(len(seconds))] == ["b"] * 3 + ["a"] * 3


def test_an_unlabelled_video_can_have_and_give_any_sound_but_its_own(data_dir):
    add_labels(data_dir, {"flute": ["a", "b"]})
    seconds = index_seconds(data_dir, ["a", "b", "c"])
    drawn = {name: set() for name in seconds.names}
    for seed in range(40):
        sound = choose_audio("shuffled", seconds, seed)
        for index in range(len(seconds)):
            drawn[seconds.name(index)].add(seconds.name(sound.other(index)))
    assert drawn == {"a": {"c"}, "b": {"c"}, "c": {"a", "b"}}


def test_duets_that_share_one_thing_are_not_of_other_content(data_dir):
    add_labels(data_dir, {"bell flute": ["a"], "flute violin": ["b"], "drum violin": ["c"]})
    seconds = index_seconds(data_dir, ["a", "b", "c"])
    with pytest.raises(UserError, match=r"in common with b \(flute violin\)"):
        choose_audio("shuffled", seconds, seed=10)
    seconds = index_seconds(data_dir, ["a", "c"])
    sound = choose_audio("shuffled", seconds, seed=10)
    assert [seconds.name(sound.other(index)) for index in range(len(seconds))] == ["c"] * 3 + ["a"] * 3


def test_a_video_of_two_classes_is_of_both(tmp_path):
    add_labels(tmp_path, {"flute": ["-_-TDDxoaAc", "x", "x"], "acoustic_guitar": ["-_-TDDxoaAc"], "drum": ["y"]})
    labels = read_labels(tmp_path / "labels.json")
    assert contents_of("-_-TDDxoaAc_0_1000", labels) == {"flute", "acoustic_guitar"}
    assert (labels["x"], contents_of("x", labels), contents_of("z", labels)) == ("flute", {"flute"}, frozenset())


@pytest.mark.parametrize(
    ("names", "words"), [(["a"], "one usable video"), (["c", "d"], "in common with c"), (["a", "gone"], "one usable")]
)
def test_a_list_without_other_content_is_said(data_dir, names, words):
    with pytest.raises(UserError, match=words):
        choose_audio("shuffled", index_seconds(data_dir, names), seed=10)


def test_noise_for_tests_is_the_half_that_training_does_not_hear(seconds):
    rows = {
        int(choose_audio("noise", seconds, seed)(index)[0, 0, 0]) for seed in range(60) for index in range(len(seconds))
    }
    assert rows == set(range(32, 64))
    training = read_noise(seconds.data_dir, training=True)
    assert training.shape == (32, 1, 201, 64) and training[:, 0, 0, 0].tolist() == list(range(32))


def test_silence_is_silence(seconds):
    sound = choose_audio("silence", seconds, seed=10)
    assert read_silence(seconds.data_dir).shape == (1, 1, 201, 64)
    assert all((sound(index) == -100).all() and sound(index).shape == (1, 201, 64) for index in range(len(seconds)))


@pytest.mark.parametrize("audio", AUDIO_CHOICES)
def test_what_is_heard_depends_on_seed_and_second_alone(seconds, audio):
    batches = [
        list(second_loader(SecondDataset(seconds, 32, False, choose_audio(audio, seconds, 10)), size, workers))
        for size, workers in ((4, 0), (12, 2))
    ]
    one, other = (torch.cat([batch["spectrogram"] for batch in found]) for found in batches)
    assert torch.equal(one, other) and one.shape == (len(seconds), 1, 201, 64)
    backwards = [choose_audio(audio, seconds, 10)(index) for index in reversed(range(len(seconds)))]
    assert torch.equal(torch.stack(backwards[::-1]), one)
    another = torch.stack([choose_audio(audio, seconds, 11)(index) for index in range(len(seconds))])
    assert torch.equal(another, one) == (audio in ("own", "silence"))


@pytest.mark.parametrize("audio", AUDIO_CHOICES)
def test_a_sound_travels_to_workers_that_are_not_forked(seconds, audio):
    sound = choose_audio(audio, seconds, 10)
    assert torch.equal(pickle.loads(pickle.dumps(sound))(4), sound(4))


@pytest.mark.parametrize(("audio", "path_of"), [("noise", noise_file), ("silence", silence_file)])
def test_missing_or_damaged_noise_and_silence_name_the_remedy(seconds, audio, path_of):
    path = path_of(seconds.data_dir)
    for content in (b"\x93NUMPY", b""):
        path.write_bytes(content)
        with pytest.raises(SampleError, match=r"run data/cut_audio\.py"):
            choose_audio(audio, seconds, 10)
    for wrong in (
        np.zeros((201, 64)),
        np.zeros((2, 64, 201)),
        np.full((2, 201, 64), np.nan),
        np.zeros((1, 2, 201, 64)),
    ):
        np.save(path, wrong)
        with pytest.raises(SampleError, match=rf"{path.name}.*run data/cut_audio\.py"):
            choose_audio(audio, seconds, 10)
    path.unlink()
    with pytest.raises(
        UserError, match=rf"there is no .*{path.name}: python3 data/cut_audio\.py --data_dir .* adds it"
    ):
        choose_audio(audio, seconds, 10)


@pytest.mark.parametrize(("n_fft", "option"), [(512, " --n_fft 512"), (160, "")])
def test_the_remedy_names_the_window_that_the_set_was_cut_with(seconds, n_fft, option):
    """Without it, cut_audio.py refuses to go on in a set of another window than its default."""
    data_dir = seconds.data_dir
    record_settings(audio_frames_dir(data_dir), {"sample_rate": 16_000, "n_fft": n_fft}, overwrite=False)
    noise_file(data_dir).write_bytes(b"")
    with pytest.raises(SampleError, match=rf"run data/cut_audio\.py{option} on this data set"):
        choose_audio("noise", seconds, 10)
    noise_file(data_dir).unlink()
    with pytest.raises(UserError) as error:
        choose_audio("noise", seconds, 10)
    assert f": python3 data/cut_audio.py --data_dir {data_dir}{option} adds it" in str(error.value)


def test_one_of_some_spectrograms_is_drawn_by_seed_and_second():
    sound = OneOf(torch.arange(5.0).view(5, 1, 1, 1), seed=3)
    expected = [int(np.random.default_rng((3, index)).integers(5)) for index in range(20)]
    assert [int(sound(index)) for index in range(20)] == expected


def test_training_hears_half_of_the_noise_so_that_the_other_half_is_new_to_the_test(data_dir):
    heard, tested = read_noise(data_dir, training=True), read_noise(data_dir, training=False)
    rows = [set(noise[:, 0, 0, 0].int().tolist()) for noise in (heard, tested)]
    assert rows == [set(range(32)), set(range(32, 64))]
    negatives = NoiseNegatives(data_dir, 8)
    drawn = torch.cat([negatives.draw(torch.zeros(1, 1, 201, 64))[:-1] for _ in range(60)])
    assert set(drawn[:, 0, 0, 0].int().tolist()) == rows[0]  # every one, in time


def test_noise_and_one_second_of_silence_are_drawn_for_a_batch(data_dir):
    found = NoiseNegatives(data_dir, 3).draw(torch.randn(5, 1, 201, 64))
    assert found.shape == (3 + 1, 1, 201, 64) and found.dtype == torch.float32
    noise = read_noise(data_dir, training=True)
    assert all(any(torch.equal(one, other) for other in noise) for one in found[:3])
    assert (found[3] == -100).all()


def test_noise_and_silence_go_to_the_device_once(data_dir):
    negatives = NoiseNegatives(data_dir, 3)
    for _ in range(2):  # of the second time nothing could be copied any more: what is on this device has no values
        found = negatives.draw(torch.empty(5, 1, 201, 64, device="meta"))
        assert found.shape == (3 + 1, 1, 201, 64)
        assert {found.device.type, negatives.noise.device.type, negatives.silence.device.type} == {"meta"}


def test_no_noise_takes_neither_files_nor_chance(tmp_path):
    sounds, before = torch.zeros(5, 1, 201, 64), torch.get_rng_state()
    assert NoiseNegatives(tmp_path, 0).draw(sounds).shape == (0, 1, 201, 64)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("file", [noise_file, silence_file])
def test_noise_to_train_with_that_is_not_there_is_told(data_dir, file):
    file(data_dir).unlink()
    with pytest.raises(UserError, match=f"there is no .*{file(data_dir).name}: .*cut_audio.py"):
        NoiseNegatives(data_dir, 1)
