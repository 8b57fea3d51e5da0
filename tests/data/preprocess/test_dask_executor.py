"""Videos are cut on a Dask cluster as on this machine: a real scheduler and two worker processes that can die.

The workers are started elsewhere and know nothing of this repository, as on other machines.
"""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from common.errors import MediaWarning
from data import cut_audio, cut_video
from data.media.notes import collected_notes, note
from tests.fixtures.media import click, remux, write_media
from tests.fixtures.permissions import obey_permissions

ROOT = Path(__file__).resolve().parents[3]
NEEDS = "needs the packages of requirements-cluster.txt"
HERE = Path("/proc/self/cwd")  # another folder to each process, as one that is not shared
other_folder_to_each = pytest.mark.skipif(not HERE.exists(), reason=f"needs {HERE}")


@contextmanager
def running(*words: str, folder: Path, log: str) -> Iterator[Path]:
    """A dask command in a folder of its own; yields the file of what it says."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment["DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES"] = "1"  # by default a worker more may die: that is slow
    with (folder / log).open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "dask", *words], cwd=folder, env=environment, stdout=output, stderr=output
        )
        try:
            yield folder / log
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@contextmanager
def running_scheduler(folder: Path) -> Iterator[str]:
    """A scheduler without workers; yields its address."""
    distributed = pytest.importorskip("distributed", reason=NEEDS)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    address = f"tcp://127.0.0.1:{port}"
    words = ("scheduler", "--host", "127.0.0.1", "--port", port, "--no-dashboard")
    with running(*words, folder=folder, log="scheduler.log"):
        with distributed.Client(address, timeout=30, set_as_default=False):
            pass
        yield address


@contextmanager
def running_workers(address: str, folder: Path, count: int, *options: str) -> Iterator[None]:
    """So many workers of one thread."""
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
    """Videos that take a while to be cut; 16 frames of each are kept."""
    big = np.random.default_rng(0).integers(0, 255, (480, 640, 3), np.uint8)
    first = write_media(data_dir / "video/v0.mp4", frames=100, picture=lambda index: np.roll(big, index, 0))
    for number in range(1, count):
        os.link(first, first.with_name(f"v{number}.mp4"))
    return [f"v{number}" for number in range(count)]


def begun(out: Path) -> Iterator[tuple[int, str]]:
    """Process and video of what is half done."""
    for frame in out.glob(".partial/*/*/*/*.jpg"):
        yield int(frame.parents[2].name.rpartition("-")[2]), frame.parents[1].name


def start_cut_video(data_dir: Path, address: str, out: Path) -> subprocess.Popen:
    """Start the program in another folder, with a relative --data_dir; return once a video is half done."""
    process = subprocess.Popen(
        [sys.executable, ROOT / "data/cut_video.py", "--data_dir", data_dir.name, "--dask", address],
        cwd=data_dir.parent, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    while not any(begun(out)):
        assert process.poll() is None, process.communicate()
        time.sleep(0.002)
    return process


def test_the_same_files_failures_and_status_as_on_this_machine(cluster, tmp_path, capfd):
    sound = click(1.5, 3.0)
    for name in ("a", "-b c"):
        write_media(tmp_path / f"video/{name}.mp4", frames=75, sound=sound)
    write_media(tmp_path / "video/mute.mp4", frames=75)
    (tmp_path / "video/empty.mp4").touch()
    with_gap = write_media(tmp_path / "with_gap.mkv", frames=75, sound=sound)
    remux(
        with_gap,
        tmp_path / "video/gap.mkv",
        lambda packet: packet.stream.type == "video" or not 1 < packet.pts * packet.time_base < 1.5,
    )
    for program in (cut_video, cut_audio):
        out = tmp_path / {cut_video: "video_frames", cut_audio: "audio_frames"}[program]
        assert program.main(["--data_dir", str(tmp_path)]) == 1
        locally, said_locally = files(out), capfd.readouterr()
        failed = [line for line in said_locally.err.splitlines() if line.startswith("  ")]
        assert len(failed) == (1 if program is cut_video else 2)
        assert program.main(["--data_dir", str(tmp_path), "--overwrite", "1", "--dask", cluster]) == 1
        assert files(out) == locally
        said = capfd.readouterr()
        assert [line for line in said.err.splitlines() if line.startswith("  ")] == failed
        first, *others = said.out.splitlines()
        assert first == f"2 workers at {cluster}, together 2 videos at a time"
        assert others == said_locally.out.splitlines()
        assert sum(line.startswith("note: gap: ") for line in others) == (program is cut_audio)


def test_a_worker_killed_midway_costs_nothing_but_time(cluster, tmp_path):
    names = big_videos(tmp_path, 6)
    out = tmp_path / "video_frames"
    process = start_cut_video(tmp_path, cluster, out)
    while not (finished := [folder.name for folder in out.glob("v*")]) or not (half_done := dict(begun(out))):
        assert process.poll() is None, process.communicate()
    before = {name: (out / name).stat() for name in finished}
    os.kill(min(half_done), signal.SIGKILL)
    said, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert "6 cut, 0 there already, 0 failed." in said
    assert {folder.name: len(list(folder.rglob("*.jpg"))) for folder in out.glob("v*")} == dict.fromkeys(names, 16)
    for name, stat in before.items():  # not done again
        assert ((out / name).stat().st_ino, (out / name).stat().st_mtime_ns) == (stat.st_ino, stat.st_mtime_ns)
    assert not list(out.glob(".dask*"))


def test_a_video_that_kills_each_worker_is_listed_and_the_others_are_done_once(cluster, tmp_path):
    from data.preprocess.dask_executor import KILLED, dask_cluster
    from data.preprocess.runner import map_videos

    names = ["a", "die", "b", "c", "d"]
    with dask_cluster(cluster, tmp_path, _write_or_die, await_worker=False) as source:
        outcomes = map_videos(_write_or_die, {name: (tmp_path / name,) for name in names}, source, "test")
    assert [(outcome.name, outcome.failure) for outcome in outcomes] == [
        (name, KILLED if name == "die" else None) for name in names
    ]
    assert "KilledWorker" in KILLED
    done = {path.parent.name: path.read_text() for path in tmp_path.glob("*/times")}
    assert done == dict.fromkeys(["a", "b", "c", "d"], "once\n")


def _write_or_die(folder: Path) -> None:
    if folder.name == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    folder.mkdir(exist_ok=True)
    with (folder / "times").open("a") as file:
        file.write("once\n")


def test_ctrl_c_cancels_what_is_left(cluster, tmp_path):
    count = 30
    big_videos(tmp_path, count)
    out = tmp_path / "video_frames"
    process = start_cut_video(tmp_path, cluster, out)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "run it again to go on" in errors and "Traceback" not in errors
    while any(begun(out)):  # what has begun ends
        time.sleep(0.1)
    finished = list(out.glob("v*"))
    time.sleep(0.5)
    assert list(out.glob("v*")) == finished and len(finished) < count / 2
    assert {len(list(folder.rglob("*.jpg"))) for folder in finished} <= {16}


def test_a_worker_that_sees_another_folder_is_named(cluster, tmp_path, capfd, monkeypatch):
    from data.preprocess import dask_executor as dask_cluster

    @contextmanager
    def unseen(folder: Path) -> Iterator[Path]:
        yield folder / "elsewhere"

    write_media(tmp_path / "video/a.mp4", frames=50)
    monkeypatch.setattr(dask_cluster, "_probe", unseen)
    assert cut_video.main(["--data_dir", str(tmp_path), "--dask", cluster]) == 1
    errors = capfd.readouterr().err
    assert f"does not see {tmp_path / 'video_frames'}" in errors and "shared file system" in errors


def finished_set(data_dir: Path) -> dict[str, bytes]:
    """A set with a finished video; returns all its files."""
    write_media(data_dir / "video/a.mp4", frames=50)
    assert cut_video.main(["--data_dir", str(data_dir)]) == 0
    return files(data_dir)


def cut_anew(data_dir: Path, address: str) -> list[str]:
    """Options that have a cluster replace all that is there."""
    return ["--data_dir", str(data_dir), "--fps", "2", "--overwrite", "1", "--dask", address]


@other_folder_to_each
def test_workers_that_see_another_folder_cost_nothing_that_is_there(cluster, tmp_path, capfd, monkeypatch):
    before = finished_set(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert cut_video.main(cut_anew(HERE, cluster)) == 1
    errors = capfd.readouterr().err
    assert "cannot help" in errors and f"does not see {HERE}/video_frames: workers need the same" in errors
    assert files(tmp_path) == before


OTHER_DATA = {"data/__init__.py": "", "data/cut_video.py": ""}
OLDER_PYTHON = """
import types
class CodeType:
    def __new__(*_):
        raise TypeError("code() takes at most 16 arguments")
