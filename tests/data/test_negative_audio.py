"""Negative audio is never of the same content, depends on seed and second alone, and missing files are named."""

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from common.errors import SampleError, UserError
from data.dataset import SecondDataset
from data.index import SecondIndex, index_seconds
from data.layout import audio_frames_dir, noise_file, silence_file
from data.lists import labels_of_set
from data.loaders import second_loader
from data.negative_audio import (
    AUDIO_CHOICES,
    NoiseNegatives,
    RandomAudio,
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


def videos_heard(audio: ShuffledAudio) -> list[str]:
    return [audio.seconds.name(audio.other(index)) for index in range(len(audio.seconds))]


def test_own_and_shuffled_audio_are_the_spectrograms_of_their_seconds(seconds):
    own, shuffled = (choose_audio(audio, seconds, seed=10) for audio in ("own", "shuffled"))
    for index in range(len(seconds)):
        np.testing.assert_array_equal(own(index)[0], np.load(seconds.spectrogram_path(index)))
        assert torch.equal(shuffled(index), own(shuffled.other(index)))


def test_shuffled_audio_can_be_any_second_of_another_label_and_no_other(seconds):
    label = {name: label for label, names in LABELS.items() for name in names}
    heard = {index: set() for index in range(len(seconds))}
    for seed in range(200):
        audio = ShuffledAudio(seconds, labels_of_set(seconds.data_dir), seed)
        for index in range(len(seconds)):
            heard[index].add(audio.other(index))
    for index, others in heard.items():
        kind = label[seconds.name(index)]
        assert others == {i for i in range(len(seconds)) if label[seconds.name(i)] != kind}


def test_without_labels_shuffled_audio_is_of_any_other_video_and_a_note_says_so(data_dir, capsys):
    choose_audio("shuffled", index_seconds(data_dir, ["a", "c"]), seed=10)
    assert capsys.readouterr().out == ""
    (data_dir / "labels.json").unlink()
    audio = choose_audio("shuffled", index_seconds(data_dir, ["a", "b"]), seed=10)
    assert f"2 of 2 videos have no label in {data_dir / 'labels.json'}: they" in capsys.readouterr().out
    assert videos_heard(audio) == ["b"] * 3 + ["a"] * 3


def test_an_unlabelled_video_exchanges_audio_with_all_other_videos(data_dir):
    add_labels(data_dir, {"flute": ["a", "b"]})
    seconds = index_seconds(data_dir, ["a", "b", "c"])
    drawn = {name: set() for name in seconds.names}
    for seed in range(40):
        for index, name in enumerate(videos_heard(choose_audio("shuffled", seconds, seed))):
            drawn[seconds.name(index)].add(name)
    assert drawn == {"a": {"c"}, "b": {"c"}, "c": {"a", "b"}}


def test_duets_with_a_common_content_do_not_exchange_audio(data_dir):
    add_labels(data_dir, {"bell flute": ["a"], "flute violin": ["b"], "drum violin": ["c"]})
    with pytest.raises(UserError, match=r"in common with b \(flute violin\)"):
        choose_audio("shuffled", index_seconds(data_dir, ["a", "b", "c"]), seed=10)
    audio = choose_audio("shuffled", index_seconds(data_dir, ["a", "c"]), seed=10)
    assert videos_heard(audio) == ["c"] * 3 + ["a"] * 3


@pytest.mark.parametrize(
    ("names", "words"), [(["a"], "one usable video"), (["c", "d"], "in common with c"), (["a", "gone"], "one usable")]
)
def test_a_list_without_other_content_is_an_error(data_dir, names, words):
    with pytest.raises(UserError, match=words):
        choose_audio("shuffled", index_seconds(data_dir, names), seed=10)


def test_training_and_tests_draw_from_different_halves_of_the_noise(seconds):
    noise = choose_audio("noise", seconds, seed=10)
    assert {int(noise(index)[0, 0, 0]) for index in range(600)} == set(range(32, 64))
    negatives = NoiseNegatives(seconds.data_dir, 200)
    drawn = negatives.draw(torch.zeros(1, 1, 201, 64))[:-1]
    assert set(drawn[:, 0, 0, 0].int().tolist()) == set(range(32))
    assert not torch.equal(negatives.draw(torch.zeros(1, 1, 201, 64))[:-1], drawn)


def test_silence_is_silence(seconds):
    audio = choose_audio("silence", seconds, seed=10)
    assert read_silence(seconds.data_dir).shape == (1, 1, 201, 64)
    assert all((audio(index) == -100).all() and audio(index).shape == (1, 201, 64) for index in range(len(seconds)))


@pytest.mark.parametrize("audio", AUDIO_CHOICES)
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


def test_random_audio_is_drawn_by_seed_and_second():
    audio = RandomAudio(torch.arange(5.0).view(5, 1, 1, 1), seed=3)
    expected = [int(np.random.default_rng((3, index)).integers(5)) for index in range(20)]
    assert [int(audio(index)) for index in range(20)] == expected


WRONG = [np.zeros((201, 64)), np.zeros((2, 64, 201)), np.full((2, 201, 64), np.nan), np.zeros((1, 2, 201, 64))]


@pytest.mark.parametrize(("audio", "path_of"), [("noise", noise_file), ("silence", silence_file)])
def test_damaged_noise_and_silence_are_named_with_the_remedy(seconds, audio, path_of):
    path = path_of(seconds.data_dir)
    for content in (b"\x93NUMPY", b"", *WRONG):
        path.write_bytes(content) if isinstance(content, bytes) else np.save(path, content)
        with pytest.raises(SampleError, match=rf"{path.name}.*run python3 data/cut_audio\.py"):
            choose_audio(audio, seconds, 10)


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


def test_noise_and_one_second_of_silence_are_drawn_for_a_batch(data_dir):
    found = NoiseNegatives(data_dir, 3).draw(torch.randn(5, 1, 201, 64))
    assert found.shape == (3 + 1, 1, 201, 64) and found.dtype == torch.float32
    noise = read_noise(data_dir, training=True)
    assert all(any(torch.equal(one, other) for other in noise) for one in found[:3])
    assert (found[3] == -100).all()


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
