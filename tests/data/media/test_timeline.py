"""Recordings that were joined go on where the last one ends, whatever the order of their streams' packets."""

from types import SimpleNamespace

import pytest

from common.errors import MediaWarning
from data.media.timeline import Timeline

pytestmark = pytest.mark.filterwarnings("ignore:it consists of several recordings")


def shifted(packets: str, broadcast: bool = False) -> list[int]:
    """Time stamps after the shift, of packets such as ``v500`` or ``a500``: 500 ms, video or audio, of 100 ms each."""
    found = []
    for text in packets.split():
        hidden, text = text.endswith("h"), text.removesuffix("h")
        packet = SimpleNamespace(
            pts=int(text[1:]), dts=int(text[1:]), duration=100, size=1, time_base=0.001, is_discard=hidden,
            stream_index="va".index(text[0]), stream=SimpleNamespace(type={"v": "video", "a": "audio"}[text[0]]),
        )  # fmt: skip
        found.append(packet)
    return [packet.pts for packet in Timeline(broadcast).shift(found)]


@pytest.mark.parametrize(
    ("packets", "expected"),
    [
        ("v0 a0 v100 a100 v2000 a2000", [0, 0, 100, 100, 2000, 2000]),
        ("v1000 a1000 v2000 a2000 v0 a0 v100 a100", [1000, 1000, 2000, 2000, 2100, 2100, 2200, 2200]),
        ("v1000 a1000 v2000 v0 a2000 v100 a0 a100", [1000, 1000, 2000, 2100, 2000, 2200, 2100, 2200]),
        ("v1000 a1000 v2000 a2000 a50 v2100 v0", [1000, 1000, 2000, 2000, 2250, 2100, 2200]),
        ("v900 v0 a0 v800 a800 v0 a0", [900, 1000, 1000, 1800, 1800, 1900, 1900]),
        ("v0 a0 v900 a900 v0 v900 v0 a0", [0, 0, 900, 900, 1000, 1900, 2000, 2000]),
        ("v400 v0 v800", [400, 0, 800]),
        ("v900 a900 v0h a0h v1000 a1000", [900, 900, 0, 0, 1000, 1000]),
    ],
    ids=[
        "one recording", "two", "audio is stored later", "audio first", "no audio in the first",
        "no audio in the second of three", "a step of rounding or damage", "hidden by an edit list",
    ],
)  # fmt: skip
def test_each_recording_goes_on_where_the_video_before_ends(packets, expected):
    assert shifted(packets) == expected


def test_a_leap_ahead_is_another_recording_in_broadcast_formats_only():
    assert shifted("v0 a0 v90000 a90000 v90100") == [0, 0, 90000, 90000, 90100]
    assert shifted("v0 a0 v90000 a90000 v90100", broadcast=True) == [0, 0, 100, 100, 200]


def test_joined_recordings_are_noted():
    with pytest.warns(MediaWarning, match="several recordings"):
        shifted("v900 v0")
