"""Writes where each picture's heat is into a JSON file, a line a picture, as the pictures come."""

import json
from collections.abc import Mapping
from typing import Any, TextIO

from vis.heat_video.interpolation import FrameWithLevel
from vis.heat_video.peak import Peak

DIGITS = 4  # of fractions of the picture and of seconds


class HeatJson:
    """A JSON object with `about`, then ``frames``: a list with an object for each picture.

    Args:
        file: open for writing.
        about: what the file is about, plain values.
    """

    def __init__(self, file: TextIO, about: Mapping[str, Any]) -> None:
        self._file = file
        self._between = "\n"
        head = json.dumps(about)[:-1]
        file.write(f'{head}{", " if about else ""}"frames": [')

    def add(self, heard: FrameWithLevel, time: float, places: Mapping[int, Peak]) -> None:
        """Add a picture.

        Args:
            heard: the picture and its level.
            time: when it is shown, in seconds of the written video.
            places: sound cluster -> where its map is hottest; empty where nothing sounds.
        """
        frame = {
            "index": heard.picture.index,
            "time": round(time, DIGITS),
            "level": round(heard.level, 1),
            "maps": [{"cluster": cluster, **_fractions(place)} for cluster, place in places.items()],
        }
        self._file.write(self._between + json.dumps(frame))
        self._between = ",\n"

    def finish(self) -> None:
        """Write the end."""
        self._file.write("\n]}\n")


def _fractions(place: Peak) -> dict[str, list[float]]:
    x1, y1, x2, y2 = place.box
    return {"peak": [round(value, DIGITS) for value in place.peak], "normbox": _rounded(x1, y1, x2 - x1, y2 - y1)}


def _rounded(*values: float) -> list[float]:
    return [round(value, DIGITS) for value in values]
