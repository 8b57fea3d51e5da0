"""Which samples are drawn and batched, and what happens to samples that cannot be read."""

import numpy as np
import pytest
import torch

from common.errors import SampleError
from data.dataset import PairDataset, SecondDataset
from data.index import SecondIndex
from data.layout import audio_frames_dir
from data.loaders import pair_loader, second_loader
from data.sampler import Rank
from data.transforms import (
    JITTER_SUFFIX,
    apply_color_jitter,
    apply_color_jitter_to_batch,
    load_frame,
    resize,
)
from tests.fixtures.sample_set import index_odd_names

CORNERS = [(y, x) for y in range(6) for x in range(6)]  # of crops of 32 in 37 pixels


@pytest.fixture(scope="module")
def seconds(tmp_path_factory: pytest.TempPathFactory) -> SecondIndex:
    return index_odd_names(tmp_path_factory.mktemp("set"))


def batches(seconds, workers=0, seed=10, epochs=(1, 2)) -> list[torch.Tensor]:
    loader = pair_loader(PairDataset(seconds, 32, seed, augment=True), 4, workers, shuffle=True)
    found = []
    for epoch in epochs:
        loader.sampler.set_epoch(epoch)
        for batch in loader:
            found += [batch["spectrogram"], batch["frame"], batch["negative_frame"]]
    return found


def same(found: list[torch.Tensor], expected: list[torch.Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))


def test_pairs_depend_on_seed_and_epoch_but_not_on_the_number_of_workers_or_the_global_random_state(seconds):
    before = torch.get_rng_state()
    reference = batches(seconds)
    assert len(reference) == 2 * 3 * 3  # two epochs of three batches of 4, 4 and 1 of 9 samples
    assert same(batches(seconds, workers=2), reference)
    assert torch.equal(torch.get_rng_state(), before)
    first, second = reference[:9], reference[9:]
    assert same(batches(seconds, epochs=(2,)), second) and not torch.equal(first[0], second[0])
    assert not torch.equal(first[0], batches(seconds, seed=11)[0])


@pytest.mark.parametrize(
    ("in_batch", "shuffle", "batch_size", "samples"),
    [(True, True, 4, 8), (True, True, 10, 9), (True, False, 4, 9), (False, True, 4, 9)],
)
def test_training_with_negatives_of_the_batch_leaves_out_an_incomplete_batch_unless_it_is_the_only_one(
    seconds, in_batch, shuffle, batch_size, samples
):
    loader = pair_loader(PairDataset(seconds, 32, 10, with_negative=not in_batch), batch_size, 0, shuffle)
    assert sum(len(batch["frame"]) for batch in loader) == samples


def test_without_augmentation_frames_are_still_cropped_at_random_but_not_flipped_or_recolored(seconds):
    dataset = PairDataset(seconds, 32, 0, augment=True, crop_only=True)
    whole = [resize(load_frame(path), 37) for path in seconds.frame_paths(5)]
    crops = {tuple(frame[:, y : y + 32, x : x + 32].flatten().tolist()) for frame in whole for y, x in CORNERS}
    found = {tuple(dataset[epoch, 5]["frame"].flatten().tolist()) for epoch in range(20)}
    assert found <= crops and len(found) > 10


def test_a_pair_has_its_seconds_spectrogram_and_one_of_its_frames(seconds):
    dataset = PairDataset(seconds, 32, seed=0)
    own = [resize(load_frame(path), 32) for path in seconds.frame_paths(5)]
    pairs = [dataset[epoch, 5] for epoch in range(40)]
    drawn = {next(i for i, frame in enumerate(own) if torch.equal(frame, pair["frame"])) for pair in pairs}
    assert drawn == {0, 1, 2, 3}
    np.testing.assert_array_equal(pairs[0]["spectrogram"][0], np.load(seconds.spectrogram_path(5)))


def test_negatives_from_the_batch_leave_out_the_negative_frame_and_change_nothing_else(seconds):
    one, batch = (
        PairDataset(seconds, 32, 0, augment=True, with_negative=with_negative) for with_negative in (True, False)
    )
    for index in range(len(seconds)):
        with_negative, alone = one[2, index], batch[2, index]
        assert set(with_negative) - set(alone) == {"negative_frame", "negative_frame_jitter"}
        assert seconds.names[alone["video"]] == seconds.name(index)
        assert all(torch.equal(with_negative[name], alone[name]) for name in ("frame", "spectrogram"))


def test_negative_audio_is_that_of_another_video_and_its_frame_is_left_out(seconds):
    dataset = PairDataset(seconds, 32, 0, augment=True, negative_audio=True)
    for index in range(len(seconds)):
        pair = dataset[2, index]
        others = [other for other in range(len(seconds)) if seconds.name(other) != seconds.name(index)]
        spectrograms = [np.load(seconds.spectrogram_path(other)) for other in others]
        assert sum(np.array_equal(pair["negative_spectrogram"][0], spectrogram) for spectrogram in spectrograms) == 1
        assert "negative_frame" not in pair


def test_color_jitter_of_a_batch_is_that_of_each_frame_alone(seconds):
    batch = next(iter(pair_loader(PairDataset(seconds, 32, 3, augment=True), 6, 0, True)))
    finished = apply_color_jitter_to_batch(batch)
    assert finished.keys() == {"spectrogram", "frame", "negative_frame", "video"}
    for key in ("frame", "negative_frame"):
        expected = [
            apply_color_jitter(frame[None], factors[None])[0]
            for frame, factors in zip(batch[key], batch[key + JITTER_SUFFIX], strict=True)
        ]
        assert torch.equal(finished[key], torch.stack(expected)) and not torch.equal(finished[key], batch[key])


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


def test_a_worker_passes_on_in_one_line_that_a_sample_cannot_be_read(tmp_path):
    seconds = index_odd_names(tmp_path)
    path = seconds.frame_paths(3)[0]
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(SampleError) as raised:
        list(second_loader(SecondDataset(seconds, 32, False), 8, num_workers=1))
    message = str(raised.value)
    assert str(path) in message and "cut_video" in message and "\n" not in message
