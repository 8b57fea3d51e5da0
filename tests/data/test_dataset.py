"""Which samples are drawn and batched, and what happens to samples that cannot be read."""

from pathlib import Path

import numpy as np
import pytest
import torch

from common.errors import SampleError
from data.dataset import PairDataset, SecondDataset
from data.index import SecondIndex, index_seconds
from data.layout import audio_frames_dir, video_frames_dir
from data.loaders import pair_loader, second_loader
from data.sampler import Rank
from data.transforms import AUGMENTATIONS, apply_color_jitter_to_batch, load_frame, resize
from tests.fixtures.sample_set import add_video

NAMES = ["-dash", "b c", "ü"]


@pytest.fixture(scope="module")
def seconds(tmp_path_factory: pytest.TempPathFactory) -> SecondIndex:
    return make_seconds(tmp_path_factory.mktemp("set"))


def make_seconds(data_dir: Path) -> SecondIndex:
    for number, name in enumerate(NAMES):
        add_video(data_dir, name, seconds=2 + number, kind=number)
    return index_seconds(data_dir, NAMES)


def batches(seconds: SecondIndex, workers: int, seed: int = 10, epochs: tuple[int, ...] = (1, 2)) -> list[torch.Tensor]:
    loader = pair_loader(PairDataset(seconds, 32, seed, "published"), 4, workers, shuffle=True)
    found = []
    for epoch in epochs:
        loader.sampler.set_epoch(epoch)
        for batch in loader:
            found += [batch["spectrogram"], batch["frame"], batch["negative_frame"]]
    return found


def same(found: list[torch.Tensor], expected: list[torch.Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))


def test_pairs_depend_on_neither_the_number_of_workers_nor_the_global_random_state(seconds):
    before = torch.get_rng_state()
    reference = batches(seconds, workers=0)
    assert len(reference) == 2 * 2 * 3  # two epochs of two complete batches of 4, of 9 samples
    assert same(batches(seconds, workers=2), reference)
    assert torch.equal(torch.get_rng_state(), before)


