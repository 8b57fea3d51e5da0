"""`data/cut_video.py`: a video is cut whole or not at all, settings do not mix, and every bad file is named."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from data import cut_video
from tests.fixtures.media import noise, write_media
from tests.fixtures.permissions import obey_permissions

ROOT = Path(__file__).resolve().parents[2]


def run(data_dir: Path, *options: str) -> int:
    return cut_video.main(["--data_dir", str(data_dir), "--num_threads", "1", *options])


def count_frames(data_dir: Path) -> dict[str, int]:
    """NAME -> number of frames that were cut."""
    return {folder.name: len(list(folder.rglob("*.jpg"))) for folder in (data_dir / "video_frames").glob("[!.s]*")}


def test_another_setting_does_not_mix_with_finished_videos(tmp_path, capsys):
    write_media(tmp_path / "video/a.mp4", frames=25)
    assert run(tmp_path) == 0
    assert run(tmp_path, "--fps", "2") == 1
    assert "--overwrite 1" in capsys.readouterr().err
    assert count_frames(tmp_path) == {"a": 4}
    assert run(tmp_path, "--fps", "2", "--overwrite", "1") == 0
    assert count_frames(tmp_path) == {"a": 2}
    assert json.loads((tmp_path / "video_frames/settings.json").read_text()) == {"fps": 2, "short_side": 256}


def test_a_finished_video_is_skipped_and_a_new_one_or_an_empty_folder_is_cut(tmp_path, capsys):
    write_media(tmp_path / "video/a.mp4", frames=25)
    assert run(tmp_path) == 0
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.jpg")}
    for name in ("b", "c"):
        write_media(tmp_path / f"video/{name}.mp4", frames=25)
    (tmp_path / "video_frames/c").mkdir()
    assert run(tmp_path) == 0
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert "2 cut, 1 there already, 0 failed" in capsys.readouterr().out
    assert count_frames(tmp_path) == {"a": 4, "b": 4, "c": 4}


def damaged_set(data_dir: Path) -> dict[str, str]:
    """Make a set of one good and many bad videos; return NAME -> part of the expected reason."""
    video = data_dir / "video"
    good = write_media(video / "good.mp4", frames=50, sound=noise(2))
    (video / "empty.mp4").touch()
    (video / "text.mp4").write_text("no video, but a text\n" * 100)
    (video / "half.mp4").write_bytes(good.read_bytes()[: good.stat().st_size // 2])
    long = write_media(data_dir / "long.mp4", frames=100, sound=noise(4), options={"movflags": "faststart"})
    (video / "half_with_head.mp4").write_bytes(long.read_bytes()[: long.stat().st_size * 2 // 3])
    long = write_media(data_dir / "long.mkv", frames=100, sound=noise(4))
    (video / "half_mkv.mkv").write_bytes(long.read_bytes()[: long.stat().st_size // 2])
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


def test_names_may_have_spaces_unicode_and_a_leading_dash(tmp_path):
    names = ["-_-TDDxoaAc_0_1000", "два слова ü", "a:b 100%", "v1.2"]
    for name in names:
        write_media(tmp_path / "video" / f"{name}.mp4", frames=25)
    assert run(tmp_path) == 0
    assert count_frames(tmp_path) == dict.fromkeys(names, 4)


def test_a_set_without_videos_names_the_remedy(tmp_path, capsys):
    assert run(tmp_path) == 1
    assert "data/make_demo.py" in capsys.readouterr().err


def test_damaged_settings_are_named(tmp_path, capsys):
    write_media(tmp_path / "video/a.mp4", frames=25)
    assert run(tmp_path) == 0
    for text in ("{", "[1]"):
        (tmp_path / "video_frames/settings.json").write_text(text)
        assert run(tmp_path) == 1
        assert "settings.json is damaged" in capsys.readouterr().err


def test_the_program_runs_from_any_folder_by_path(tmp_path):
    write_media(tmp_path / "video/a.mp4", frames=25)
    script = ROOT / "data/cut_video.py"
    done = subprocess.run([sys.executable, script, "--data_dir", "."], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert count_frames(tmp_path) == {"a": 4}


def test_a_read_only_folder_is_named_without_a_traceback(tmp_path):
    write_media(tmp_path / "video/a.mp4", frames=25)
    tmp_path.chmod(0o555)
    command = [sys.executable, ROOT / "data/cut_video.py", "--data_dir", tmp_path]
    try:
        done = subprocess.run(command, capture_output=True, text=True, preexec_fn=obey_permissions)
    finally:
        tmp_path.chmod(0o755)
    assert done.returncode == 1
    assert f"cannot write into {tmp_path}" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM], ids=lambda sign: sign.name)
def test_an_interrupted_run_leaves_only_whole_videos_and_the_next_run_finishes(tmp_path, sign):
    big = np.random.default_rng(0).integers(0, 255, (480, 640, 3), np.uint8)
    for number in range(4):
        write_media(tmp_path / f"video/v{number}.mp4", frames=100, picture=lambda index: np.roll(big, index, 0))
    process = subprocess.Popen(
        [sys.executable, ROOT / "data/cut_video.py", "--data_dir", tmp_path, "--num_threads", "1"],
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    while not any((tmp_path / "video_frames").glob(".*.partial/*/*.jpg")):  # until one is half done
        assert process.poll() is None
        time.sleep(0.002)
    process.send_signal(sign)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == (-sign if sign == signal.SIGKILL else 130)
    assert sign == signal.SIGKILL or ("run it again" in errors and "Traceback" not in errors)
    finished = count_frames(tmp_path)
    assert len(finished) < 4 and set(finished.values()) <= {16}
    assert run(tmp_path) == 0
    assert count_frames(tmp_path) == dict.fromkeys(["v0", "v1", "v2", "v3"], 16)
