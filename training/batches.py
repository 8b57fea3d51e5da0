"""The batches of a training and of its tests, from its options."""

from argparse import Namespace
from pathlib import Path

import torch

from common.cli import command
from common.errors import UserError
from data.dataset import PairDataset, SecondDataset
from data.frame_cache import FrameCache, frame_cache, memory_to_spend
from data.index import SecondIndex, index_seconds, unknown_videos
from data.lists import ENTRY_FORM, read_list
from data.loaders import pair_loader, second_loader
from data.negative_audio import choose_audio
from data.preprocess.settings import audio_command, n_fft_of
from data.sampler import own_rank
from data.stems import stem_sources
from data.transforms import apply_color_jitter_to_batch
from training.device import DeviceLoader
from training.distributed import broadcast_from_rank0


def index_list(options: Namespace, list_name: str) -> SecondIndex:
    """The seconds of the videos of a list; prints how many there are.

    Raises:
        UserError: the list is missing or empty, or none of its videos has frames and spectrograms.
    """
    data_dir = Path(options.data_dir)
    path = Path(options.data_list_dir or data_dir) / getattr(options, f"{list_name}_list")
    if not path.exists():
        raise UserError(f"there is no list {path}: {command('data/split.py', data_dir)} writes the lists of {data_dir}")
    names = read_list(path)
    if not names:
        raise UserError(f"the list {path} is empty: draw it with {command('data/split.py', data_dir)} --force")
    seconds = index_seconds(data_dir, names)
    cutting = f"{command('data/cut_video.py', data_dir)} and {audio_command(data_dir)}"
    notes = []
    if unknown := unknown_videos(data_dir, seconds.without):
        notes.append(f"{len(unknown)} entries are no videos of {data_dir}, as {min(unknown)!r:.100}: {ENTRY_FORM}")
    if uncut := {*seconds.without} - unknown:
        notes.append(f"{len(uncut)} videos lack frames or audio, as {min(uncut)}: run {cutting}")
    if not len(seconds):
        raise UserError(f"no entry of {path} has frames and spectrograms in {data_dir}: {'; '.join(notes)}")
    for note in notes:
        print(f"{path}: {note}")
    print(f"{list_name}: {len(seconds.names)} videos, {len(seconds)} seconds")
    return seconds


def set_window(options: Namespace, from_scratch: bool) -> None:
    """Take the window of the spectrograms from the data set, or hold it against the one of the checkpoint.

    Raises:
        UserError: the network was trained with another window.
    """
    found = n_fft_of(Path(options.data_dir))
    if found is None or found == options.n_fft:
        return
    if not from_scratch:
        cutting = command("data/cut_audio.py", options.data_dir)
        raise UserError(
            f"the spectrograms of {options.data_dir} were cut with --n_fft {found}, but the network was trained with "
            f"{options.n_fft}: cut them anew with {cutting} --n_fft {options.n_fft} --overwrite 1"
        )
    options.n_fft = found


def train_and_val_loaders(options: Namespace, device: torch.device) -> tuple[DeviceLoader, DeviceLoader]:
    """Pairs of the training list, shuffled and augmented, and of the validation list, always the same."""
    train_loader = _pair_loader(options, "train", device)
    cache = train_loader.loader.dataset.cache  # its memory is not taken yet, and still counts as free
    return train_loader, _pair_loader(options, "val", device, cache.num_bytes if cache else 0)


def _pair_loader(options: Namespace, list_name: str, device: torch.device, promised: int = 0) -> DeviceLoader:
    seconds = broadcast_from_rank0(index_list, options, list_name)
    if seconds.num_origins < 2:
        raise UserError(
            f"the {list_name} list has one usable video, but a negative pair takes a second one (excerpts ID_START "
            "count as one video): add videos, then run "
            f"{command('data/split.py', options.data_dir)} --force"
        )
    training, recipe = list_name == "train", options.recipe
    augmentation = recipe.augmentation if training else None
    dataset = PairDataset(
        seconds,
        recipe.image_size,
        options.seed,
        augmentation,
        crop_only=not options.enable_img_augmentation,
        with_negative=not recipe.in_batch,
        jitter_later=device.type != "cpu",
        cache=_build_cache(options, seconds, augmentation, list_name, promised),
    )
    loader = pair_loader(
        dataset,
        options.batch_size,
        options.num_threads,
        training,
        device.type == "cuda",
        options.accumulate,
        own_rank(),
    )
    return DeviceLoader(loader, device, apply_color_jitter_to_batch)


def _build_cache(
    options: Namespace, seconds: SecondIndex, augmentation: str | None, list_name: str, promised: int
) -> FrameCache | None:
    """Memory for the frames of a list, if --cache asks for it and enough is free."""
    if not options.cache:
        return None
    cache = frame_cache(seconds, options.recipe.image_size, augmentation, memory_to_spend() - promised)
    if cache:
        print(f"--cache: up to {cache.num_bytes / 1e9:.2f} GB of memory for the frames of the {list_name} list")
    else:
        print(f"--cache: the frames of the {list_name} list do not fit into memory, they are read in each epoch")
    return cache


def test_loaders(options: Namespace, device: torch.device) -> list[DeviceLoader]:
    """The seconds of the test list, with their own audio or that of --audio; with ``swap`` a loader for each source."""
    seconds = broadcast_from_rank0(index_list, options, "test")
    swap = options.audio == "swap"
    sources = stem_sources(seconds) if swap else [choose_audio(options.audio, seconds, options.seed)]
    num_frames = options.batch_size // options.accumulate  # at a time, as in training
    loaders = []
    for audio in sources:
        dataset = SecondDataset(seconds, options.recipe.test_size, options.test_frames == "first", audio)
        loader = second_loader(dataset, num_frames, options.num_threads, device.type == "cuda", own_rank())
        loaders.append(DeviceLoader(loader, device))
    return loaders