def test_an_epoch_can_be_repeated_alone_and_differs_from_the_others(seconds):
    both = batches(seconds, 0)
    second = batches(seconds, 0, epochs=(2,))
    assert same(second, both[len(both) // 2 :])
    assert not torch.equal(both[0], second[0])
    assert not torch.equal(both[0], batches(seconds, 0, seed=11)[0])


def test_validation_is_the_same_in_all_epochs_and_leaves_no_sample_out(seconds):
    loader = pair_loader(PairDataset(seconds, 32, 10), 4, 0, shuffle=False)
    first = [batch["negative_frame"] for batch in loader]
    loader.sampler.set_epoch(5)
    assert same([batch["negative_frame"] for batch in loader], first)
    assert sum(map(len, first)) == 9


def test_a_pair_has_its_seconds_spectrogram_and_one_of_its_frames(seconds):
    dataset = PairDataset(seconds, 32, seed=0)
    own = [resize(load_frame(path), 32) for path in seconds.frame_paths(5)]
    pairs = [dataset[epoch, 5] for epoch in range(40)]
    drawn = {next(i for i, frame in enumerate(own) if torch.equal(frame, pair["frame"])) for pair in pairs}
    assert drawn == {0, 1, 2, 3}
    np.testing.assert_array_equal(pairs[0]["spectrogram"][0], np.load(seconds.spectrogram_path(5)))


def test_negatives_from_the_batch_leave_out_the_negative_frame_and_change_nothing_else(seconds):
    one, batch = (PairDataset(seconds, 32, 0, "published", negatives) for negatives in ("one", "batch"))
    for index in range(len(seconds)):
        with_negative, alone = one[2, index], batch[2, index]
        assert set(with_negative) - set(alone) == {"negative_frame"}
        assert seconds.names[alone["video"]] == seconds.name(index)
        assert all(torch.equal(with_negative[name], alone[name]) for name in ("frame", "spectrogram"))


def test_one_video_has_no_negatives(seconds):
    with pytest.raises(ValueError, match="second video"):
        PairDataset(index_seconds(seconds.data_dir, ["ü"]), 32, seed=0, augmentation="published")


@pytest.mark.parametrize("negatives", ["one", "batch"])
@pytest.mark.parametrize("augmentation", AUGMENTATIONS)
def test_color_jitter_on_the_device_gives_the_same_batch_as_in_the_workers(seconds, augmentation, negatives):
    here, later = (
        next(iter(pair_loader(PairDataset(seconds, 32, 3, augmentation, negatives, flag), 6, 0, True)))
        for flag in (False, True)
    )
    finished = apply_color_jitter_to_batch(later)
    assert finished.keys() == here.keys() < later.keys()
    assert not torch.equal(later["frame"], here["frame"])
    assert all(torch.equal(finished[key], here[key]) for key in here)


@pytest.mark.parametrize(("first_only", "expected"), [(False, 9 * 4), (True, 9)])
def test_a_test_second_has_all_its_frames_or_the_first_with_its_spectrogram(seconds, first_only, expected):
    keys, spectrograms = [], []
    for batch in second_loader(SecondDataset(seconds, 32, first_only), 8, 0):
        assert len(batch["keys"]) == len(batch["frames"]) == len(batch["second"])
        keys += batch["keys"]
        spectrograms += list(batch["spectrogram"][batch["second"]])
    assert len(keys) == len(set(keys)) == expected
    stored = np.load(audio_frames_dir(seconds.data_dir) / "ü/002.npy")
    np.testing.assert_array_equal(spectrograms[keys.index("ü/frame_002/00050")][0], stored)


@pytest.mark.parametrize("world_size", [2, 5, 20])
def test_the_test_seconds_of_all_processes_are_those_of_a_single_one_in_order(seconds, world_size):
    dataset = SecondDataset(seconds, 32, False)

    def keys(rank: Rank) -> list[str]:
        return [key for batch in second_loader(dataset, 8, 0, rank=rank) for key in batch["keys"]]

    assert [key for number in range(world_size) for key in keys(Rank(number, world_size))] == keys(Rank())


def damage_frame(data_dir: Path) -> Path:
    path = next((video_frames_dir(data_dir) / "b c/frame_001").iterdir())
    path.write_bytes(path.read_bytes()[:200])
    return path


def damage_spectrogram(data_dir: Path) -> Path:
    path = audio_frames_dir(data_dir) / "b c/001.npy"
    path.write_bytes(path.read_bytes()[:300])
    return path


def remove_frames(data_dir: Path) -> Path:
    folder = video_frames_dir(data_dir) / "b c/frame_001"
    for path in folder.iterdir():
        path.unlink()
    return folder


@pytest.mark.parametrize(
    ("damage", "workers"),
    [(damage_frame, 0), (damage_spectrogram, 0), (remove_frames, 0), (damage_frame, 1), (damage_spectrogram, 1)],
)
def test_a_sample_that_cannot_be_read_is_named_with_the_remedy(tmp_path, damage, workers):
    seconds = make_seconds(tmp_path)
    path = damage(tmp_path)
    with pytest.raises(SampleError) as raised:
        list(second_loader(SecondDataset(seconds, 32, False), 8, workers))
    message = str(raised.value)
    assert str(path) in message and "cut_" in message and "\n" not in message


@pytest.mark.parametrize(
    "content", [np.zeros((64, 201)), np.full((201, 64), np.nan), np.array([{"an": "object"}]), np.zeros(())]
)
def test_a_spectrogram_of_wrong_shape_or_content_is_named_with_the_remedy(tmp_path, content):
    seconds = make_seconds(tmp_path)
    np.save(seconds.spectrogram_path(0), content, allow_pickle=True)
    with pytest.raises(
        SampleError, match=r"000\.npy cannot be used .*: delete .*-dash and run python3 data/cut_audio\.py"
    ):
        SecondDataset(seconds, 32, False)[0]
