"""Videos are cut on a Dask cluster as on this machine, by a real scheduler and worker processes that may die.

The workers start in another folder and cannot import this repository, as on other machines.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from data import cut_audio, cut_video
from data.preprocess.program import cut_unless_finished
from data.preprocess.runner import map_videos
from tests.fixtures.media import big_videos, click, half_done, remux, write_media

ROOT = Path(__file__).resolve().parents[3]
NEEDS = "needs the packages of requirements-cluster.txt"
HERE = Path("/proc/self/cwd")  # a different folder for each process, like a disk that is not shared


@contextmanager
def running(folder: Path, *words: str) -> Iterator[None]:
    """Run a dask command in a folder."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment["DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES"] = "1"  # the default of 3 takes longer
    command = [sys.executable, "-m", "dask", *words, "--no-dashboard"]
    process = subprocess.Popen(command, cwd=folder, env=environment, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        process.wait(20)


def free_address() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"tcp://127.0.0.1:{free.getsockname()[1]}"


@contextmanager
def running_cluster(folder: Path, workers: int, *options: str) -> Iterator[str]:
    """Run a scheduler and workers of one thread each; yields its address."""
    distributed = pytest.importorskip("distributed", reason=NEEDS)
    address = free_address()
    with ExitStack() as stack:
        stack.enter_context(running(folder, "scheduler", "--host", "127.0.0.1", "--port", address.rpartition(":")[2]))
        with distributed.Client(address, timeout=30, set_as_default=False) as client:
            if workers:
                words = ("worker", address, "--nworkers", str(workers), "--nthreads", "1", *options)
                stack.enter_context(running(folder, *words))
                client.wait_for_workers(workers, timeout=60)
        yield address


@pytest.fixture(scope="module")
def cluster(tmp_path_factory) -> Iterator[str]:
    """Address of a scheduler with two workers."""
    with running_cluster(tmp_path_factory.mktemp("cluster"), 2) as address:
        yield address


@pytest.fixture
def data_dir(tmp_path) -> Path:
    """A data set of one short video."""
    write_media(tmp_path / "set/video/a.mp4", frames=50)
    return tmp_path / "set"


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def start_cut_video(data_dir: Path, address: str) -> subprocess.Popen:
    """Start the program beside the data set, with a relative --data_dir."""
    command = [sys.executable, ROOT / "data/cut_video.py", "--data_dir", data_dir.name, "--dask", address]
    return subprocess.Popen(command, cwd=data_dir.parent, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.slow
def test_files_failures_notes_and_status_are_those_of_this_machine(cluster, tmp_path, capfd):
    whole = write_media(tmp_path / "video/-b c.mkv", frames=75, sound=click(1.5, 3.0))
    remux(whole, tmp_path / "video/gap.mkv", lambda packet: not 1 < packet.pts * packet.time_base < 1.5)
    write_media(tmp_path / "video/mute.mp4", frames=75)
    (tmp_path / "video/empty.mp4").touch()
    assert cut_audio.main(["--data_dir", str(tmp_path)]) == 1
    locally, said_locally = files(tmp_path), capfd.readouterr()
    assert cut_audio.main(["--data_dir", str(tmp_path), "--overwrite", "1", "--dask", cluster]) == 1
    assert files(tmp_path) == locally
    said = capfd.readouterr()
    failures, failures_locally = (
        [line for line in text.splitlines() if line.startswith("  ")] for text in (said.err, said_locally.err)
    )
    assert failures == failures_locally and len(failures) == 2
    first, *others = said.out.splitlines()
    assert first == f"2 workers at {cluster}, together 2 videos at a time"
    assert others == said_locally.out.splitlines()
    assert sum(line.startswith("note: gap: ") for line in others) == 1


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
    while not half_done(out):
        assert process.poll() is None, process.communicate()
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
def test_a_worker_that_does_not_see_the_data_set_is_named_for_each_video(cluster, data_dir, capfd, monkeypatch):
    monkeypatch.chdir(data_dir)
    assert cut_video.main(["--data_dir", str(HERE), "--dask", cluster]) == 1
    failure = capfd.readouterr().err.splitlines()[-1]
    assert f"does not see {HERE}/video_frames: workers need the same --data_dir" in failure


@pytest.mark.slow
def test_a_worker_that_has_imported_other_modules_of_our_names_is_named_for_each_video(tmp_path, data_dir, capfd):
    (tmp_path / "data").mkdir()
    (tmp_path / "data/__init__.py").touch()
    with running_cluster(tmp_path, 1, "--preload", "data") as address:
        assert cut_video.main(["--data_dir", str(data_dir), "--dask", address]) == 1
    failure = capfd.readouterr().err.splitlines()[-1]
    assert "cannot import the work" in failure and f"workers need {ROOT}" in failure


@pytest.mark.slow
def test_waiting_for_a_first_worker_ends_by_a_signal_or_with_the_scheduler_or_with_nothing_to_do(
    tmp_path, data_dir, capfd
):
    with running_cluster(tmp_path, 0) as address:
        other = shutil.copytree(data_dir, tmp_path / "other")
        stopped, left_alone = (start_cut_video(folder, address) for folder in (data_dir, other))
        for process in (stopped, left_alone):
            assert f"no worker is at {address} yet" in process.stderr.readline()
        stopped.send_signal(signal.SIGTERM)
        assert "run it again to go on" in stopped.communicate(timeout=60)[1] and stopped.returncode == 130
        assert cut_video.main(["--data_dir", str(data_dir)]) == 0
        assert cut_video.main(["--data_dir", str(data_dir), "--dask", address]) == 0
        assert "0 cut, 1 there already" in capfd.readouterr().out
    errors = left_alone.communicate(timeout=60)[1]
    assert left_alone.returncode == 1
    assert errors.splitlines()[-1].startswith(f"cut_video: the scheduler at {address} is gone")


@pytest.mark.parametrize("missing", [True, False], ids=["missing packages", "no scheduler"])
def test_missing_packages_and_a_missing_scheduler_are_named_and_leave_the_results(
    data_dir, capfd, monkeypatch, missing
):
    assert cut_video.main(["--data_dir", str(data_dir)]) == 0
    before, address = files(data_dir), free_address()
    if missing:
        monkeypatch.setitem(sys.modules, "distributed", None)
        monkeypatch.delitem(sys.modules, "data.preprocess.dask_executor", raising=False)
    else:
        pytest.importorskip("distributed", reason=NEEDS)
        monkeypatch.setattr("data.preprocess.dask_executor.CONNECT_SECONDS", 1)
    assert cut_video.main(["--data_dir", str(data_dir), "--overwrite", "1", "--dask", address]) == 1
    named = "-r requirements-cluster.txt" if missing else f"--dask {address}: no scheduler answers there"
    errors = capfd.readouterr().err
    assert named in errors and "Traceback" not in errors and files(data_dir) == before


@pytest.mark.parametrize("address", ["somewhere", "tcp://host", "tcp://host:port", "host:8786", "http://host:80"])
def test_a_value_that_is_no_scheduler_address_is_refused(address, capfd):
    with pytest.raises(SystemExit) as stopped:
        cut_audio.main(["--dask", address])
    assert stopped.value.code == 2 and "--dask" in capfd.readouterr().err
