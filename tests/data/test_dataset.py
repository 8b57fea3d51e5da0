"""The samples: which there are, which are drawn, and what happens to those that cannot be read."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch

from common.errors import SampleError
from data.colors import change_colors
from data.dataset import EpochSampler, PairDataset, SecondDataset, pair_loader, second_loader
from data.index import index_seconds
from data.layout import audio_frames_dir, video_frames_dir
from data.sampler import WHOLE, Share
from data.transforms import (
    AUGMENTATIONS,
    LONGEST_MASK,
    before_chance,
    color_factors,
    cropped,
    load_frame,
    plain,
    spec_augmented,
)
from tests.fixtures.sample_set import add_video


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    for number, name in enumerate(["-dash", "b c", "ü"]):
        add_video(tmp_path, name, seconds=2 + number, kind=number)
    return tmp_path


NAMES = ["-dash", "b c", "ü"]


def test_a_sample_is_a_second_with_both_frames_and_sound(data_dir):
    (audio_frames_dir(data_dir) / "b c/001.npy").unlink()
    for path in (video_frames_dir(data_dir) / "ü/frame_000").iterdir():
        path.unlink()
    (video_frames_dir(data_dir) / "ü/frame_000").rmdir()
    (video_frames_dir(data_dir) / "ü/notes").mkdir()
    (video_frames_dir(data_dir) / "-dash/frame_9").mkdir()  # not how the ninth second is written
    (audio_frames_dir(data_dir) / "-dash/009.npy").touch()
    seconds = index_seconds(data_dir, [*NAMES, "gone"])
    found = [(seconds.name(index), int(seconds.second[index])) for index in range(len(seconds))]
    assert found == [("-dash", 0), ("-dash", 1), ("b c", 0), ("b c", 2), ("ü", 1), ("ü", 2), ("ü", 3)]
    assert seconds.without == ["gone"]


def test_start_up_lists_two_folders_a_video_and_no_folder_of_a_second(data_dir, monkeypatch):
    listed = []
    listdir = os.listdir
    monkeypatch.setattr(os, "listdir", lambda path: listed.append(Path(path)) or listdir(path))
    monkeypatch.setattr(os, "scandir", lambda path: pytest.fail(f"{path} was scanned"))
    index_seconds(data_dir, NAMES)
    assert len(listed) == 2 * len(NAMES)
    assert {path.parent.name for path in listed} == {"video_frames", "audio_frames"}


def test_negatives_come_from_every_other_video_and_never_from_the_same(data_dir):
    seconds = index_seconds(data_dir, NAMES)
    rng = np.random.default_rng(0)
    for index in range(len(seconds)):
        drawn = [seconds.of_other_video(index, rng) for _ in range(400)]
        others = [other for other in range(len(seconds)) if seconds.name(other) != seconds.name(index)]
        assert sorted(set(drawn)) == others
        counts = np.bincount(drawn, minlength=len(seconds))[others]
        assert counts.min() > 0.5 * 400 / len(others)  # each second as likely


def test_one_video_has_no_negatives(data_dir):
    with pytest.raises(ValueError, match="second video"):
        PairDataset(index_seconds(data_dir, ["ü"]), 32, seed=0, augmentation="published")


def batches(data_dir: Path, workers: int, seed: int = 10, epochs: tuple[int, ...] = (1, 2)) -> list[torch.Tensor]:
    loader = pair_loader(PairDataset(index_seconds(data_dir, NAMES), 32, seed, "published"), 4, workers, shuffle=True)
    found = []
    for epoch in epochs:
        loader.sampler.set_epoch(epoch)
        for batch in loader:
            found += [batch["spectrogram"], batch["frame"], batch["other_frame"]]
    return found


def test_samples_do_not_depend_on_the_number_of_workers(data_dir):
    reference = batches(data_dir, workers=0)
    assert len(reference) == 2 * 2 * 3  # two epochs of two whole batches of 4, of 9 samples
    for workers in (1, 2):
        found = batches(data_dir, workers)
        assert all(torch.equal(a, b) for a, b in zip(found, reference, strict=True))


def test_an_epoch_can_be_repeated_alone_and_differs_from_the_others(data_dir):
    both = batches(data_dir, 0)
    second = batches(data_dir, 0, epochs=(2,))
    assert all(torch.equal(a, b) for a, b in zip(second, both[len(both) // 2 :], strict=True))
    assert not torch.equal(both[0], second[0])
    assert not torch.equal(both[0], batches(data_dir, 0, seed=11)[0])


def test_loading_takes_nothing_from_the_global_random_state(data_dir):
    before = torch.get_rng_state()
    batches(data_dir, 2)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_shuffled_epoch_has_every_sample_once():
    sampler = EpochSampler(50, seed=3, shuffle=True)
    sampler.set_epoch(7)
    keys = list(sampler)
    assert {epoch for epoch, _ in keys} == {7}
    assert sorted(index for _, index in keys) == list(range(50)) != [index for _, index in keys]


def test_the_order_of_validation_is_random_so_that_a_batch_holds_many_videos_but_always_the_same():
    sampler = EpochSampler(50, seed=3, shuffle=False)
    first = list(sampler)
    sampler.set_epoch(7)
    assert list(sampler) == first and {epoch for epoch, _ in first} == {0}
    order = [index for _, index in first]
    assert sorted(order) == list(range(50)) != order
    assert order != [index for _, index in EpochSampler(50, seed=4, shuffle=False)]


def test_where_the_batch_gives_the_negatives_no_other_picture_is_read_and_all_else_stays(data_dir):
    seconds = index_seconds(data_dir, NAMES)
    one, batch = (PairDataset(seconds, 32, 0, "published", negatives) for negatives in ("one", "batch"))
    for index in range(len(seconds)):
        with_other, alone = one[2, index], batch[2, index]
        assert set(with_other) - set(alone) == {"other_frame"}
        assert seconds.names[alone["video"]] == seconds.name(index)
        assert all(torch.equal(with_other[name], alone[name]) for name in ("frame", "spectrogram"))


def test_validation_is_the_same_in_every_epoch(data_dir):
    loader = pair_loader(PairDataset(index_seconds(data_dir, NAMES), 32, 10), 4, 0, shuffle=False)
    first = [batch["other_frame"] for batch in loader]
    loader.sampler.set_epoch(5)
    assert all(torch.equal(a, b["other_frame"]) for a, b in zip(first, loader, strict=True))
    assert sum(len(frames) for frames in first) == 9  # none is left out


def test_a_positive_is_one_of_the_seconds_own_frames(data_dir):
    seconds = index_seconds(data_dir, NAMES)
    dataset = PairDataset(seconds, 32, seed=0)
    own = [plain(load_frame(path), 32) for path in seconds.frame_paths(5)]
    drawn = {
        next(i for i, frame in enumerate(own) if torch.equal(frame, dataset[epoch, 5]["frame"])) for epoch in range(40)
    }
    assert drawn == {0, 1, 2, 3}


def test_testing_takes_all_frames_or_the_first_of_each_second_with_its_sound(data_dir):
    seconds = index_seconds(data_dir, ["b c", "ü"])
    for first_only, expected in ((False, 7 * 4), (True, 7)):
        loader = second_loader(SecondDataset(seconds, 32, first_only), 8, 0)
        keys, sounds = [], []
        for batch in loader:
            assert len(batch["keys"]) == len(batch["frames"]) == len(batch["second"])
            keys += batch["keys"]
            sounds += list(batch["spectrogram"][batch["second"]])
        assert len(keys) == len(set(keys)) == expected
        at = keys.index("ü/frame_002/00050")
        stored = np.load(audio_frames_dir(data_dir) / "ü/002.npy")
        np.testing.assert_array_equal(sounds[at][0], stored)


def augmented(
    picture: torch.Tensor, size: int, rng: np.random.Generator, augmentation: str = "published"
) -> torch.Tensor:
    """A training picture, of one as it was read."""
    picture = cropped(before_chance(picture, size, augmentation), size, rng, augmentation)
    return change_colors(picture[None], color_factors(rng, augmentation)[None])[0]


def test_augmentation_crops_flips_and_changes_colours_within_its_range():
    ramp = np.zeros((64, 64, 3), np.uint8)
    ramp[..., 0] = np.arange(64) * 3  # grows to the right
    ramp[..., 1] = 100
    pictures = [augmented(tensor_of(ramp), 56, np.random.default_rng(seed)) for seed in range(200)]
    assert {tuple(picture.shape) for picture in pictures} == {(3, 56, 56)}
    flipped = [bool(picture[0, 28, 0] > picture[0, 28, 55]) for picture in pictures]
    assert 70 < sum(flipped) < 130
    green = torch.stack([picture[1].float().mean() for picture in pictures])
    assert 55 < green.min() < 80 and 120 < green.max() < 145  # 0.7 to 1.3 of 100, and some from saturation


def tensor_of(picture: np.ndarray) -> torch.Tensor:
    """uint8 [H, W, 3] -> [3, H, W]."""
    return torch.tensor(picture).permute(2, 0, 1)


def ramps(width: int, height: int) -> torch.Tensor:
    """A picture whose red grows to the right and whose green grows downwards, both from 50 to 200."""
    picture = np.full((height, width, 3), 120, np.uint8)
    picture[..., 0] = np.linspace(50, 200, width)[None]
    picture[..., 1] = np.linspace(50, 200, height)[:, None]
    return tensor_of(picture)


def test_strong_augmentation_keeps_size_and_type_and_takes_all_its_chance_from_the_generator():
    picture = ramps(90, 60)
    pictures = [augmented(picture, 48, np.random.default_rng(seed), "strong") for seed in range(30)]
    assert {(tuple(p.shape), p.dtype) for p in pictures} == {((3, 48, 48), torch.uint8)}
    again = [augmented(picture, 48, np.random.default_rng(seed), "strong") for seed in range(30)]
    assert all(torch.equal(a, b) for a, b in zip(pictures, again, strict=True))
    assert len({tuple(p.flatten().tolist()) for p in pictures}) == 30


@pytest.mark.parametrize(("width", "height"), [(200, 200), (320, 180), (90, 160)])
def test_a_strong_crop_keeps_half_of_the_area_at_least_and_most_of_the_shape(width, height):
    shares, aspects, corners, flips = [], [], [], 0
    for seed in range(200):
        found = cropped(ramps(width, height), 64, np.random.default_rng(seed), "strong").double()
        across, down = found[0, 32], found[1, :, 32]
        x, y = (across[-1] - across[0]).abs() / 150 * 64 / 63, (down[-1] - down[0]) / 150 * 64 / 63
        shares.append(float(x * y))
        aspects.append(float(x / y))
        corners.append(float((min(across[0], across[-1]) - 50) / 150))
        flips += bool(across[0] > across[-1])
    assert 0.46 < min(shares) < 0.6 and 0.9 < max(shares) < 1.08  # colours are whole numbers
    assert 0.7 < min(aspects) < 0.9 and 1.1 < max(aspects) < 1.4
    assert min(corners) < 0.05 and max(corners) > 0.2  # anywhere
    assert 70 < flips < 130


def test_strong_augmentation_changes_brightness_and_hue_within_its_range():
    plain_red = tensor_of(np.broadcast_to(np.array([150, 60, 60], np.uint8), (32, 32, 3)))
    pictures = [augmented(plain_red, 32, np.random.default_rng(seed), "strong") for seed in range(200)]
    red, green, blue = (np.array([float(p[channel].double().mean()) for p in pictures]) for channel in range(3))
    assert red.min() < 110 and red.max() > 190
    assert (red > green).all() and (red > blue).all()  # a tenth of the circle does not reach another colour
    assert (green > blue + 5).any() and (blue > green + 5).any()


def test_a_picture_of_one_pixel_can_be_cropped():
    for augmentation in AUGMENTATIONS:
        one = torch.full((3, 1, 1), 90, dtype=torch.uint8)
        assert augmented(one, 32, np.random.default_rng(0), augmentation).shape == (3, 32, 32)


def test_a_training_sound_is_rolled_and_masked_within_its_range_and_stays_what_it_was_itself():
    sound = torch.rand(1, 201, 64) + 1.0
    kept = sound.clone()
    starts, stretches, bands = [], [], []
    for seed in range(300):
        changed = spec_augmented(sound, np.random.default_rng(seed))
        assert changed.shape == sound.shape and torch.equal(changed, spec_augmented(sound, np.random.default_rng(seed)))
        masked = changed[0] == sound.mean()
        rows, columns = masked.all(1), masked.all(0)
        stretches.append(int(rows.sum()))
        bands.append(int(columns.sum()))
        assert torch.equal(masked, rows[:, None] | columns[None])
        row, kept_bands = int((~rows).nonzero()[0, 0]), ~columns
        from_row = (sound[0][:, kept_bands] == changed[0][row, kept_bands]).all(1).nonzero()
        assert len(from_row) == 1
        shift = (row - int(from_row[0, 0])) % 201
        assert torch.equal(changed[0][~masked], sound[0].roll(shift, 0)[~masked])
        starts.append(shift)
    assert torch.equal(sound, kept)
    assert min(starts) < 5 and max(starts) > 195
    for found, longest in zip((stretches, bands), LONGEST_MASK, strict=True):
        assert max(found) == longest and 110 < found.count(0) < 190  # half of them have none


def test_only_where_it_is_asked_for_are_sounds_changed_and_pictures_are_the_same(data_dir):
    seconds = index_seconds(data_dir, NAMES)
    plain_set, changed_set = (PairDataset(seconds, 32, 0, "strong", "batch", flag) for flag in (False, True))
    for index in range(len(seconds)):
        one, other = plain_set[1, index], changed_set[1, index]
        assert torch.equal(one["frame"], other["frame"])
        np.testing.assert_array_equal(one["spectrogram"][0], np.load(seconds.spectrogram_path(index)))
    assert any(not torch.equal(plain_set[1, i]["spectrogram"], changed_set[1, i]["spectrogram"]) for i in range(3))


def test_no_augmentation_only_resizes():
    picture = torch.full((3, 20, 60), 77, dtype=torch.uint8)
    assert torch.equal(plain(picture, 32), torch.full((3, 32, 32), 77, dtype=torch.uint8))


def damage_frame(data_dir: Path) -> Path:
    path = next((video_frames_dir(data_dir) / "b c/frame_001").iterdir())
    path.write_bytes(path.read_bytes()[:200])
    return path


def damage_spectrogram(data_dir: Path) -> Path:
    path = audio_frames_dir(data_dir) / "b c/001.npy"
    path.write_bytes(path.read_bytes()[:300])
    return path


def misshape_spectrogram(data_dir: Path) -> Path:
    path = audio_frames_dir(data_dir) / "b c/001.npy"
    np.save(path, np.zeros((64, 201), np.float32))
    return path


def poison_spectrogram(data_dir: Path) -> Path:
    path = audio_frames_dir(data_dir) / "b c/001.npy"
    np.save(path, np.full((201, 64), np.nan, np.float32))
    return path


def pickle_in_spectrogram(data_dir: Path) -> Path:
    path = audio_frames_dir(data_dir) / "b c/001.npy"
    np.save(path, np.array([{"an": "object"}]), allow_pickle=True)
    return path


def empty_second(data_dir: Path) -> Path:
    folder = video_frames_dir(data_dir) / "b c/frame_001"
    for path in folder.iterdir():
        path.unlink()
    return folder


DAMAGES = [
    damage_frame, damage_spectrogram, misshape_spectrogram, poison_spectrogram, pickle_in_spectrogram, empty_second,
]  # fmt: skip


@pytest.mark.parametrize("count", [1, 2, 3, 5, 9, 20])
def test_the_shares_of_the_test_seconds_are_all_of_them_each_once_and_in_order(data_dir, count):
    dataset = SecondDataset(index_seconds(data_dir, NAMES), 32, False)

    def keys(share: Share) -> list[str]:
        return [key for batch in second_loader(dataset, 8, 0, share=share) for key in batch["keys"]]

    together = [key for process in range(count) for key in keys(Share(process, count))]
    assert together == keys(WHOLE) and len(together) == len(set(together)) == 4 * len(dataset) > 0


@pytest.mark.parametrize(
    ("damage", "workers"), [*((damage, 0) for damage in DAMAGES), (damage_frame, 1), (damage_spectrogram, 1)]
)
def test_a_sample_that_cannot_be_read_is_an_error_that_names_the_file(data_dir, damage, workers):
    path = damage(data_dir)
    loader = second_loader(SecondDataset(index_seconds(data_dir, NAMES), 32, False), 8, workers)
    with pytest.raises(SampleError) as raised:
        list(loader)
    message = str(raised.value)
    assert str(path) in message and "cut_" in message and "\n" not in message
