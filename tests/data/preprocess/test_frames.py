"""Frames cut out of real files: the selected ones, each with the index that its file name states."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from common.errors import MediaError, MediaWarning
from data.media.audio import audio_of_video
from data.media.frame_selection import select_at_constant_rate
from data.preprocess.frames import cut_video
from tests.fixtures.media import click, noise, read_code, remux, write_media

NTSC = Fraction(30_000, 1001)


def cut(path: Path, short_side: int = 0) -> dict[tuple[int, int], np.ndarray]:
    """(second, index) -> frame, for all frames that are cut from a video."""
    folder = path.parent / "cut"
    cut_video([path], folder, fps=4, short_side=short_side, threads=1)
    return {
        (int(file.parent.name.removeprefix("frame_")), int(file.stem)): np.array(Image.open(file))
        for file in sorted(folder.rglob("*.jpg"))
    }


def check_indices(frames: dict[tuple[int, int], np.ndarray], offset: int = 0) -> None:
    assert [read_code(frame) for frame in frames.values()] == [index + offset for _, index in frames]


@pytest.mark.filterwarnings("ignore:its time stamps do not ascend")  # avi
@pytest.mark.parametrize(
    ("name", "codec", "rate"),
    [
        ("a.mp4", "libx264", 2 * NTSC),
        ("a.mkv", "libx264", NTSC),  # whole milliseconds
        ("a.webm", "libvpx-vp9", 24),
        ("a.mov", "libx264", 25),
        ("a.ts", "libx264", 50),
        ("a.flv", "libx264", NTSC),
        ("a.avi", "libx264", 30),  # B-frames without presentation time stamps
        ("a.avi", "mpeg4", 25),
        ("a.mpg", "mpeg2video", 25),
        ("a.MP4", "libx265", 30),
    ],
    ids=str,
)
def test_every_second_has_its_four_frames_in_every_container_codec_and_rate(tmp_path, name, codec, rate):
    count = round(2 * rate)
    sound = noise(2) if name == "a.mp4" else None
    frames = cut(write_media(tmp_path / name, frames=count, rate=rate, video_codec=codec, sound=sound))
    assert [second for second, _ in frames] == [0] * 4 + [1] * 4
    assert list(frames) == select_at_constant_rate(count, Fraction(rate), 4)
    check_indices(frames)


@pytest.mark.parametrize(
    ("name", "video_start", "sound_start"),
    [("a.mkv", 0.5, 0), ("a.mkv", 5, 5), ("a.mp4", 5, 5), ("a.ts", 5, 5)],
    ids=["video after audio", "both late in mkv", "both late in mp4", "both late in ts"],
)
def test_a_video_that_starts_late_counts_from_its_first_frame(tmp_path, name, video_start, sound_start):
    path = write_media(tmp_path / name, frames=50, video_start=video_start, sound=noise(2.5), sound_start=sound_start)
    assert [index for _, index in cut(path)] == [0, 6, 12, 18, 25, 31, 37, 43]


def test_frames_count_from_the_first_that_decodes_and_so_does_the_audio(tmp_path):
    """The first packets of a recording that starts between two key frames refer to frames that are missing."""
    source = write_media(
        tmp_path / "whole.mkv", frames=100, sound=click(2.25, 4), audio_codec="flac", encoder={"gop_size": 25}
    )
    path = tmp_path / "a.mkv"
    remux(source, path, lambda packet: packet.stream.type == "audio" or packet.pts > 0)
    frames = cut(path)
    assert list(frames)[:5] == [(0, 0), (0, 6), (0, 12), (0, 18), (1, 25)]
    first = read_code(frames[0, 0])
    assert first > 0
    check_indices(frames, offset=first)
    audio = audio_of_video(path)
    assert audio.start + audio.samples.argmax() / audio.rate == pytest.approx(2.25 - first / 25, abs=0.005)


def test_frames_hidden_by_an_edit_list_are_not_counted(tmp_path):
    path = write_media(tmp_path / "a.mp4", frames=75)
    content = bytearray(path.read_bytes())
    entry = content.index(b"elst") + 4 + 4 + 4  # after version and count: duration, media time, rate
    begin = int.from_bytes(content[entry + 4 : entry + 8], "big")
    content[entry : entry + 4] = (2000).to_bytes(4, "big")  # ms
    content[entry + 4 : entry + 8] = (begin + 25 * 512).to_bytes(4, "big")  # a second later, at 12800 ticks a second
    path.write_bytes(content)
    frames = cut(path)
    assert list(frames)[:4] == [(0, 0), (0, 6), (0, 12), (0, 18)]
    check_indices(frames, offset=25)


def test_the_cover_of_an_audio_file_is_no_video(tmp_path):
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as container:
        cover = container.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 64, 64, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        frame = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), "rgb24")
        frame.pts = 0
        container.mux(cover.encode(frame) + cover.encode(None))
    with pytest.raises(MediaError, match="no video stream"):
        cut(path)


def test_time_stamps_that_leap_are_an_error(tmp_path):
    times = [*np.arange(50) / 25, *(2000 + np.arange(50) / 25)]
    with pytest.raises(MediaError, match="time stamps leap by 1998 seconds"):
        cut(write_media(tmp_path / "a.mp4", frames=100, times=times))


def test_damaged_packets_cost_only_their_own_frames(tmp_path):
    path = write_media(tmp_path / "a.mp4", frames=75, video_codec="mpeg4")
    content = bytearray(path.read_bytes())
    begin = content.index(b"mdat") + 4
    middle = begin + (len(content) - begin) // 3
    content[middle : middle + 400] = b"\0" * 400
    path.write_bytes(content)
    with pytest.warns(MediaWarning, match="damaged packets of its video were skipped"):
        frames = cut(path)
    assert {second for second, _ in frames} == {0, 1, 2}
