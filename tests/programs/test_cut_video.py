"""Frames cut out of real files: the right ones, upright, whole or not at all, and every bad file named."""

import json
import os
import signal
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.reformatter import VideoReformatter
from PIL import Image

from data import cut_audio, cut_video
from data.media.frame_selection import choose_at_constant_rate
from data.media.video import upright_frame
from tests.fixtures.media import click, coded_picture, noise, read_code, remux, set_rotation, write_media
from tests.fixtures.permissions import obey_permissions

ROOT = Path(__file__).resolve().parents[2]


def run(data_dir: Path, *options: str) -> int:
    return cut_video.main(["--data_dir", str(data_dir), "--num_threads", "1", *options])


def cut_frames(data_dir: Path, name: str) -> dict[tuple[int, int], np.ndarray]:
    """(second, index) -> picture of all frames that were cut."""
    return {
        (int(path.parent.name.removeprefix("frame_")), int(path.stem)): np.array(Image.open(path))
        for path in sorted((data_dir / "video_frames" / name).rglob("*.jpg"))
    }


RATES = [24, 25, Fraction(30_000, 1001), 30, 50, Fraction(60_000, 1001), 60]


@pytest.mark.parametrize("rate", RATES, ids=str)
def test_every_second_has_its_four_frames_and_each_is_the_one_its_name_says(tmp_path, rate):
    count = round(3 * rate)
    write_media(tmp_path / "video/a.mp4", frames=count, rate=rate, sound=noise(3))
    assert run(tmp_path, "--short_side", "0") == 0
    frames = cut_frames(tmp_path, "a")
    assert [second for second, _ in frames] == [0] * 4 + [1] * 4 + [2] * 4
    assert list(frames) == choose_at_constant_rate(count, Fraction(rate), 4)
    assert [read_code(picture) for picture in frames.values()] == [index for _, index in frames]


@pytest.mark.parametrize(
    ("name", "codec", "rate"),
    [
        ("a.mkv", "libx264", Fraction(30_000, 1001)),  # whole milliseconds
        ("a.webm", "libvpx-vp9", 24),
        ("a.mov", "libx264", 25),
        ("a.ts", "libx264", 50),
        ("a.flv", "libx264", Fraction(30_000, 1001)),
        ("a.avi", "libx264", 30),  # B-frames without presentation time stamps
        ("a.avi", "mpeg4", 25),
        ("a.mpg", "mpeg2video", 25),
        ("a.MP4", "libx265", 30),
    ],
    ids=lambda value: str(value),
)
def test_other_containers_and_codecs(tmp_path, name, codec, rate):
    count = round(2 * rate)
    write_media(tmp_path / "video" / name, frames=count, rate=rate, video_codec=codec)
    assert run(tmp_path, "--short_side", "0") == 0
    frames = cut_frames(tmp_path, "a")
    assert list(frames) == choose_at_constant_rate(count, Fraction(rate), 4)
    assert [read_code(picture) for picture in frames.values()] == [index for _, index in frames]


def test_variable_frame_rate_gives_four_frames_a_second(tmp_path):
    steps = np.random.default_rng(0).uniform(0.02, 0.09, 80)
    times = np.concatenate([[0], np.cumsum(steps)])
    write_media(tmp_path / "video/a.mp4", frames=len(times), times=times)
    assert run(tmp_path, "--short_side", "0") == 0
    frames = cut_frames(tmp_path, "a")
    for second in range(int(times[-1])):
        expected = [int(np.searchsorted(times, second + j / 4 + 1e-3) - 1) for j in range(4)]
        assert [index for at, index in frames if at == second] == expected
    assert [read_code(picture) for picture in frames.values()] == [index for _, index in frames]


def test_a_picture_that_starts_late_counts_from_its_first_frame(tmp_path):
    write_media(tmp_path / "video/a.mkv", frames=50, video_start=0.5, sound=noise(3))
    assert run(tmp_path, "--short_side", "0") == 0
    assert [index for _, index in cut_frames(tmp_path, "a")] == [0, 6, 12, 18, 25, 31, 37, 43]


