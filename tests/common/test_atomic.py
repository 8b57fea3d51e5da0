"""Files and folders appear complete or not at all, and leftovers of killed processes are removed."""

import os
import socket

import pytest

from common.atomic import atomic_file, atomic_folder, clear_partial

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
    kept = {f".c.{host}-{os.getpid()}.partial", f".d.other-{host}-{DEAD_PID}.partial", ".e.partial", "f.partial"}
    for name in kept:
        (tmp_path / name).touch()
    clear_partial(tmp_path)
    assert set(os.listdir(tmp_path)) == kept
