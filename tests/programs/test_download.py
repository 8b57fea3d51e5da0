"""`data/download.py` against a server on this machine: what comes, what does not and why, and how it goes on."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from yt_dlp.utils import DownloadError

from data import download
from data.lists import read_list
from data.media.container import packet_pts
from data.sets.fetch import classify
from tests.fixtures.media import noise, write_media
from tests.fixtures.video_server import VideoServer, video_server

SCRIPT = Path(__file__).resolve().parents[2] / "data/download.py"


@pytest.fixture(scope="module")
def video(tmp_path_factory) -> bytes:
    path = tmp_path_factory.mktemp("video") / "a.mp4"
    return write_media(path, frames=75, sound=noise(3), options={"movflags": "faststart"}).read_bytes()


@pytest.fixture
def server() -> Iterator[VideoServer]:
    with video_server() as server:
        yield server


def arguments(server: VideoServer, data_dir: Path, *options: str) -> list[str]:
    return ["--data_dir", str(data_dir), "--url", server.url, "--sleep", "0", *options]


def music(folder: Path, videos: dict[str, list[str]], name: str = "music.json") -> tuple[str, str]:
    (folder / name).write_text(json.dumps({"videos": videos}))
    return "--music", str(folder / name)


def statuses(data_dir: Path) -> dict[str, str]:
    with (data_dir / "download.csv").open(newline="") as file:
        return {row["name"]: row["status"] for row in csv.DictReader(file)}


def videos(data_dir: Path) -> set[str]:
    return {path.name for path in (data_dir / "video").glob("*.*") if path.is_file()}


def test_each_video_gets_its_status_and_what_comes_is_a_set(tmp_path, server, video, capsys):
    server.files = {"-good": video, "cut": video, "dead": video, "short": video[: len(video) // 2]}
    server.files |= {"junk": b"no video" * 999, "page": b"<html>"}
    server.types["page"] = "text/html"
    server.cuts = {"cut": 2, "dead": 99}
    server.statuses = {"hidden": 401, "forbidden": 403, "busy": 503}
    expected = {
        "-good": "done", "cut": "done", "dead": "failed", "short": "failed", "junk": "failed", "page": "failed",
        "none": "gone", "hidden": "private", "forbidden": "blocked", "busy": "failed",
    }  # fmt: skip
    options = music(tmp_path, {"flute": list(expected)[:4], "flute violin": list(expected)[4:]})
    assert download.main(arguments(server, tmp_path, *options)) == 1
    assert statuses(tmp_path) == expected
    assert videos(tmp_path) == {"-good.mp4", "cut.mp4"}
    assert (tmp_path / "video/cut.mp4").read_bytes() == video
    assert ("cut", 0) in server.asked and any(name == "cut" and first > 0 for name, first in server.asked)
    labels = json.loads((tmp_path / "labels.json").read_text())["videos"]
    assert {label: len(names) for label, names in labels.items()} == {"flute": 4, "flute violin": 6}
    out, err = capsys.readouterr()
    assert "  flute: 2 of 4\n  flute violin: 0 of 6\n" in out
    assert "2 done, 1 gone, 1 private, 1 blocked, 5 failed" in out
    assert f"Next: python3 data/prepare.py --data_dir {tmp_path}" in out
    assert "  junk: FFmpeg cannot read it" in err and "  busy: " in err and "HTTP Error 503" in err


def test_a_second_run_asks_for_what_is_missing_only(tmp_path, server, video, capsys):
    server.files["a"] = video
    server.statuses = {"forbidden": 403}
    (tmp_path / "ids.txt").write_text("a\nnone\nforbidden\n")
    options = ("--ids", str(tmp_path / "ids.txt"))
    assert download.main(arguments(server, tmp_path, *options)) == 0  # nothing unexpected
    server.asked.clear()
    assert download.main(arguments(server, tmp_path, *options)) == 0
    assert {name for name, _ in server.asked} == {"forbidden"}
    server.files["none"] = video
    assert download.main(arguments(server, tmp_path, *options, "--retry")) == 0
    assert statuses(tmp_path) == {"a": "done", "none": "done", "forbidden": "blocked"}
    assert not (tmp_path / "labels.json").exists() and not (tmp_path / "train.txt").exists()


def test_nothing_at_all_is_a_failure(tmp_path, server, capsys):
    (tmp_path / "ids.txt").write_text("none\n")
    assert download.main(arguments(server, tmp_path, "--ids", str(tmp_path / "ids.txt"))) == 1
    assert "no video came" in capsys.readouterr().err


def test_classes_and_a_limit_select_in_turn_and_lists_add_up(tmp_path, server, video, capsys):
    solos = music(tmp_path, {"flute": ["f1", "f2", "f3"], "drum": ["d1"], "bell": ["b1"]})
    duets = music(tmp_path, {"flute violin": ["fv"]}, "duets.json")[1]
    server.files = dict.fromkeys(["f1", "f2", "f3", "d1", "b1", "fv"], video)
    assert download.main(arguments(server, tmp_path, *solos, duets, "--classes", "flute,drum", "--limit", "4")) == 0
    assert videos(tmp_path) == {"f1.mp4", "d1.mp4", "fv.mp4", "f2.mp4"}
    assert download.main(arguments(server, tmp_path, *solos, "--classes", "bell")) == 0
    labels = json.loads((tmp_path / "labels.json").read_text())["videos"]
    assert set(labels) == {"flute", "flute violin", "drum", "bell"}
    assert download.main(arguments(server, tmp_path, *solos, "--classes", "horn")) == 1
    assert "no video of the class 'horn'; there are bell, drum, flute" in capsys.readouterr().err


def test_clips_of_vggsound_are_the_ten_seconds_of_the_list_and_keep_its_split(tmp_path, server):
    path = write_media(tmp_path / "long.mp4", frames=25 * 24, sound=noise(24), options={"movflags": "faststart"})
    server.files = {f"v{number}": path.read_bytes() for number in range(5)}
    rows = [f'v{number},{3 * number},"male speech, man speaking",train' for number in range(4)]
    (tmp_path / "vggsound.csv").write_text("\n".join([*rows, "v4,0,playing flute,test", "none,30,playing flute,test"]))
    options = ("--vggsound", str(tmp_path / "vggsound.csv"))
    assert download.main(arguments(server, tmp_path, *options)) == 0
    names = [f"v{number}_{3 * number:06d}" for number in range(4)]
    assert videos(tmp_path) == {f"{name}.mp4" for name in (*names, "v4_000000")}
    assert [len(packet_pts(tmp_path / f"video/{name}.mp4")) for name in names] == [250] * 4
    lists = {name: read_list(tmp_path / f"{name}.txt") for name in ("train", "val", "test")}
    assert lists["test"] == ["v4_000000"] and sorted(lists["train"] + lists["val"]) == names and lists["val"]
    labels = json.loads((tmp_path / "labels.json").read_text())["videos"]
    assert labels["male_speech_man_speaking"] == names
    assert not list((tmp_path / "video/.incomplete").iterdir())


@pytest.mark.slow
@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM], ids=lambda sign: sign.name)
def test_an_interrupted_run_goes_on_where_it_was(tmp_path, server, video, sign):
    server.files = dict.fromkeys(["a", "b", "slow"], video)
    server.delays["slow"] = 0.3
    (tmp_path / "ids.txt").write_text("a\nb\nslow\n")
    options = arguments(server, tmp_path, "--ids", str(tmp_path / "ids.txt"))
    process = subprocess.Popen([sys.executable, SCRIPT, *options], stderr=subprocess.PIPE, text=True)
    part = tmp_path / "video/.incomplete/slow.mp4.part"
    deadline = time.monotonic() + 60
    while not (part.exists() and part.stat().st_size > 5000 and len(videos(tmp_path)) == 2):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(sign)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == (-sign if sign == signal.SIGKILL else 130)
    assert sign == signal.SIGKILL or ("run it again" in errors and "Traceback" not in errors)
    assert videos(tmp_path) == {"a.mp4", "b.mp4"}
    server.asked.clear()
    server.delays.clear()
    assert download.main(options) == 0
    assert (tmp_path / "video/slow.mp4").read_bytes() == video
    assert {name for name, _ in server.asked} == {"slow"} and server.asked[-1][1] > 0
    assert set(statuses(tmp_path).values()) == {"done"}


@pytest.mark.parametrize(
    ("message", "status"),
    [
        ("[youtube] abc: Private video. Sign in if you've been granted access to this video", "private"),
        ("[youtube] abc: Video unavailable", "gone"),
        ("[youtube] abc: Video unavailable. This video is no longer available because the YouTube account associated "
         "with this video has been terminated.", "gone"),
        ("[youtube] abc: This video has been removed by the uploader", "gone"),
        ("[youtube] abc: This video is not available", "gone"),
        ("[youtube] abc: Video unavailable. The uploader has not made this video available in your country", "blocked"),
        ("[youtube] abc: Video unavailable. It contains content from X, who has blocked it", "blocked"),
        ("[youtube] abc: Sign in to confirm you're not a bot. Use --cookies", "blocked"),
        ("[youtube] abc: Sign in to confirm your age. This video may be inappropriate for some users.", "blocked"),
        ("[youtube] abc: Unable to download API page: HTTP Error 429: Too Many Requests (caused by x)", "blocked"),
        ("[youtube] abc: Premieres in 3 hours", "failed"),
        ("[generic] abc: Unable to download webpage: HTTP Error 503: Service Unavailable", "failed"),
    ],
)  # fmt: skip
def test_a_message_of_a_site_tells_the_status_and_is_kept_without_its_head(message, status):
    found, reason = classify(DownloadError(f"ERROR: {message}"))
    assert found == status
    assert message.removeprefix("[youtube] abc: ").removeprefix("[generic] abc: ").startswith(reason)


@pytest.mark.parametrize(
    ("options", "text", "message"),
    [
        ((), "", "name a list with --music, --vggsound, or --ids"),
        (("--vggsound", "list"), "abc,ten,playing flute,train\n", "line 1: expected ID,start second,label,split"),
        (("--ids", "list"), "../evil\n", "'../evil' is no ID of a video"),
        (("--ids", "none"), "", "there is no list none; write one ID a line into it"),
        (("--ids", "list", "--url", "http://127.0.0.1/"), "a\n", "has no {id}"),
        (("--vggsound", "list"), "abc,10,playing flute,train\n", "excerpts need the program ffmpeg"),
    ],
)
def test_what_cannot_be_begun_is_a_sentence(tmp_path, monkeypatch, capsys, options, text, message):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", os.devnull)
    Path("list").write_text(text)
    assert download.main(["--data_dir", "set", *options]) == 1
    assert message in capsys.readouterr().err


def test_without_yt_dlp_the_remedy_is_named(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "data.sets.fetch", None)
    (tmp_path / "ids.txt").write_text("a\n")
    assert download.main(["--data_dir", str(tmp_path), "--ids", str(tmp_path / "ids.txt")]) == 1
    assert "requirements-download.txt" in capsys.readouterr().err