def test_frames_count_from_the_first_that_decodes_and_so_does_the_sound(tmp_path):
    """A recording that starts between two key frames: its first packets refer to what is not there."""
    source = write_media(tmp_path / "a.mkv", frames=100, sound=click(2.25, 4), audio_codec="flac", gop=25)
    key_frames = []
    remux(source, tmp_path / "video/a.mkv", lambda packet: not _is_first_key_frame(packet, key_frames))
    assert run(tmp_path, "--short_side", "0") == 0
    assert cut_audio.main(["--data_dir", str(tmp_path), "--num_threads", "1"]) == 0
    frames = cut_frames(tmp_path, "a")
    assert list(frames)[:5] == [(0, 0), (0, 6), (0, 12), (0, 18), (1, 25)]
    first = read_code(frames[0, 0])
    assert first > 0
    assert [read_code(picture) for picture in frames.values()] == [first + index for _, index in frames]
    sound = np.concatenate([np.load(tmp_path / f"audio_frames/a/00{second}.npy")[:-1] for second in (0, 1)])
    assert sound.mean(1).argmax() * 0.005 == pytest.approx(2.25 - first / 25, abs=0.011)


def _is_first_key_frame(packet: av.Packet, seen: list[int]) -> bool:
    if packet.stream.type == "video" and packet.is_keyframe:
        seen.append(packet.pts)
        return len(seen) == 1
    return False


@pytest.mark.parametrize("suffix", ["mkv", "mp4", "ts"])
def test_a_file_whose_time_stamps_start_late_is_no_broken_one(tmp_path, suffix):
    write_media(tmp_path / f"video/a.{suffix}", frames=50, video_start=5, sound=noise(2), sound_start=5)
    assert run(tmp_path, "--short_side", "0") == 0
    assert [index for _, index in cut_frames(tmp_path, "a")] == [0, 6, 12, 18, 25, 31, 37, 43]


def test_an_edit_list_that_hides_frames_is_obeyed(tmp_path):
    path = write_media(tmp_path / "video/a.mp4", frames=75)
    content = bytearray(path.read_bytes())
    entry = content.index(b"elst") + 4 + 4 + 4  # after version and count: duration, media time, rate
    begin = int.from_bytes(content[entry + 4 : entry + 8], "big")
    content[entry : entry + 4] = (2000).to_bytes(4, "big")  # ms
    content[entry + 4 : entry + 8] = (begin + 25 * 512).to_bytes(4, "big")  # a second later, at 12800 ticks a second
    path.write_bytes(content)
    assert run(tmp_path, "--short_side", "0") == 0
    frames = cut_frames(tmp_path, "a")
    assert list(frames)[:4] == [(0, 0), (0, 6), (0, 12), (0, 18)]
    assert [read_code(picture) for picture in frames.values()] == [25 + index for _, index in frames]


def test_the_cover_of_a_sound_file_is_no_video(tmp_path, capsys):
    path = tmp_path / "video/a.mp4"
    path.parent.mkdir()
    with av.open(str(path), "w") as container:
        sound = container.add_stream("aac", rate=16_000, layout="mono")
        cover = container.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 64, 64, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        picture = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), "rgb24")
        picture.pts = 0
        container.mux(cover.encode(picture) + cover.encode(None))
        frame = av.AudioFrame.from_ndarray(noise(2)[None], "fltp", layout="mono")
        frame.sample_rate = 16_000
        for piece in av.AudioResampler(format="fltp", frame_size=1024).resample(frame):
            container.mux(sound.encode(piece))
        container.mux(sound.encode(None))
    with av.open(str(path)) as container:
        assert len(container.streams.video) == 1  # the cover, as FFmpeg sees it
    assert run(tmp_path) == 1
    assert "a: it has no video stream" in capsys.readouterr().err


