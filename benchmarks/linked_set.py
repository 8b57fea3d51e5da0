"""A large data set out of a small one: its frames and spectrograms hard-linked many times, which takes no space."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tqdm import tqdm

from common.errors import UserError
from data.index import SecondIndex, index_seconds
from data.layout import (
    audio_frames_dir,
    list_path,
    noise_file,
    second_folder,
    silence_file,
    spectrogram_file,
    video_frames_dir,
)
from data.lists import write_list
from data.preprocess.settings import SETTINGS_FILE

MOST_LINKS = 60_000  # of a file; ext4 has 65,000
SHARES = {"val": 0.12, "test": 0.17}  # of the videos, as data/split.py has them; the rest is for training


def all_seconds(data_dir: Path) -> SecondIndex:
    """The seconds of all videos of a data set.

    Raises:
        UserError: there are none.
    """
    folder = video_frames_dir(data_dir)
    names = sorted(entry.name for entry in os.scandir(folder) if entry.is_dir()) if folder.is_dir() else []
    seconds = index_seconds(data_dir, names)
    if not len(seconds):
        raise UserError(f"--data_dir {data_dir} has no frames and spectrograms to link: cut it first, or make demo")
    return seconds


@contextlib.contextmanager
def temporary_set(data_dir: Path, count: int) -> Iterator[tuple[Path, dict[str, int]]]:
    """A linked set of `count` seconds, inside `data_dir`, as links do not leave their file system; removed afterwards.

    Yields:
        Its folder, and NAME -> seconds, see `link_set`.

    Raises:
        UserError: there is nothing to link, or too little.
        OSError: the links cannot be made.
    """
    source = all_seconds(data_dir)
    folder = Path(tempfile.mkdtemp(prefix=".linked-", dir=data_dir))
    try:
        yield folder / "set", link_set(source, folder / "set", count)
    finally:
        print("removing the links", flush=True)
        shutil.rmtree(folder)


def link_set(source: SecondIndex, target: Path, count: int) -> dict[str, int]:
    """Write a data set of `count` seconds, its videos those of `source` again and again, the last one cut off.

    Args:
        source: seconds on the same file system.
        target: folder of the new data set, which is not there yet.
        count: how many seconds.

    Returns:
        NAME -> its seconds, in the order in which they were written.

    Raises:
        UserError: the file system does not take as many links of a file.
        OSError: it takes none, or not between these folders.
    """
    if count / len(source) > MOST_LINKS:
        raise UserError(
            f"--data_dir {source.data_dir} is too small for {count} seconds: its files would be linked too often"
        )
    for path_of in (noise_file, silence_file):
        path_of(target).parent.mkdir(parents=True, exist_ok=True)
        os.link(path_of(source.data_dir), path_of(target))
    for folder_of in (audio_frames_dir, video_frames_dir):
        folder_of(target).mkdir(exist_ok=True)
        if (folder_of(source.data_dir) / SETTINGS_FILE).exists():
            os.link(folder_of(source.data_dir) / SETTINGS_FILE, folder_of(target) / SETTINGS_FILE)
    videos = [_files(source, video) for video in range(len(source.names))]
    written: dict[str, int] = {}
    with tqdm(total=count, desc="link", unit="s") as bar:
        while bar.n < count:
            number = len(written)
            files = videos[number % len(videos)][: count - bar.n]
            name = f"{number:06d}"
            _link_video(files, target, name)
            written[name] = len(files)
            bar.update(len(files))
    return written


def _files(source: SecondIndex, video: int) -> list[tuple[int, str, list[tuple[str, str]]]]:
    """Second, spectrogram, and paths and names of the frames, of each second of a video."""
    return [
        (
            int(source.second[index]),
            str(source.spectrogram_path(index)),
            [(str(path), path.name) for path in source.frame_paths(index)],
        )
        for index in range(source.first[video], source.first[video + 1])
    ]


def _link_video(files: list[tuple[int, str, list[tuple[str, str]]]], target: Path, name: str) -> None:
    frames, sounds = str(video_frames_dir(target) / name), str(audio_frames_dir(target) / name)
    os.mkdir(frames)
    os.mkdir(sounds)
    for second, spectrogram, pictures in files:
        os.link(spectrogram, f"{sounds}/{spectrogram_file(second)}")
        folder = f"{frames}/{second_folder(second)}"
        os.mkdir(folder)
        for path, picture in pictures:
            os.link(path, f"{folder}/{picture}")


def write_lists(folder: Path, names: list[str]) -> None:
    """Write the lists of a data set: the shares of `data/split.py`, two videos at least."""
    folder.mkdir(parents=True)
    rest = list(names)
    for list_name, share in SHARES.items():
        size = max(2, round(share * len(names)))
        write_list(list_path(folder, list_name), rest[:size])
        rest = rest[size:]
    write_list(list_path(folder, "train"), rest)
