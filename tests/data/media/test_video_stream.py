"""Frames have strictly ascending time stamps, whatever the file states."""

from fractions import Fraction
from types import SimpleNamespace

import pytest

from common.errors import MediaError, MediaWarning
from data.media import video_stream as module
from data.media.video_stream import stream_frames


def frames_of(monkeypatch: pytest.MonkeyPatch, stamps: list[int | None]) -> list[module.StreamFrame]:
    """The frames of a stream of 25 frames a second whose time stamps are these, in milliseconds."""
    frames = [SimpleNamespace(pts=stamp) for stamp in stamps]
    monkeypatch.setattr(module, "decoded_frames", lambda container, stream: iter(frames))
    stream = SimpleNamespace(average_rate=Fraction(25), guessed_rate=None, time_base=Fraction(1, 1000))
    return list(stream_frames(None, stream))


@pytest.mark.parametrize(
    ("stamps", "expected"),
    [
        ([None, None, None], [0, 40, 80]),
        ([100, None, 180], [100, 140, 180]),
        ([100, 100, 140, 180], [100, 140, 180, 220]),
        ([1000, 1040, 0, 40, 80], [1000, 1040, 1080, 1120, 1160]),
    ],
    ids=["none", "one missing", "one twice", "two recordings in one file"],
)
def test_frames_without_an_ascending_time_stamp_follow_at_the_frame_rate(monkeypatch, stamps, expected):
    with pytest.warns(MediaWarning, match="no time stamp of their own"):
        assert [one.pts for one in frames_of(monkeypatch, stamps)] == expected


def test_other_time_stamps_are_kept_and_a_video_without_decodable_frames_is_an_error(monkeypatch, recwarn):
    found = frames_of(monkeypatch, [400, 433, 500, 1500])
    assert [(one.index, one.pts) for one in found] == [(0, 400), (1, 433), (2, 500), (3, 1500)]
    assert [one.time for one in found] == pytest.approx([0, 0.033, 0.1, 1.1]) and not recwarn.list
    with pytest.raises(MediaError, match="none of its frames"):
        frames_of(monkeypatch, [])
