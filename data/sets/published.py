"""Reads the published lists of videos, and writes the labels and lists of a data set from them.

============  ================================================================================================
MUSIC         ``{"videos": {"flute": ["ID", ...]}}``; a duet's class is written ``flute violin``
VGGSound      CSV without a header, ``ID,start second,label,split``; a clip lasts 10 seconds
a plain list  one ID a line
============  ================================================================================================
"""

import csv
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

from common.atomic import atomic_file
from common.errors import UserError
from data.layout import LIST_NAMES, labels_file, list_path
from data.lists import labels_of_set, read_labels, read_list, require_listable, write_lists
from data.sets.splitting import SEED, VAL, split

DONE, GONE, PRIVATE, BLOCKED, FAILED = STATUSES = ("done", "gone", "private", "blocked", "failed")  # of a download
_ID = re.compile(r"[\w-][\w.-]*")  # a part of a URL and of a file name


@dataclass(frozen=True)
class Entry:
    """A video of a published list."""

    name: str  # NAME in the data set
    identity: str  # of the video on its site
    label: str = ""  # its class, or several: "flute violin"
    start: int | None = None  # second at which an excerpt of 10 seconds begins; None: the whole video
    split: str = ""  # one of LIST_NAMES, or empty


def one_word(label: str) -> str:
    """Return a class as one word, as labels.json has them: ``playing flute`` becomes ``playing_flute``."""
    return re.sub(r"[\s,]+", "_", label.strip())


def clip_name(identity: str, start: int) -> str:
    """Return the NAME of a clip of VGGSound: ``ID_000030``."""
    return f"{identity}_{start:06d}"


def clip_name_of(name: str) -> str:
    """Return `clip_name` for the names of copies: ``ID_30``, ``ID_30_40``, or in thousandths ``ID_30000_40000``."""
    match = re.fullmatch(r"(.{11})_(\d+)(?:_(\d+))?", name)
    if not match:
        return name
    start, end = int(match[2]), int(match[3] or 0)
    return clip_name(match[1], start // 1000 if end - start >= 1000 else start)


def read_music(path: Path) -> list[Entry]:
    """Read a list of MUSIC."""
    return [Entry(identity, identity, label) for identity, label in read_labels(path).items()]


def read_ids(path: Path) -> list[Entry]:
    """Read a plain list."""
    return [Entry(identity, identity) for identity in read_list(path, "write one ID a line into it")]


def read_vggsound(path: Path) -> list[Entry]:
    """Read ``vggsound.csv``."""
    entries = []
    for number, row in enumerate(read_rows(path), 1):
        if len(row) != 4 or not row[1].strip().isdecimal():
            raise UserError(
                f"{path}, line {number}: expected ID,start second,label,split, found {','.join(row)!r:.100}"
            )
        identity, start, label, split_name = (field.strip() for field in row)
        entries.append(Entry(clip_name(identity, int(start)), identity, one_word(label), int(start), split_name))
    return entries


def read_rows(path: Path) -> list[list[str]]:
    """Return the rows of a CSV file that are not empty."""
    try:
        with Path(path).open(encoding="utf-8-sig", newline="") as file:
            return [row for row in csv.reader(file) if row]
    except OSError as error:
        raise UserError(f"the list {path} cannot be read ({error.strerror})") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"the list {path} is no CSV in UTF-8 ({error})") from error


def select(entries: Iterable[Entry], classes: Iterable[str] = (), limit: int | None = None) -> list[Entry]:
    """Return the entries of some classes, each NAME once; of these `limit`, in turn from each class and list."""
    found = {entry.name: entry for entry in entries}
    if wrong := [entry.identity for entry in found.values() if not _ID.fullmatch(entry.identity)]:
        raise UserError(f"{wrong[0]!r} is no ID of a video: an ID has letters, digits, '-', '_' and '.'")
    wanted = {*map(one_word, classes)}
    classes_of = {name: {one_word(entry.label), *entry.label.split()} for name, entry in found.items()}
    present = set().union(*classes_of.values()) - {""}
    if unknown := sorted(wanted - present):
        raise UserError(f"no video of the class {unknown[0]!r}; there are {', '.join(sorted(present)) or 'none'}")
    groups: dict[tuple[str, str], list[Entry]] = {}
    for name, entry in found.items():
        if not wanted or wanted & classes_of[name]:
            groups.setdefault((entry.label, entry.split), []).append(entry)
    return [entry for turn in zip_longest(*groups.values()) for entry in turn if entry][:limit]


def write_labels(data_dir: Path, entries: Iterable[Entry]) -> None:
    """Add the classes of the entries to labels.json; without any, write nothing."""
    labels = {entry.name: entry.label for entry in entries if entry.label}
    if not labels:
        return
    videos: dict[str, list[str]] = {}
    for name, label in sorted({**labels_of_set(data_dir), **labels}.items()):
        videos.setdefault(label, []).append(name)
    with atomic_file(labels_file(data_dir)) as partial:
        partial.write_text(json.dumps({"videos": dict(sorted(videos.items()))}, indent=0), encoding="utf-8")


def write_published_lists(data_dir: Path, entries: Sequence[Entry]) -> None:
    """Write the published lists of the entries, if there are any, and say so.

    A published split without validation gets one out of its training videos.
    """
    lists = {name: sorted(entry.name for entry in entries if entry.split == name) for name in LIST_NAMES}
    if not any(lists.values()):
        return
    note = ""
    if not lists["val"] and len(lists["train"]) >= len(LIST_NAMES):
        drawn = split(lists["train"], {entry.name: entry.label for entry in entries}, VAL, 0, SEED)
        lists |= {"train": drawn["train"], "val": drawn["val"]}
        note = " (val.txt was drawn from the published train)"
    require_listable(name for names in lists.values() for name in names)
    write_lists({list_path(data_dir, name): names for name, names in lists.items()})
    counts = ", ".join(f"{name}.txt {len(names)}" for name, names in lists.items())
    print(f"The published split is kept: {counts}{note}.")
