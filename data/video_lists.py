"""The lists of videos: ``train.txt``, ``val.txt``, ``test.txt``, one NAME a line.

The published lists have lines ``NAME.flac NAME.mp4``; they are read too.
"""

import re
from collections.abc import Iterable
from pathlib import Path

from data.errors import UserError
from data.layout import AUDIO_SUFFIXES, VIDEO_SUFFIXES
from data.whole_files import whole_file

_MEDIA_SUFFIX = "|".join(re.escape(suffix) for suffix in sorted({*AUDIO_SUFFIXES, *VIDEO_SUFFIXES}))
# The name itself may hold spaces, so only the second, equal name tells where the first one ends.
_PUBLISHED_LINE = re.compile(rf"(?P<name>.+)(?:{_MEDIA_SUFFIX})\s+(?P=name)(?:{_MEDIA_SUFFIX})", re.IGNORECASE)
_FILE_NAME = re.compile(rf"(?P<name>.+)(?:{_MEDIA_SUFFIX})", re.IGNORECASE)


def parse_list_line(line: str) -> str:
    """NAME of a line ``NAME``, ``NAME.mp4`` or ``NAME.flac NAME.mp4``; empty for an empty line."""
    line = line.strip()
    match = _PUBLISHED_LINE.fullmatch(line) or _FILE_NAME.fullmatch(line)
    return match["name"] if match else line


def read_list(path: Path) -> list[str]:
    """Names of a list, each once, in the list's order.

    Raises:
        UserError: there is no such file, or it is no text.
    """
    try:
        lines = Path(path).read_text(encoding="utf-8-sig").splitlines()
    except FileNotFoundError as error:
        raise UserError(f"there is no list {path}; data/split.py writes the lists of a data set") from error
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"the list {path} cannot be read ({error}): it is one NAME a line, UTF-8") from error
    return list(dict.fromkeys(filter(None, map(parse_list_line, lines))))


def write_list(path: Path, names: Iterable[str]) -> None:
    """Write names, one a line."""
    with whole_file(path) as partial:
        partial.write_text("".join(f"{name}\n" for name in names), encoding="utf-8")