def test_time_stamps_that_leap_are_named(tmp_path, capsys):
    times = [*np.arange(50) / 25, *(2000 + np.arange(50) / 25)]
    write_media(tmp_path / "video/a.mp4", frames=100, times=times)
    assert run(tmp_path) == 1
    assert "time stamps leap by 1998 seconds" in capsys.readouterr().err


def test_an_empty_folder_of_a_video_is_not_taken_for_a_finished_one(tmp_path):
    write_media(tmp_path / "video/a.mp4", frames=25)
    (tmp_path / "video_frames/a").mkdir(parents=True)
    assert run(tmp_path) == 0
    assert len(cut_frames(tmp_path, "a")) == 4


@pytest.mark.parametrize("quarter_turns", [1, 2, -1])
def test_display_rotation_is_honoured(tmp_path, quarter_turns):
    def corner(_: int) -> np.ndarray:
        picture = np.zeros((64, 96, 3), np.uint8)
        picture[:32, :48, 0] = 255  # red, top left
        return picture

    set_rotation(write_media(tmp_path / "video/a.mp4", frames=25, picture=corner), quarter_turns)
    assert run(tmp_path, "--short_side", "64") == 0
    picture = cut_frames(tmp_path, "a")[0, 0]
    assert picture.shape == ((96, 64, 3) if quarter_turns % 2 else (64, 96, 3))
    corners = {1: (-8, 8), 2: (-8, -8), -1: (8, -8)}  # counter-clockwise; where the red corner comes to lie
    for red_row, red_column in corners.values():
        is_red = picture[red_row, red_column, 0] > 200
        assert is_red == ((red_row, red_column) == corners[quarter_turns])


PIXEL_FORMATS = (
    "yuv420p yuvj420p yuv422p yuv444p nv12 yuv420p10le yuv422p10le yuv444p12le p010le yuv411p yuv410p yuv440p yuyv422 "
    "yuva420p gbrp bgr24 rgba bgra gray gray16le ya8 monob rgb565le bgr8 rgb48le".split()
)

# Width, height, short side.
TO_ODD_WIDTH = [(80, 60, 64), (80, 60, 43), (45, 90, 31), (46, 60, 45), (61, 45, 50)]
TO_EVEN_WIDTH = [(160, 90, 64), (90, 160, 64), (91, 50, 35)]
AS_THEY_ARE = [(45, 64, 0), (64, 45, 0), (45, 64, 45)]


@pytest.mark.parametrize("pixel_format", PIXEL_FORMATS)
def test_pictures_are_those_that_ffmpeg_makes_as_packed_rgb(pixel_format):
    rng = np.random.default_rng(0)
    for width, height, short_side in TO_ODD_WIDTH + TO_EVEN_WIDTH + AS_THEY_ARE:
        noise_frame = av.VideoFrame.from_ndarray(rng.integers(0, 256, (height, width, 3), np.uint8), "rgb24")
        frame = noise_frame.reformat(format=pixel_format)
        picture = np.array(upright_frame(frame, short_side, VideoReformatter()))
        size = {"width": picture.shape[1], "height": picture.shape[0]}
        assert min(size.values()) == (short_side or min(width, height))
        packed = VideoReformatter().reformat(frame, format="rgb24", interpolation="BICUBIC", **size)
        assert np.array_equal(picture, packed.to_ndarray())


def test_short_side_scales_and_0_keeps_the_size(tmp_path):
    write_media(tmp_path / "video/a.mp4", frames=25)
    assert run(tmp_path, "--short_side", "32") == 0
    assert cut_frames(tmp_path, "a")[0, 0].shape == (32, 128, 3)
    assert run(tmp_path, "--short_side", "0", "--overwrite", "1") == 0
    assert cut_frames(tmp_path, "a")[0, 0].shape == (64, 256, 3)


