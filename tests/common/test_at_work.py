"""One process at a time works in a folder, and a killed one keeps nobody out."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from common.at_work import at_work
from common.errors import UserError

ROOT = Path(__file__).resolve().parents[2]
HOLD = "import sys, time; from pathlib import Path; from common.at_work import at_work\n"
HOLD += "with at_work(Path(sys.argv[1])): print('holds', flush=True); time.sleep(60)"


@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGINT], ids=lambda sign: sign.name)
def test_a_second_process_is_told_who_is_at_work_until_the_first_has_ended(tmp_path, sign):
    folder = tmp_path / "sub/folder"
    first = subprocess.Popen(
        [sys.executable, "-c", HOLD, folder], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert first.stdout.read(5) == b"holds"
    with pytest.raises(UserError, match=f"{folder} is in use by process {first.pid} on "), at_work(folder):
        pass
    first.send_signal(sign)
    first.wait()
    with at_work(folder):
        assert os.listdir(folder) == [".at_work"]
    assert os.listdir(folder) == []


def test_where_there_are_no_locks_nobody_is_kept_out(tmp_path, monkeypatch):
    def no_locks(*_):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr("fcntl.lockf", no_locks)
    with at_work(tmp_path), at_work(tmp_path):
        pass