types.CodeType = CodeType
"""


@pytest.mark.parametrize(
    ("scripts", "loaded", "reason"),
    [(OTHER_DATA, "data.cut_video", "restart it"), ({"older.py": OLDER_PYTHON}, "older", "code() takes at most 16")],
    ids=["other data", "older Python"],
)
def test_a_worker_that_cannot_import_costs_nothing_that_is_there(tmp_path, capfd, scripts, loaded, reason):
    before = finished_set(tmp_path / "set")
    for name, code in scripts.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(code)
    with running_scheduler(tmp_path) as address, running_workers(address, tmp_path, 1, "--preload", loaded):
        assert cut_video.main(cut_anew(tmp_path / "set", address)) == 1
    errors = capfd.readouterr().err
    assert "cannot help: " in errors and reason in errors
    assert files(tmp_path / "set") == before


@other_folder_to_each
def test_before_results_are_replaced_a_first_worker_is_awaited_and_asked(tmp_path):
    before = finished_set(tmp_path / "set")
    (tmp_path / "elsewhere").mkdir()
    with running_scheduler(tmp_path) as address:
        waiting = start_cut_anew(tmp_path / "set", address)
        assert before.items() <= files(tmp_path / "set").items()
        with running_workers(address, tmp_path / "elsewhere", 1):
            _, errors = waiting.communicate(timeout=60)
    assert waiting.returncode == 1
    assert f"does not see {HERE}/video_frames" in errors and "Traceback" not in errors
    assert files(tmp_path / "set") == before


@other_folder_to_each
def test_who_waits_for_a_first_worker_can_be_stopped_and_is_told_when_the_scheduler_ends(tmp_path):
    before = finished_set(tmp_path / "set")
    with running_scheduler(tmp_path) as address:
        stopped = start_cut_anew(tmp_path / "set", address)
        stopped.send_signal(signal.SIGTERM)
        assert "run it again to go on" in stopped.communicate(timeout=60)[1] and stopped.returncode == 130
        assert files(tmp_path / "set") == before
        left_alone = start_cut_anew(tmp_path / "set", address)
        time.sleep(1)
    _, errors = left_alone.communicate(timeout=60)
    assert left_alone.returncode == 1
    assert errors.splitlines()[-1].startswith(f"cut_video: the scheduler at {address} is gone")
    assert files(tmp_path / "set") == before


def start_cut_anew(data_dir: Path, address: str) -> subprocess.Popen:
    """Start the program in that folder; return once it waits for a worker."""
    process = subprocess.Popen(
        [sys.executable, ROOT / "data/cut_video.py", *cut_anew(HERE, address)],
        cwd=data_dir, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert "no worker is at" in process.stderr.readline()
    return process


def test_with_nothing_left_to_do_no_worker_is_awaited(tmp_path, capfd):
    finished_set(tmp_path / "set")
    with running_scheduler(tmp_path) as address:
        assert cut_video.main(["--data_dir", str(tmp_path / "set"), "--dask", address]) == 0
    assert "0 cut, 1 there already" in capfd.readouterr().out


def test_a_worker_without_the_right_to_write_is_told(tmp_path):
    (tmp_path / "probe").touch()
    tmp_path.chmod(0o555)
    code = (
        "import sys; from pathlib import Path; from data.preprocess.on_worker import Place, problem_here; root = Path.cwd(); "
        "print(problem_here(Place(root, 'data.cut_video', 'cut_one', Path(sys.argv[1]))))"
    )
    try:
        said = subprocess.check_output(
            [sys.executable, "-c", code, tmp_path / "probe"], cwd=ROOT, text=True, preexec_fn=obey_permissions
        )
    finally:
        tmp_path.chmod(0o755)
    assert f"cannot write into {tmp_path}" in said


def test_a_worker_without_the_repository_or_with_another_is_told(tmp_path, monkeypatch):
    from data.preprocess.on_worker import Place, problem_here

    (tmp_path / "probe").touch()
    monkeypatch.setattr(sys, "path", list(sys.path))
    assert problem_here(Place(ROOT, "data.cut_video", "cut_one", tmp_path / "probe")) is None
    problem = problem_here(Place(ROOT, "data.no_such_module", "cut_one", tmp_path / "probe"))
    assert "no_such_module" in problem and str(ROOT) in problem
    problem = problem_here(Place(tmp_path, "data.cut_video", "cut_one", tmp_path / "probe"))
    assert "restart it" in problem  # this process has imported it from here


def test_a_scheduler_that_cannot_be_reached_costs_nothing_that_is_there(tmp_path, capfd, monkeypatch):
    pytest.importorskip("distributed", reason=NEEDS)
    write_media(tmp_path / "video/a.mp4", frames=50)
    assert cut_video.main(["--data_dir", str(tmp_path)]) == 0
    before = files(tmp_path)
    monkeypatch.setattr("data.preprocess.dask_executor.CONNECT_SECONDS", 1)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{closed.getsockname()[1]}"
        start = time.monotonic()
        assert cut_video.main(["--data_dir", str(tmp_path), "--overwrite", "1", "--dask", address]) == 1
    assert time.monotonic() - start < 15
    errors = capfd.readouterr().err
    assert f"--dask {address}: no scheduler answers there" in errors and "Traceback" not in errors
    assert files(tmp_path) == before


def test_missing_packages_are_named(tmp_path, capfd, monkeypatch):
    write_media(tmp_path / "video/a.mp4", frames=50)
    monkeypatch.setitem(sys.modules, "distributed", None)
    monkeypatch.setitem(sys.modules, "cloudpickle", None)
    monkeypatch.delitem(sys.modules, "data.preprocess.dask_executor", raising=False)
    assert cut_video.main(["--data_dir", str(tmp_path), "--dask", "tcp://127.0.0.1:1"]) == 1
    assert "-r requirements-cluster.txt" in capfd.readouterr().err
    assert not (tmp_path / "video_frames").exists()


@pytest.mark.parametrize("address", ["somewhere", "tcp://host", "tcp://host:port", "host:8786", "http://host:80"])
def test_an_address_that_is_none_is_refused(address, capfd):
    with pytest.raises(SystemExit) as exit_:
        cut_audio.parse(["--dask", address])
    assert exit_.value.code == 2 and "--dask" in capfd.readouterr().err


def test_notes_of_threads_do_not_mix():
    both = threading.Barrier(2, timeout=10)
    found = {}

    def work(name: str) -> None:
        with collected_notes() as notes:
            both.wait()
            note(f"of {name}")
            note(f"of {name}")
            both.wait()
        found[name] = notes

    threads = [threading.Thread(target=work, args=(name,)) for name in ("one", "other")]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert found == {"one": ["of one"], "other": ["of other"]}
    with pytest.warns(MediaWarning, match="outside"):
        note("outside")
