"""The batches of a training and of its tests, from its options."""

from argparse import Namespace
from pathlib import Path

import torch

from common.cli import command
from common.errors import UserError
from data.dataset import PairDataset, SecondDataset
from data.index import SecondIndex, index_seconds, unknown_videos
from data.lists import ENTRY_FORM, read_list
from data.loaders import pair_loader, second_loader
from data.negative_audio import choose_audio
from data.preprocess.settings import audio_command, cut_option, n_fft_of, seconds_of
from data.sampler import own_rank
from data.second_cache import CachedSecond, bytes_in_memory, memory_to_spend, read_seconds
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


def adopt_spectrogram_settings(options: Namespace, from_scratch: bool) -> None:
    """Take the window and the length of the spectrograms from the data set, or hold them against the checkpoint's.

    Raises:
        UserError: the network was trained with others.
    """
    data_dir = Path(options.data_dir)
    n_fft = n_fft_of(data_dir)
    if n_fft is None or (n_fft, seconds_of(data_dir)) == (options.n_fft, options.audio_seconds):
        return
    if not from_scratch:
        cutting = command("data/cut_audio.py", data_dir)
        found, wanted = cut_option(n_fft, seconds_of(data_dir)), cut_option(options.n_fft, options.audio_seconds)
        raise UserError(
            f"the spectrograms of {data_dir} were cut with {found}, but the network was trained with {wanted}: cut "
            f"them anew with {cutting} {wanted} --overwrite 1"
        )
    options.n_fft, options.audio_seconds = n_fft, seconds_of(data_dir)


def train_and_val_loaders(options: Namespace, device: torch.device) -> tuple[DeviceLoader, DeviceLoader]:
    """Pairs of the training list, shuffled and augmented, and of the validation list, always the same."""
    return _pair_loader(options, "train", device), _pair_loader(options, "val", device)


def _pair_loader(options: Namespace, list_name: str, device: torch.device) -> DeviceLoader:
    seconds = broadcast_from_rank0(index_list, options, list_name)
    if seconds.num_origins < 2:
        raise UserError(
            f"the {list_name} list has one usable video, but a negative pair takes a second one (excerpts ID_START "
            "count as one video): add videos, then run "
            f"{command('data/split.py', options.data_dir)} --force"
        )
    training, recipe = list_name == "train", options.recipe
    dataset = PairDataset(
        seconds,
        recipe.image_size,
        options.seed,
        augment=training,
        crop_only=not options.enable_img_augmentation,
        with_negative=not recipe.in_batch,
        negative_audio=recipe.loss == "max_margin",
    )
    cache = dataset.cache = _read_cache(options, dataset, list_name)
    loader = pair_loader(
        dataset,
        options.batch_size,
        num_workers=0 if cache and device.type != "cuda" else options.num_threads,  # a CPU is busy with the step itself
        shuffle=training,
        pin_memory=device.type == "cuda",
        accumulate=options.accumulate,
        rank=own_rank(),
    )
    return DeviceLoader(loader, device, apply_color_jitter_to_batch)


def _read_cache(options: Namespace, dataset: PairDataset, list_name: str) -> list[CachedSecond] | None:
    """The seconds of a list in memory, if --cache asks for it and enough is free."""
    if not options.cache:
        return None
    size = bytes_in_memory(dataset.seconds, dataset.cached_side)
    if size > memory_to_spend():
        print(f"--cache: the frames of the {list_name} list do not fit into memory, they are read in each epoch")
        return None
    print(f"--cache: {size / 1e9:.2f} GB of memory for the frames of the {list_name} list")
    return read_seconds(dataset.seconds, dataset.cached_side, options.num_threads)


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
