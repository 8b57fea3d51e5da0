"""Files and folders appear complete or not at all, and leftovers of killed processes are removed."""

import os
import socket
import subprocess
from pathlib import Path

import pytest

from common.atomic import atomic_file, atomic_files, atomic_folder, remove_folder, require_writable

DEAD_PID = 2**22 + 1  # above the largest process id of Linux


@pytest.mark.parametrize("name", ["a", "é" * 120])  # file systems limit names to 255 bytes
def test_a_file_replaces_the_old_one_only_after_success(tmp_path, name):
    path = tmp_path / name
    path.write_text("old")
    with pytest.raises(ValueError, match="stop"), atomic_file(path) as partial:
        partial.write_text("half")
        raise ValueError("stop")
    assert path.read_text() == "old" and os.listdir(tmp_path) == [name]
    with atomic_file(path) as partial:
        partial.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new" and os.listdir(tmp_path) == [name]


def test_a_folder_replaces_the_old_one_only_after_success(tmp_path):
    path = tmp_path / "sub/a"
    with atomic_folder(path) as partial:
        (partial / "old").touch()
    with pytest.raises(ValueError, match="stop"), atomic_folder(path) as partial:
        (partial / "half").touch()
        raise ValueError("stop")
    assert os.listdir(path) == ["old"]
    with atomic_folder(path) as partial:
        (partial / "new").touch()
    assert os.listdir(path) == ["new"] and os.listdir(path.parent) == ["a"]


def test_only_leftovers_of_dead_processes_of_this_machine_are_removed(tmp_path):
    host = socket.gethostname()
    (tmp_path / f".a.{host}-{DEAD_PID}.partial").touch()
    (tmp_path / f".b.{host}-{DEAD_PID}.partial/frame_000").mkdir(parents=True)
    zombie = subprocess.Popen(["true"])
    os.waitid(os.P_PID, zombie.pid, os.WEXITED | os.WNOWAIT)
    (tmp_path / f".g.{host}-{zombie.pid}.partial").touch()
    kept = {f".c.{host}-{os.getpid()}.partial", f".d.other-{host}-{DEAD_PID}.partial", ".e.partial", "f.partial"}
    for name in kept:
        (tmp_path / name).touch()
    with atomic_file(tmp_path / "new") as partial:
        partial.touch()
    assert set(os.listdir(tmp_path)) == {*kept, "new"}
    zombie.wait()


def test_of_files_that_belong_together_a_kill_between_leaves_no_mix(tmp_path, monkeypatch):
    paths = [tmp_path / name for name in "abc"]
    for path in paths:
        path.write_text("old")
    states = []
    record = lambda: states.append({path.name: path.read_text() for path in paths if path.exists()})  # noqa: E731

    def recorded(call):
        return lambda *arguments, **options: (record(), call(*arguments, **options))

    monkeypatch.setattr("os.replace", recorded(os.replace))
    monkeypatch.setattr("pathlib.Path.unlink", recorded(Path.unlink))
    with atomic_files(*paths) as partials:
        for partial in partials:
            partial.write_text("new")
    record()
    assert states[0] == dict.fromkeys("abc", "old") and states[-1] == dict.fromkeys("abc", "new")
    assert all(len(set(state.values())) == 1 and "a" in state for state in states)


def test_a_folder_is_removed_at_once(tmp_path, monkeypatch):
    """A kill while the files of a folder are removed leaves none of them under its name."""
    path = tmp_path / "a"
    path.mkdir()
    (path / "1").touch()
    monkeypatch.setattr("shutil.rmtree", lambda folder, **_: None)
    remove_folder(path)
    remove_folder(path)  # there is none
    assert [name[0] for name in os.listdir(tmp_path)] == ["."]


@pytest.mark.parametrize(("written", "named"), [("", ""), ("/frame_000/1.jpg", "/frame_000/1.jpg")])
def test_an_error_names_the_file_and_not_its_temporary_name(tmp_path, written, named):
    path = tmp_path / "a"
    with pytest.raises(OSError, match="full") as raised, atomic_folder(path) as partial:
        raise OSError(28, "full", str(partial) + written) if written else OSError(28, "full")
    assert raised.value.filename == str(path) + named


def test_a_folder_that_cannot_be_written_is_named_before_the_work(tmp_path, monkeypatch):
    require_writable(tmp_path / "new/a")
    monkeypatch.setattr("os.access", lambda path, mode: mode != os.W_OK)  # root may write everywhere
    with pytest.raises(PermissionError) as raised:
        require_writable(tmp_path / "new/a")
    assert raised.value.filename == str(tmp_path / "new")
