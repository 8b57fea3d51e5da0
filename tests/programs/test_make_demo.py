"""make_demo.py: real videos that depend on the settings only, made again where they are missing."""

import dataclasses
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import av
import numpy as np
import pytest

from data import make_demo
from data.demo.folder import video_path
from data.demo.plan import CATEGORY_IDS, plan_videos
from data.demo.scene import HEIGHT, WIDTH, build_scene, render_frame
from data.demo.synthesizer import render_audio, render_stems
from tests.fixtures.demo_sets import CROWDS, SECONDS, SOLOS, decode_audio, decode_frames, read_json

PROGRAM = Path(make_demo.__file__).resolve()


def make(data_dir, settings, **more):
    values = {"data_dir": data_dir, "num_threads": 2, **dataclasses.asdict(settings), **more}
    return make_demo.main([f"--{name}={value}" for name, value in values.items()])


@pytest.fixture(scope="module")
def solos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("solos")
    assert make(folder, SOLOS) == 0
    return folder


@pytest.mark.parametrize("plan", plan_videos(SOLOS), ids=lambda plan: f"video{plan.index}")
def test_a_video_has_the_planned_formats_and_the_rendered_frames_and_audio(solos, plan):
    with av.open(str(video_path(solos, plan.name))) as container:
        video, audio = container.streams.video[0], container.streams.audio[0]
        assert (video.codec_context.name, video.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert (audio.codec_context.name, audio.rate, audio.channels) == ("aac", plan.sample_rate, plan.channels)
        assert video.average_rate == plan.frame_rate
        times = [frame.pts * frame.time_base for frame in container.decode(video=0)]
    assert times == [index / plan.frame_rate for index in range(round(SECONDS * plan.frame_rate))]
    frame, boxes = render_frame(build_scene(SOLOS, plan), plan.frames - 1)
    assert np.abs(decode_frames(video_path(solos, plan.name))[-1].astype(int) - frame).mean() < 6
    boxes_by_key = read_json(solos / "boxes.json")
    (key,) = (key for key in boxes_by_key if key.startswith(plan.name) and f"/{plan.frames - 1:05d}." in key)
    left, top, width, height = boxes_by_key[key]["bbox"][0]["normbox"]
    corners = (left * WIDTH, top * HEIGHT, (left + width) * WIDTH, (top + height) * HEIGHT)
    assert corners == pytest.approx(boxes[0], abs=0.01)
    rendered, decoded = render_audio(SOLOS, plan), decode_audio(video_path(solos, plan.name))
    assert np.abs(decoded).max() < 1
    assert 0 <= decoded.shape[1] - SECONDS * plan.sample_rate < 1024
    assert np.corrcoef(decoded.mean(0)[: rendered.shape[1]], rendered.mean(0))[0, 1] > 0.95


def test_videos_do_not_depend_on_the_number_of_workers_or_videos(solos, tmp_path):
    fewer = dataclasses.replace(SOLOS, videos=5)
    assert make(tmp_path, fewer, num_threads=1) == 0
    for plan in plan_videos(fewer):
        assert video_path(tmp_path, plan.name).read_bytes() == video_path(solos, plan.name).read_bytes()
    assert read_json(tmp_path / "boxes.json").items() <= read_json(solos / "boxes.json").items()


def test_a_set_with_stems_has_the_videos_of_one_without_and_a_track_of_each_instrument(tmp_path):
    settings = dataclasses.replace(CROWDS, videos=1)
    for folder, stems in (("with", 1), ("without", 0)):
        assert make(tmp_path / folder, dataclasses.replace(settings, stems=stems)) == 0
    (plan,) = plan_videos(settings)
    one, other = (video_path(tmp_path / folder, plan.name).read_bytes() for folder in ("with", "without"))
    assert one == other and not (tmp_path / "without/stems").exists()
    files = [tmp_path / f"with/stems/{plan.name}/{CATEGORY_IDS[name]}.wav" for name in plan.instruments]
    assert sorted((tmp_path / "with/stems" / plan.name).iterdir()) == sorted(files)
    for file, stem in zip(files, render_stems(settings, plan), strict=True):
        np.testing.assert_allclose(decode_audio(file).reshape(-1, plan.channels).T / 32768, stem, atol=1e-3)


def test_a_second_run_makes_the_missing_files_only(solos, tmp_path, capsys):
    folder = shutil.copytree(solos, tmp_path / "set")
    paths = [path for path in folder.rglob("*") if path.is_file()]
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in paths}
    missing = [video_path(folder, plan_videos(SOLOS)[3].name), *folder.glob("*.json")]
    for path in missing:
        path.unlink()
    assert make(folder, SOLOS) == 0
    assert "7 of them existed already" in capsys.readouterr().out
    for path, (content, modified) in before.items():
        assert path.read_bytes() == content
        assert (path.stat().st_mtime_ns == modified) == (path not in missing)


def test_other_data_and_a_folder_that_cannot_be_written_give_one_sentence(solos, tmp_path, capsys):
    (tmp_path / "file").touch()
    for folder, settings in ((solos, dataclasses.replace(SOLOS, seed=11)), (tmp_path / "file" / "set", SOLOS)):
        assert make(folder, settings) == 1
        message = capsys.readouterr().err
        assert message.startswith("make_demo.py: ") and message.count("\n") == 1 and str(folder) in message


@pytest.mark.slow
def test_it_runs_by_path_from_any_folder_with_the_start_method_of_macos(tmp_path):
    (tmp_path / "sitecustomize.py").write_text("import multiprocessing\nmultiprocessing.set_start_method('spawn')\n")
    command = [sys.executable, PROGRAM, "--data_dir=my set", "--videos=2", "--seconds=1"]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].endswith("python3 data/prepare.py --data_dir 'my set'")
    assert len(list((tmp_path / "my set" / "video").iterdir())) == 2


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="Windows has neither process groups nor SIGINT")
def test_ctrl_c_leaves_whole_videos_only_and_no_traceback(tmp_path):
    command = [sys.executable, PROGRAM, "--data_dir", tmp_path, "--videos=200"]
    program = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
    try:
        deadline = time.monotonic() + 60
        while not list(tmp_path.glob("video/*.mp4")) and time.monotonic() < deadline:
            time.sleep(0.05)
        os.killpg(program.pid, signal.SIGINT)  # like the terminal: to all processes
        _, errors = program.communicate(timeout=60)
    finally:
        program.kill()
    assert program.returncode == 130 and "Traceback" not in errors
    assert not (tmp_path / "boxes.json").exists()
    videos = list((tmp_path / "video").iterdir())  # unfinished hidden files would fail below
    assert 1 <= len(videos) < 100
    assert all(len(decode_frames(path)) >= 144 for path in videos)
