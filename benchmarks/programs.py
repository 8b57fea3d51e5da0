"""Runs the project's programs one after the other, as a user would, and keeps what they say."""

import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from common.errors import UserError

ROOT = Path(__file__).resolve().parents[1]
GRACE = 5.0  # seconds that a program has to end in before the next, harder signal
# Lines arrive as they are printed, and progress bars are for terminals.
ENVIRONMENT = {"PYTHONUNBUFFERED": "1", "TQDM_DISABLE": "1"}


def run_program(script: str | Path, arguments: Sequence[object], log: Path) -> None:
    """Run a program to its end; its output is printed line by line.

    Args:
        script: path, from the repository's root.
        arguments: its options.
        log: file to append to: a line with the command, the output, and at the end the messages (standard error).

    Raises:
        UserError: it failed; the text has its last message, its command and the log.
        KeyboardInterrupt: once the program has ended too.
    """
    command = [sys.executable, str(ROOT / script), *map(str, arguments)]
    log.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as messages:
        with log.open("a", encoding="utf-8") as file:
            print("$", shlex.join(command), file=file, flush=True)
            try:
                status = _run(command, file, messages)
            finally:
                messages.seek(0)
                shutil.copyfileobj(messages, file)
        if status:
            how = f"exit status {status}" if status > 0 else f"killed by signal {-status}"
            raise UserError(
                f"{script} failed ({how}): {_last_line(messages)}\n"
                f"  its output: {log}\n  its command: {shlex.join(command)}"
            )


def _run(command: Sequence[str], output: TextIO, messages: TextIO) -> int:
    """Run a command; its output goes to the screen and to a file, its messages to another; returns its status."""
    environment = {**os.environ, **ENVIRONMENT}
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=messages, env=environment, text=True, errors="replace"
    )
    try:
        for line in process.stdout or ():
            print(line, end="", flush=True)
            print(line, end="", file=output, flush=True)
        return process.wait()
    finally:
        stop(process)


def stop(process: subprocess.Popen) -> None:
    """End a program and wait for it.

    First it only gets time: Ctrl-C in a terminal reaches it too, and a second one would disturb its clearing up.
    """
    for number in (0, signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        if process.poll() is not None:
            break
        process.send_signal(number)
        try:
            process.wait(GRACE)
        except subprocess.TimeoutExpired:
            continue
    if process.stdout:
        process.stdout.close()


def _last_line(messages: TextIO) -> str:
    """The last line that is not empty."""
    messages.seek(0)
    lines = [line.strip() for line in messages if line.strip()]
    return lines[-1] if lines else "it gave no reason"
