"""Videos are cut on a Dask cluster as on this machine, by a real scheduler and worker processes that may die.

The workers start in another folder and cannot import this repository, as on other machines.
"""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from data import cut_audio, cut_video
from data.preprocess.program import cut_unless_finished
from data.preprocess.runner import map_videos
from tests.fixtures.media import click, remux, write_media

ROOT = Path(__file__).resolve().parents[3]
NEEDS = "needs the packages of requirements-cluster.txt"
HERE = Path("/proc/self/cwd")  # a different folder for each process, like a disk that is not shared


@contextmanager
def running(*words: str, folder: Path, log: str) -> Iterator[None]:
    """Run a dask command in a folder."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment["DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES"] = "1"  # the default of 3 takes longer
    with (folder / log).open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "dask", *words], cwd=folder, env=environment, stdout=output, stderr=output
        )
        try:
            yield
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def free_address() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"tcp://127.0.0.1:{free.getsockname()[1]}"


@contextmanager
def running_scheduler(folder: Path) -> Iterator[str]:
    """Run a scheduler without workers; yields its address."""
    distributed = pytest.importorskip("distributed", reason=NEEDS)
    address = free_address()
    words = ("scheduler", "--host", "127.0.0.1", "--port", address.rpartition(":")[2], "--no-dashboard")
    with running(*words, folder=folder, log="scheduler.log"):
        with distributed.Client(address, timeout=30, set_as_default=False):
            pass
        yield address


@contextmanager
def running_workers(address: str, folder: Path, count: int, *options: str) -> Iterator[None]:
    """Run workers of one thread each."""
    from distributed import Client

    words = ("worker", address, "--nworkers", str(count), "--nthreads", "1", "--no-dashboard", *options)
    with (
        running(*words, folder=folder, log="worker.log"),
        Client(address, timeout=30, set_as_default=False) as client,
    ):
        client.wait_for_workers(count, timeout=60)
        yield


@pytest.fixture(scope="module")
def cluster(tmp_path_factory) -> Iterator[str]:
    """Address of a scheduler with two workers."""
    folder = tmp_path_factory.mktemp("cluster")
    with running_scheduler(folder) as address, running_workers(address, folder, 2):
        yield address


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def big_videos(data_dir: Path, count: int) -> list[str]:
    """Make videos that take a while to be cut, into 16 frames each; return their names."""
    big = np.random.default_rng(0).integers(0, 255, (480, 640, 3), np.uint8)
    first = write_media(data_dir / "video/v0.mp4", frames=100, picture=lambda index: np.roll(big, index, 0))
    for number in range(1, count):
        os.link(first, first.with_name(f"v{number}.mp4"))
    return [f"v{number}" for number in range(count)]


def half_done(out: Path) -> list[int]:
    """Return the processes that have cut a part of a video."""
    return [int(frame.parents[1].stem.rpartition("-")[2]) for frame in out.glob(".*.partial/*/*.jpg")]


def start_cut_video(data_dir: Path, address: str, *options: str) -> subprocess.Popen:
    """Start the program beside the data set, with a relative --data_dir."""
    return subprocess.Popen(
        [sys.executable, ROOT / "data/cut_video.py", "--data_dir", data_dir.name, "--dask", address, *options],
        cwd=data_dir.parent, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def wait_until_half_done(process: subprocess.Popen, out: Path) -> None:
    while not half_done(out):
        assert process.poll() is None, process.communicate()
        time.sleep(0.002)


def failures(errors: str) -> list[str]:
    return [line for line in errors.splitlines() if line.startswith("  ")]


@pytest.mark.slow
@pytest.mark.parametrize(("program", "bad"), [(cut_video, 1), (cut_audio, 2)], ids=["video", "audio"])
def test_files_failures_notes_and_status_are_those_of_this_machine(cluster, tmp_path, capfd, program, bad):
    sound = click(1.5, 3.0)
    for name in ("a", "-b c"):
        write_media(tmp_path / f"video/{name}.mp4", frames=75, sound=sound)
    write_media(tmp_path / "video/mute.mp4", frames=75)
    (tmp_path / "video/empty.mp4").touch()
    whole = write_media(tmp_path / "whole.mkv", frames=75, sound=sound)
    remux(
        whole,
        tmp_path / "video/gap.mkv",
        lambda packet: packet.stream.type == "video" or not 1 < packet.pts * packet.time_base < 1.5,
    )
    assert program.main(["--data_dir", str(tmp_path)]) == 1
    locally, said_locally = files(tmp_path), capfd.readouterr()
    assert len(failures(said_locally.err)) == bad
    assert program.main(["--data_dir", str(tmp_path), "--overwrite", "1", "--dask", cluster]) == 1
    assert files(tmp_path) == locally
    said = capfd.readouterr()
    assert failures(said.err) == failures(said_locally.err)
    first, *others = said.out.splitlines()
    assert first == f"2 workers at {cluster}, together 2 videos at a time"
    assert others == said_locally.out.splitlines()
    assert sum(line.startswith("note: gap: ") for line in others) == (program is cut_audio)


@pytest.mark.slow
def test_the_videos_of_a_killed_worker_are_cut_by_others_and_finished_ones_are_not_repeated(cluster, tmp_path):
    names = big_videos(tmp_path, 6)
    out = tmp_path / "video_frames"
    process = start_cut_video(tmp_path, cluster)
    while not (finished := list(out.glob("v*"))) or not half_done(out):
        assert process.poll() is None, process.communicate()
    before = {folder: folder.stat() for folder in finished}
    os.kill(min(half_done(out)), signal.SIGKILL)
    said, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert "6 cut, 0 there already, 0 failed." in said
    assert {folder.name: len(list(folder.rglob("*.jpg"))) for folder in out.glob("v*")} == dict.fromkeys(names, 16)
    for folder, stat in before.items():
        assert (folder.stat().st_ino, folder.stat().st_mtime_ns) == (stat.st_ino, stat.st_mtime_ns)


@pytest.mark.slow
def test_a_video_that_kills_every_worker_is_named_and_the_others_are_done_once(cluster, tmp_path):
    from data.preprocess.dask_executor import KILLED, dask_workers

    names = ["a", "die", "b", "c", "d"]
    jobs = {name: (_write_or_die, tmp_path / name, (tmp_path / name,)) for name in names}
    with dask_workers(cluster, tmp_path) as workers:
        results = map_videos(cut_unless_finished, jobs, workers, "test")
    assert [(result.name, result.failure) for result in results] == [
        (name, KILLED if name == "die" else None) for name in names
    ]
    done = {path.parent.name: path.read_text() for path in tmp_path.glob("*/times")}
    assert done == dict.fromkeys(["a", "b", "c", "d"], "once\n")


def _write_or_die(folder: Path) -> None:
    if folder.name == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    folder.mkdir(exist_ok=True)
    with (folder / "times").open("a") as file:
        file.write("once\n")


@pytest.mark.slow
def test_ctrl_c_cancels_the_remaining_videos(cluster, tmp_path):
    count = 30
    big_videos(tmp_path, count)
    out = tmp_path / "video_frames"
    process = start_cut_video(tmp_path, cluster)
    wait_until_half_done(process, out)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "run it again to go on" in errors and "Traceback" not in errors
    while half_done(out):  # the videos at work are completed
        time.sleep(0.1)
    finished = list(out.glob("v*"))
    time.sleep(0.5)
    assert list(out.glob("v*")) == finished and len(finished) < count / 2
    assert {len(list(folder.rglob("*.jpg"))) for folder in finished} <= {16}


@pytest.mark.slow
@pytest.mark.skipif(not HERE.exists(), reason=f"needs {HERE}")
def test_a_worker_that_does_not_see_the_data_set_is_named_for_each_video(cluster, tmp_path, capfd, monkeypatch):
    write_media(tmp_path / "video/a.mp4", frames=50)
    monkeypatch.chdir(tmp_path)
    assert cut_video.main(["--data_dir", str(HERE), "--dask", cluster]) == 1
    (failure,) = failures(capfd.readouterr().err)
    assert f"does not see {HERE}/video_frames: workers need the same --data_dir" in failure


@pytest.mark.slow
def test_a_worker_that_has_imported_other_modules_of_our_names_is_named_for_each_video(tmp_path, capfd):
    write_media(tmp_path / "set/video/a.mp4", frames=50)
    (tmp_path / "data").mkdir()
    (tmp_path / "data/__init__.py").touch()
    with running_scheduler(tmp_path) as address, running_workers(address, tmp_path, 1, "--preload", "data"):
        assert cut_video.main(["--data_dir", str(tmp_path / "set"), "--dask", address]) == 1
    (failure,) = failures(capfd.readouterr().err)
    assert "cannot import the work" in failure and f"workers need {ROOT}" in failure


@pytest.mark.slow
def test_waiting_for_a_first_worker_ends_by_a_signal_or_with_the_scheduler_or_with_nothing_to_do(tmp_path, capfd):
    write_media(tmp_path / "video/a.mp4", frames=50)
    with running_scheduler(tmp_path) as address:
        stopped, left_alone = (start_cut_video(tmp_path, address) for _ in range(2))
        for process in (stopped, left_alone):
            assert f"no worker is at {address} yet" in process.stderr.readline()
        stopped.send_signal(signal.SIGTERM)
        assert "run it again to go on" in stopped.communicate(timeout=60)[1] and stopped.returncode == 130
        assert cut_video.main(["--data_dir", str(tmp_path)]) == 0
        assert cut_video.main(["--data_dir", str(tmp_path), "--dask", address]) == 0
        assert "0 cut, 1 there already" in capfd.readouterr().out
    _, errors = left_alone.communicate(timeout=60)
    assert left_alone.returncode == 1
    assert errors.splitlines()[-1].startswith(f"cut_video: the scheduler at {address} is gone")


def test_a_scheduler_that_cannot_be_reached_leaves_the_results_unchanged(tmp_path, capfd, monkeypatch):
    pytest.importorskip("distributed", reason=NEEDS)
    write_media(tmp_path / "video/a.mp4", frames=50)
    assert cut_video.main(["--data_dir", str(tmp_path)]) == 0
    before = files(tmp_path)
    monkeypatch.setattr("data.preprocess.dask_executor.CONNECT_SECONDS", 1)
    address = free_address()
    assert cut_video.main(["--data_dir", str(tmp_path), "--overwrite", "1", "--dask", address]) == 1
    errors = capfd.readouterr().err
    assert f"--dask {address}: no scheduler answers there" in errors and "Traceback" not in errors
    assert files(tmp_path) == before


def test_missing_packages_are_named(tmp_path, capfd, monkeypatch):
    write_media(tmp_path / "video/a.mp4", frames=50)
    monkeypatch.setitem(sys.modules, "distributed", None)
    monkeypatch.delitem(sys.modules, "data.preprocess.dask_executor", raising=False)
    assert cut_video.main(["--data_dir", str(tmp_path), "--dask", "tcp://127.0.0.1:1"]) == 1
    assert "-r requirements-cluster.txt" in capfd.readouterr().err
    assert not (tmp_path / "video_frames").exists()


@pytest.mark.parametrize("address", ["somewhere", "tcp://host", "tcp://host:port", "host:8786", "http://host:80"])
def test_a_value_that_is_no_scheduler_address_is_refused(address, capfd):
    with pytest.raises(SystemExit) as stopped:
        cut_audio.main(["--dask", address])
    assert stopped.value.code == 2 and "--dask" in capfd.readouterr().err
