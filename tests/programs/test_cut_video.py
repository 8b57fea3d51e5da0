"""The programs of `data/`: a video is cut whole or not at all, settings do not mix, and every bad file is named."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from common.atomic import remove_folder
from data import cut_audio, cut_video
from tests.fixtures.media import big_videos, half_done, noise, write_media
from tests.fixtures.permissions import obey_permissions

SCRIPT = Path(__file__).resolve().parents[2] / "data/cut_video.py"

# NAME -> why it has no frames, why it has no spectrograms.
REASONS = {
    "good": (None, None),
    "mute": (None, "no audio stream"),
    "separate": (None, "separate.wav: FFmpeg cannot read it"),
    "only_audio": ("no video stream", None),
    "empty": ("0 bytes", "0 bytes"),
    "dangling": ("no such file", "no such file"),
    "text": ("FFmpeg cannot read it", "FFmpeg cannot read it"),
    "half": ("FFmpeg cannot read it", "FFmpeg cannot read it"),
    "half_with_head": ("cut short", "cut short"),
    "half_mkv": ("cut short", "cut short"),
    "short": ("less than one second", "no whole second"),
    "twice": ("twice.mkv, twice.mp4", "twice.mkv, twice.mp4"),
}


def run(data_dir: Path, *options: str) -> int:
    return cut_video.main(["--data_dir", str(data_dir), "--num_threads", "1", *options])


def count_frames(data_dir: Path) -> dict[str, int]:
    """NAME -> number of frames that were cut."""
    return {folder.name: len(list(folder.rglob("*.jpg"))) for folder in (data_dir / "video_frames").glob("[!.s]*")}


@pytest.fixture
def data_dir(tmp_path) -> Path:
    """A data set of one video of a second."""
    write_media(tmp_path / "video/a.mp4", frames=25)
    return tmp_path


@pytest.fixture(scope="module")
def damaged_set(tmp_path_factory) -> Path:
    """A data set of the videos in `REASONS`."""
    video = tmp_path_factory.mktemp("damaged") / "video"
    for name in ("good.mp4", "separate.mp4", "twice.mp4", "twice.mkv"):
        write_media(video / name, frames=50, sound=noise(2))
    write_media(video / "mute.mp4", frames=50)
    write_media(video / "only_audio.mp4", sound=noise(2))
    write_media(video / "short.mp4", frames=10, sound=noise(0.4))
    (video / "empty.mp4").touch()
    (video / "dangling.mp4").symlink_to("nowhere.mp4")
    (video / "small.LRV").touch()
    (video / "text.mp4").write_text("no video, but a text\n" * 100)
    (video / "../audio").mkdir()
    (video / "../audio/separate.wav").write_text("no audio")
    for name, options in (("half.mp4", {}), ("half_with_head.mp4", {"movflags": "faststart"}), ("half_mkv.mkv", {})):
        path = write_media(video / name, frames=100, sound=noise(4), options=options)
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return video.parent


@pytest.mark.parametrize(("program", "column"), [(cut_video, 0), (cut_audio, 1)], ids=["video", "audio"])
def test_each_bad_file_is_named_with_its_reason_and_the_good_ones_are_cut(damaged_set, capsys, program, column):
    assert program.main(["--data_dir", str(damaged_set), "--num_threads", "1"]) == 1
    out, err = capsys.readouterr()
    assert "endings are not known: 'small.LRV'\n" in out
    lines = err.splitlines()
    for name, reasons in REASONS.items():
        found = [line for line in lines if line.startswith(f"  {name}: ")]
        assert len(found) == (reasons[column] is not None) and all(reasons[column] in line for line in found), lines
    folders = (damaged_set / ("video_frames", "audio_frames")[column]).glob("*/")
    assert {folder.name for folder in folders if folder.is_dir()} == {
        name for name, reasons in REASONS.items() if reasons[column] is None
    }


def test_after_a_kill_while_old_frames_are_removed_they_are_not_under_the_new_settings(data_dir, monkeypatch, capsys):
    write_media(data_dir / "video/b.mp4", frames=25)
    assert run(data_dir) == 0

    def killed(path: Path) -> None:
        if path.name == "b":
            raise KeyboardInterrupt
        remove_folder(path)

    monkeypatch.setattr("data.preprocess.program.remove_folder", killed)
    assert run(data_dir, "--fps", "2", "--overwrite", "1") == 130
    assert count_frames(data_dir) == {"b": 4}
    assert run(data_dir, "--fps", "2") == 1
    assert "was cut with --fps 4, not --fps 2: give the same options, or --overwrite 1" in capsys.readouterr().err
    assert run(data_dir) == 0
    assert count_frames(data_dir) == {"a": 4, "b": 4}


def test_a_finished_video_is_skipped_and_new_ones_of_any_name_or_with_an_empty_folder_are_cut(data_dir, capsys):
    assert run(data_dir) == 0
    before = {path: path.stat().st_mtime_ns for path in data_dir.rglob("*.jpg")}
    names = ["b", "-_-TDDxoaAc_0_1000", "два слова ü", "a:b 100%", "v1.2", "concat:a|b", "%03d"]
    names += ["'\"`$(x)*?", "caf\udce9"]
    for name in names:
        write_media(data_dir / "video" / f"{name}.mp4", frames=25)
    (data_dir / "video_frames/b").mkdir()
    assert run(data_dir) == 0
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert f"{len(names)} cut, 1 there already, 0 failed" in capsys.readouterr().out
    assert count_frames(data_dir) == dict.fromkeys(["a", *names], 4)


def test_a_set_without_videos_names_the_remedy(tmp_path, capsys):
    assert run(tmp_path) == 1
    assert "data/make_demo.py" in capsys.readouterr().err


def test_a_read_only_folder_is_named_and_the_program_runs_by_path_from_any_folder(data_dir):
    def run_by_path() -> subprocess.CompletedProcess:
        command = [sys.executable, SCRIPT, "--data_dir", "."]
        return subprocess.run(command, cwd=data_dir, capture_output=True, text=True, preexec_fn=obey_permissions)

    data_dir.chmod(0o555)
    refused = run_by_path()
    data_dir.chmod(0o755)
    assert refused.returncode == 1
    assert refused.stderr == "cut_video: cannot read or write video_frames (Permission denied)\n"
    assert run_by_path().returncode == 0
    assert count_frames(data_dir) == {"a": 4}


@pytest.mark.slow
@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM], ids=lambda sign: sign.name)
def test_an_interrupted_run_leaves_only_whole_videos_and_the_next_run_finishes(tmp_path, sign):
    names = big_videos(tmp_path, 4)
    command = [sys.executable, SCRIPT, "--data_dir", tmp_path, "--num_threads", "1"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    while not half_done(tmp_path / "video_frames"):
        assert process.poll() is None
        time.sleep(0.002)
    process.send_signal(sign)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == (-sign if sign == signal.SIGKILL else 130)
    assert sign == signal.SIGKILL or ("run it again" in errors and "Traceback" not in errors)
    finished = count_frames(tmp_path)
    assert len(finished) < 4 and set(finished.values()) <= {16}
    assert run(tmp_path) == 0
    assert count_frames(tmp_path) == dict.fromkeys(names, 16)
