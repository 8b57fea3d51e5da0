"""Two programs on the same files: the second says who is at work, or both end as if they were alone."""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import location_dmc
from data import cut_video, make_demo
from tests.fixtures.media import big_videos, half_done
from tests.fixtures.training_run import run, same_weights, small_arguments, weights_of

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("small")]
ROOT = Path(__file__).resolve().parents[2]
SMALL_TRAINING = (
    "import sys, location_dmc\n"
    "from tests.fixtures.small_network import small_backbones\n"
    "with small_backbones(): sys.exit(location_dmc.main(sys.argv[1:]))"
)


def start(*words: str | Path, until: Callable[[], object]) -> subprocess.Popen:
    """Start a program and wait for what it does."""
    process = subprocess.Popen([sys.executable, *words], cwd=ROOT, stderr=subprocess.PIPE, text=True)
    while not until():
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.002)
    return process


def test_a_second_cut_says_who_is_at_work_and_changes_nothing(tmp_path, capsys):
    big_videos(tmp_path, 3)
    options = ["--data_dir", str(tmp_path), "--num_threads", "1"]
    frames = tmp_path / "video_frames"
    first = start("data/cut_video.py", *options, until=lambda: half_done(frames))
    for more in ([], ["--fps", "2", "--overwrite", "1"]):
        assert cut_video.main([*options, *more]) == 1
        assert f"{frames} is in use by process {first.pid} on " in capsys.readouterr().err
    assert first.wait(60) == 0
    assert len(list(frames.glob("v*/*/*.jpg"))) == 3 * 16 and '"fps": 4' in (frames / "settings.json").read_text()


def test_a_second_demo_set_says_who_is_at_work(tmp_path, capsys):
    options = ["--data_dir", str(tmp_path), "--num_threads", "1", "--videos", "4"]
    first = start("data/make_demo.py", *options, until=lambda: list(tmp_path.glob("video/.*")))
    assert make_demo.main([*options, "--seed", "11"]) == 1
    assert f"{tmp_path} is in use by process {first.pid} on " in capsys.readouterr().err
    first.terminate()
    assert first.wait(60) == 130


def test_a_second_training_says_who_is_at_work_and_the_first_ends_as_alone(training_set, tmp_path, capsys):
    out = tmp_path / "run"
    arguments = small_arguments(training_set, out, "--epoch", "12")
    first = start("-c", SMALL_TRAINING, *arguments, until=(out / "log.csv").exists)
    for more in (["--resume", "1"], ["--overwrite", "1"], []):
        assert location_dmc.main([*arguments, *more]) == 1
        assert f"{out} is in use by process {first.pid} on " in capsys.readouterr().err
    assert first.wait(60) == 0
    assert run(training_set, tmp_path / "alone", "--epoch", "12") == 0
    assert same_weights(weights_of(out), weights_of(tmp_path / "alone"))


def test_a_video_that_is_deleted_while_it_is_cut_is_cut_whole_or_named(tmp_path):
    names = big_videos(tmp_path, 3)
    options = ["--data_dir", str(tmp_path), "--num_threads", "1"]
    frames = tmp_path / "video_frames"
    first = start("data/cut_video.py", *options, until=lambda: half_done(frames))
    for name in names[:2]:
        (tmp_path / "video" / f"{name}.mp4").unlink()
    first.wait(60)
    cut = {folder.name for folder in frames.glob("v*")}
    assert all(len(list((frames / name).rglob("*.jpg"))) == 16 for name in cut)
    errors = first.stderr.read().splitlines()
    named = {line.split(":")[0].strip() for line in errors if "no such file" in line}
    assert cut | named == {*names}
