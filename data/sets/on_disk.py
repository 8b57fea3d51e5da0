"""Finds the files of a published data set in a folder, whatever its subfolders, and links them into a data set.

A clip is a video ``NAME.mp4``. A pair is an audio file ``NAME.wav`` with its frames: one image ``NAME.jpg`` or a folder
of images, ``NAME/*_1.png``. Nothing is copied: symbolic links point to the files.
"""

import math
import os
import re
from collections import defaultdict
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from common.atomic import atomic_folder
from common.errors import UserError
from data.layout import AUDIO_SUFFIXES, LIST_NAMES, VIDEO_SUFFIXES, audio_dir, frame_file, mask_file, video_frames_dir
from data.media.container import stated_seconds

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png")
MASK_FOLDERS = ("gt_masks", "masks")
OTHER_FOLDERS = ("extend_audio", "extend_frames")  # of Extended Flickr-SoundNet: other content under the same names


@dataclass(frozen=True)
class SetOnDisk:
    """The files of a published data set, by NAME."""

    videos: dict[str, Path] = field(default_factory=dict)
    audio: dict[str, Path] = field(default_factory=dict)
    frames: dict[str, list[Path]] = field(default_factory=dict)  # of the names in `audio`, in order
    masks: dict[str, list[Path]] = field(default_factory=dict)
    annotations: dict[str, Path] = field(default_factory=dict)  # NAME.xml
    tables: list[Path] = field(default_factory=list)  # CSV files
    lonely: list[Path] = field(default_factory=list)  # audio without an image, images without audio


def find_set(folder: Path) -> SetOnDisk:
    """Find the files of a data set below a folder. Of files with the same NAME the first one counts."""
    found = SetOnDisk()
    kinds = ((VIDEO_SUFFIXES, found.videos), (AUDIO_SUFFIXES, found.audio), ((".xml",), found.annotations))
    images, masks = [], []
    for path in _files(folder):
        suffix = path.suffix.lower()
        if suffix in IMAGE_SUFFIXES:
            is_mask = any(part in MASK_FOLDERS for part in path.relative_to(folder).parts)
            (masks if is_mask else images).append(path)
        elif suffix == ".csv":
            found.tables.append(path)
        for suffixes, files in kinds:
            if suffix in suffixes:
                files.setdefault(path.stem, path)
    found.lonely.extend(_group(images, found.audio, found.frames))
    found.lonely.extend(_group(masks, {**found.audio, **found.videos}, found.masks))
    usable = found.frames.keys() | found.videos.keys()
    found.lonely.extend(path for name, path in found.audio.items() if name not in usable)
    return found


def _group(images: Sequence[Path], names: Container[str], groups: dict[str, list[Path]]) -> Iterator[Path]:
    """Add the images of each name to `groups`, in the order of their numbers; yield those of no name."""
    folders: dict[str, dict[Path, list[Path]]] = defaultdict(lambda: defaultdict(list))
    for path in images:
        candidates = (path.stem, path.parent.name, re.sub(r"(\.mp4)?_\d+$", "", path.stem))
        name = next((name for name in candidates if name in names), None)
        if name is None:
            yield path
        else:
            folders[name][path if path.stem == name else path.parent].append(path)
    groups.update({name: sorted(next(iter(of.values())), key=number_of) for name, of in folders.items()})


def _files(folder: Path) -> Iterator[Path]:
    if not folder.is_dir():
        raise UserError(f"there is no folder {folder}")
    for parent, folders, names in os.walk(folder, followlinks=True):
        folders[:] = sorted(name for name in folders if name not in OTHER_FOLDERS and not name.startswith("."))
        yield from (Path(parent, name) for name in sorted(names) if not name.startswith("."))


def number_of(path: Path) -> int:
    """Return the number at the end of a file's name: 12 of ``NAME_12.png``."""
    return int("0" + re.search(r"\d*$", path.stem)[0])


def split_and_label(path: Path) -> tuple[str, str]:
    """Return the list and the class that a path in a set says: ``video/train/playing flute/NAME.mp4``."""
    folders = path.parent.parts
    at = next((at for at, name in enumerate(folders) if name in LIST_NAMES), None)
    if at is None:
        return "", ""
    below = [name for name in folders[at + 1 :] if name != path.stem]
    return folders[at], below[0] if below else ""


def link(path: Path, target: Path) -> None:
    """Make `path` a link to `target`, in place of another link."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_symlink():
        path.unlink()
    elif path.exists():
        raise UserError(f"{path} is a file of its own and is never replaced: choose another --data_dir")
    path.symlink_to(os.path.abspath(target))


def link_pair(data_dir: Path, name: str, audio: Path, frames: Sequence[Path]) -> None:
    """Link the audio NAME and its frames, as `cut_video.py` would have cut them.

    A single frame is shown in every second of the audio. Several have the whole number of frames a second that fits
    the length of the audio best.
    """
    length = stated_seconds(audio)
    if len(frames) == 1:
        shown = [(second, 0) for second in range(math.ceil(length))]
    else:
        rate = max(1, round(len(frames) / length))
        shown = [(index // rate, index) for index in range(len(frames))]
    with atomic_folder(video_frames_dir(data_dir) / name) as partial:
        for second, index in shown:
            link(partial / frame_file(second, index), frames[index])
    link(audio_dir(data_dir) / f"{name}{audio.suffix.lower()}", audio)


def link_masks(data_dir: Path, name: str, masks: Sequence[Path]) -> None:
    """Link the masks of a NAME: ``NAME_1.png`` belongs to second 0, unless there is a ``NAME_0.png``."""
    first = min(1, *map(number_of, masks)) if masks else 1
    for mask in masks:
        link(mask_file(data_dir, name, number_of(mask) - first), mask)
