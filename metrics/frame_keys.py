"""The keys of frames, ``NAME/frame_013/00411``, with or without the ending of a picture, taken apart."""

import re
from typing import NamedTuple

# NAME may start with dashes and hold dots; published files of maps have whole paths in front of it.
_KEY = re.compile(r"(?:.*/)?(?P<video>[^/]+)/frame_(?P<second>[0-9]{1,9})/(?P<index>[0-9]{1,9})(?:\.(?:jpe?g|png))?")

FORM = "NAME/frame_013/00411"


class Frame(NamedTuple):
    """A frame of a video: the whole second that it was extracted for, and its index in the video."""

    video: str
    second: int
    index: int


def parse_frame(key: str) -> Frame | None:
    """The frame of a key; None if it has another form."""
    match = _KEY.fullmatch(key)
    return Frame(match["video"], int(match["second"]), int(match["index"])) if match else None
