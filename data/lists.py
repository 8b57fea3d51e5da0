"""Reads and writes the lists of videos, ``train.txt``, ``val.txt``, ``test.txt``, and reads the classes of videos.

A list has one NAME a line. The lines ``NAME.flac NAME.mp4`` of the published lists are read too.
"""

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from common.atomic import atomic_files
from common.errors import UserError
from data.layout import AUDIO_SUFFIXES, VIDEO_SUFFIXES, labels_file

ENTRY_FORM = "an entry is the NAME of video/NAME.mp4, without folder, quotes or other columns"
_MEDIA_SUFFIX = "|".join(re.escape(suffix) for suffix in sorted({*AUDIO_SUFFIXES, *VIDEO_SUFFIXES}))
# A NAME may hold spaces: the first one ends where an equal second one follows.
_PUBLISHED_LINE = re.compile(rf"(?P<name>.+)(?:{_MEDIA_SUFFIX})\s+(?P=name)(?:{_MEDIA_SUFFIX})", re.IGNORECASE)
_FILE_NAME = re.compile(rf"(?P<name>.+)(?:{_MEDIA_SUFFIX})", re.IGNORECASE)
LONGEST_LINE = 1000  # a longer one is no name, and the patterns would take minutes to tell
EXCERPT = re.compile(r"(?P<id>.{11})_(?P<start>[0-9]+)(_[0-9]+)?")  # ID_0_1000 or ID_000030, of the video ID


def parse_list_line(line: str) -> str:
    """Return the NAME of a line ``NAME``, ``NAME.mp4`` or ``NAME.flac NAME.mp4``; empty for an empty line."""
    line = line.strip()
    if len(line) > LONGEST_LINE:
        return line
    match = _PUBLISHED_LINE.fullmatch(line) or _FILE_NAME.fullmatch(line)
    return match["name"] if match else line


def can_hold(name: str) -> bool:
    """Return whether a list can hold a NAME: a file of UTF-8 lines, read by `parse_list_line`."""
    try:
        name.encode()
    except UnicodeEncodeError:  # its bytes on the disk are of another encoding
        return False
    return name.splitlines() == [name] == [parse_list_line(name.lstrip("\ufeff"))]


def read_list(path: Path, remedy: str = "data/split.py writes the lists of a data set") -> list[str]:
    """Return the names of a list, each once, in the list's order; `remedy` is for a list that is missing."""
    try:
        lines = Path(path).read_text(encoding="utf-8-sig").splitlines()
    except FileNotFoundError as error:
        raise UserError(f"there is no list {path}; {remedy}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(
            f"the list {path} cannot be read ({error}): it has to hold one NAME a line, in UTF-8"
        ) from error
    return list(dict.fromkeys(filter(None, map(parse_list_line, lines))))


def require_listable(names: Iterable[str]) -> None:
    """Raise UserError if a list cannot hold one of the names."""
    if unlistable := [name for name in names if not can_hold(name)]:
        raise UserError(
            f"a list has one NAME a line, in UTF-8, and cannot hold {unlistable[0]!r}: rename the video; nothing was "
            "written"
        )


def write_list(path: Path, names: Iterable[str]) -> None:
    """Write names, one a line."""
    write_lists({path: names})


def write_lists(lists: Mapping[Path, Iterable[str]]) -> None:
    """Write the names of lists that belong together, one a line."""
    with atomic_files(*lists) as partials:
        for partial, names in zip(partials, lists.values(), strict=True):
            partial.write_text("".join(f"{name}\n" for name in names), encoding="utf-8")


def read_labels(path: Path) -> dict[str, str]:
    """Return the class of each ID in a file of MUSIC's format, ``{"videos": {"flute": ["ID", ...]}}``.

    An ID in several classes gets all of them, as ``flute violin``, which is also how the class of a duet is written.
    """
    try:
        videos = json.loads(Path(path).read_text(encoding="utf-8-sig"))["videos"]
        classes: dict[str, list[str]] = {}
        for label, identities in videos.items():
            if not isinstance(identities, list) or not all(isinstance(identity, str) for identity in identities):
                raise TypeError(f"{label!r:.100} has no list of texts")
            for identity in dict.fromkeys(identities):
                classes.setdefault(identity, []).append(label)
        return {identity: " ".join(labels) for identity, labels in classes.items()}
    except OSError as error:
        raise UserError(f"the labels {path} cannot be read ({error.strerror})") from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        expected = '{"videos": {"flute": ["ID", ...]}}'
        raise UserError(
            f"the labels {path} are not of the form {expected} ({type(error).__name__}: {error})"
        ) from error


def labels_of_set(data_dir: Path) -> dict[str, str]:
    """Return `read_labels` of the data set's own ``labels.json``; empty if it has none."""
    path = labels_file(data_dir)
    return read_labels(path) if path.exists() else {}


def label_of(name: str, labels: dict[str, str]) -> str:
    """Return the class of the video NAME; empty if it has none. The YouTube ID stands for ``ID_0_1000`` too."""
    return labels.get(name) or labels.get(identity_of(name), "")


def identity_of(name: str) -> str:
    """Return the YouTube ID (11 characters) of ``ID_0_1000`` or ``ID_000030``; any other name as it is."""
    match = EXCERPT.fullmatch(name)
    return match["id"] if match else name
