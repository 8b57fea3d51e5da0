"""All programs end alike: a sentence and a status, and no traceback for what the user can fix."""

import contextlib
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from common.errors import UserError
from common.exit_status import exit_status

ROOT = Path(__file__).resolve().parents[2]


def fail(error: BaseException) -> None:
    raise error


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (UserError("a.txt is empty: fill it"), 1, "name: a.txt is empty: fill it\n"),
        (FloatingPointError("no finite distances"), 1, "name: no finite distances\n"),
        (PermissionError(13, "no", "a.txt"), 1, "name: cannot read or write a.txt (no)\n"),
        (OSError("disk full"), 1, "name: cannot read or write a file (disk full)\n"),
        (MemoryError(), 1, "name: memory ran out: end other programs, or give this one less to do at a time\n"),
        (KeyboardInterrupt(), 130, "name: run it again\n"),
    ],
)
def test_an_error_becomes_a_sentence_and_a_status(error, status, message, capsys):
    assert exit_status("name", lambda: fail(error), "run it again") == status
    assert capsys.readouterr().err == message


def test_ctrl_c_of_which_another_error_was_made_is_ctrl_c(capsys):
    def load() -> None:
        raise SystemError("initialization failed") from KeyboardInterrupt()

    assert exit_status("name", load, "run it again") == 130 and capsys.readouterr().err == "name: run it again\n"


def test_a_name_that_is_not_utf_8_can_be_printed(capsys):
    assert exit_status("name", lambda: print("caf\udce9")) == 0
    assert capsys.readouterr().out == "caf\\udce9\n"


def test_control_characters_of_names_are_shown_and_not_obeyed(capsys):
    name = "a\x1b]0;b\x07\x9bm\x00\x7f"

    def work() -> None:
        print(name, end="\t\r\n")
        raise UserError(name)

    exit_status("name", work)
    shown = r"a\x1b]0;b\x07\x9bm\x00\x7f"
    assert capsys.readouterr() == (f"{shown}\t\r\n", f"name: {shown}\n")


def test_the_status_of_the_work_is_kept_and_programming_errors_are_raised():
    assert [exit_status("name", lambda status=status: status) for status in (None, 0, 3)] == [0, 0, 3]
    with pytest.raises(ZeroDivisionError):
        exit_status("name", lambda: 1 // 0)


def test_ctrl_c_while_modules_are_loaded_prints_no_traceback():
    code = "import common.cli, os, signal\nos.kill(os.getpid(), signal.SIGINT)\nimport numpy"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (-signal.SIGINT, "stopped\n")
    done = subprocess.run([sys.executable, "-c", "import common\n1 / 0"], cwd=ROOT, capture_output=True, text=True)
    assert "ZeroDivisionError" in done.stderr


def test_a_process_ends_with_its_parent():
    child = "import common, common.exit_status, time\ncommon.exit_status.end_with_parent(common.PARENT)\n"
    child += "print(flush=True)\ntime.sleep(60)"
    parent = f"import subprocess, sys\nchild = subprocess.Popen([sys.executable, '-c', {child!r}], stdout=-1)\n"
    parent += "child.stdout.readline()\nprint(child.pid)"
    done = subprocess.run([sys.executable, "-c", parent], cwd=ROOT, capture_output=True, text=True)
    deadline = time.monotonic() + 20
    with contextlib.suppress(psutil.NoSuchProcess):
        while psutil.Process(int(done.stdout)).status() != psutil.STATUS_ZOMBIE:
            assert time.monotonic() < deadline
            time.sleep(0.05)