def test_another_setting_does_not_mix_with_what_is_there(tmp_path, capsys):
    write_media(tmp_path / "video/a.mp4", frames=25)
    assert run(tmp_path) == 0
    assert run(tmp_path, "--fps", "2") == 1
    assert "--overwrite 1" in capsys.readouterr().err
    assert len(cut_frames(tmp_path, "a")) == 4
    assert run(tmp_path, "--fps", "2", "--overwrite", "1") == 0
    assert len(cut_frames(tmp_path, "a")) == 2
    assert json.loads((tmp_path / "video_frames/settings.json").read_text())["fps"] == 2


def test_a_finished_video_is_skipped_and_a_new_one_cut(tmp_path, capsys):
    write_media(tmp_path / "video/a.mp4", frames=25)
    assert run(tmp_path) == 0
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.jpg")}
    write_media(tmp_path / "video/b.mp4", frames=25)
    assert run(tmp_path) == 0
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert "1 cut, 1 there already, 0 failed" in capsys.readouterr().out
    assert cut_frames(tmp_path, "b")


def damaged_set(data_dir: Path) -> dict[str, str]:
    """A set of one good and many bad videos; returns NAME -> what its reason says."""
    video = data_dir / "video"
    write_media(video / "good.mp4", frames=50, sound=noise(2))
    (video / "empty.mp4").touch()
    (video / "text.mp4").write_text("no video, but a text\n" * 100)
    whole = (video / "good.mp4").read_bytes()
    (video / "half.mp4").write_bytes(whole[: len(whole) // 2])
    long = write_media(data_dir / "long.mp4", frames=100, sound=noise(4), options={"movflags": "faststart"})
    (video / "half_with_head.mp4").write_bytes(long.read_bytes()[: long.stat().st_size * 2 // 3])
    long = write_media(data_dir / "long.mkv", frames=100, sound=noise(4))
    (video / "half.mkv").write_bytes(long.read_bytes()[: long.stat().st_size // 2])
    os.rename(video / "half.mkv", video / "half_mkv.mkv")
    write_media(video / "only_sound.mp4", sound=noise(2))
    write_media(video / "short.mp4", frames=10, sound=noise(0.4))
    write_media(video / "twice.mp4", frames=25)
    write_media(video / "twice.mkv", frames=25)
    return {
        "empty": "0 bytes",
        "text": "FFmpeg cannot read it",
        "half": "FFmpeg cannot read it",
        "half_with_head": "cut short",
        "half_mkv": "cut short",
        "only_sound": "no video stream",
        "short": "less than one second",
        "twice": "twice.mkv, twice.mp4",
    }


def test_each_bad_file_is_named_with_its_reason_and_the_good_one_is_cut(tmp_path, capsys):
    reasons = damaged_set(tmp_path)
    assert run(tmp_path) == 1
    lines = capsys.readouterr().err.splitlines()
    for name, reason in reasons.items():
        assert any(line.strip().startswith(f"{name}: ") and reason in line for line in lines), (name, lines)
    assert sorted(path.name for path in (tmp_path / "video_frames").iterdir()) == ["good", "settings.json"]


def test_names_with_spaces_unicode_and_a_leading_dash(tmp_path):
    names = ["-_-TDDxoaAc_0_1000", "два слова ü", "a:b 100%", "v1.2"]
    for name in names:
        write_media(tmp_path / "video" / f"{name}.mp4", frames=25)
    assert run(tmp_path) == 0
    assert {path.name for path in (tmp_path / "video_frames").iterdir()} == {*names, "settings.json"}


def test_damaged_packets_in_the_middle_cost_no_more_than_they_hold(tmp_path, capsys):
    path = write_media(tmp_path / "video/a.mp4", frames=75, video_codec="mpeg4")
    content = bytearray(path.read_bytes())
    begin = content.index(b"mdat") + 4
    middle = begin + (len(content) - begin) // 3
    content[middle : middle + 400] = b"\0" * 400
    path.write_bytes(content)
    assert run(tmp_path) == 0
    assert {second for second, _ in cut_frames(tmp_path, "a")} == {0, 1, 2}


def test_no_videos_names_the_remedy(tmp_path, capsys):
    assert run(tmp_path) == 1
    assert "data/make_demo.py" in capsys.readouterr().err


def test_runs_from_any_folder_by_path(tmp_path):
    write_media(tmp_path / "video/a.mp4", frames=25)
    script = ROOT / "data/cut_video.py"
    done = subprocess.run([sys.executable, script, "--data_dir", "."], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert len(cut_frames(tmp_path, "a")) == 4


def test_a_read_only_folder_gives_a_sentence_and_no_traceback(tmp_path):
    write_media(tmp_path / "video/a.mp4", frames=25)
    tmp_path.chmod(0o555)
    try:
        done = subprocess.run(
            [sys.executable, ROOT / "data/cut_video.py", "--data_dir", tmp_path],
            capture_output=True,
            text=True,
            preexec_fn=obey_permissions,
        )
    finally:
        tmp_path.chmod(0o755)
    assert done.returncode == 1
    assert "cannot write into" in done.stderr and str(tmp_path) in done.stderr
    assert "Traceback" not in done.stderr


def test_settings_that_are_damaged_are_named(tmp_path, capsys):
    write_media(tmp_path / "video/a.mp4", frames=25)
    assert run(tmp_path) == 0
    for text in ("{", "[1]"):
        (tmp_path / "video_frames/settings.json").write_text(text)
        assert run(tmp_path) == 1
        assert "settings.json is damaged" in capsys.readouterr().err


@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM], ids=lambda sign: sign.name)
def test_a_run_stopped_midway_leaves_only_whole_videos_and_the_next_finishes(tmp_path, sign):
    big = np.random.default_rng(0).integers(0, 255, (480, 640, 3), np.uint8)
    for number in range(4):
        write_media(tmp_path / f"video/v{number}.mp4", frames=100, picture=lambda index: np.roll(big, index, 0))
    out = tmp_path / "video_frames"
    process = subprocess.Popen(
        [sys.executable, ROOT / "data/cut_video.py", "--data_dir", tmp_path, "--num_threads", "1"],
        stderr=subprocess.PIPE,
    )
    while not any(out.glob(".partial/*/*/*/*.jpg")):  # until one is half done
        assert process.poll() is None
        time.sleep(0.002)
    process.send_signal(sign)
    _, errors = process.communicate(timeout=30)
    assert process.returncode != 0
    if sign != signal.SIGKILL:
        assert "run it again" in errors.decode() and "Traceback" not in errors.decode()
    for folder in out.glob("v*"):
        assert len(list(folder.rglob("*.jpg"))) == 16
    assert len(list(out.glob("v*"))) < 4
    assert run(tmp_path) == 0
    assert {folder.name: len(list(folder.rglob("*.jpg"))) for folder in out.glob("v*")} == dict.fromkeys(
        ["v0", "v1", "v2", "v3"], 16
    )


def test_a_video_that_kills_its_worker_is_named_and_the_others_go_on(tmp_path):
    from data.preprocess.runner import CRASHED, map_videos, processes

    jobs = {name: (tmp_path / name,) for name in ("a", "die", "b")}
    outcomes = map_videos(_touch_or_die, jobs, processes(2), "test")
    assert [(outcome.name, outcome.failure) for outcome in outcomes] == [("a", None), ("die", CRASHED), ("b", None)]
    assert (tmp_path / "a").exists() and (tmp_path / "b").exists()


def _touch_or_die(path: Path) -> None:
    if path.name == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    path.touch()


def test_the_bar_code_of_these_tests_is_readable():
    assert [read_code(coded_picture(index)) for index in (0, 1, 1234, 4095)] == [0, 1, 1234, 4095]
