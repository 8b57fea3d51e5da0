"""Ends a program: an error that the user can fix becomes a sentence and an exit status instead of a traceback."""

import contextlib
import io
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, TextIO

from common.errors import UserError

INTERRUPTED = 130  # exit status after Ctrl-C, as in shells
# Names of files and entries may come from strangers, and a terminal obeys control characters.
SHOWN = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160)) if chr(code) not in "\t\n\r"}


class _Stream:
    """A stream that shows the control characters of names, except those that progress bars need."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        return self._stream.write(text.translate(SHOWN))

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever a stream has
        return getattr(self._stream, name)


def exit_status(program: str, work: Callable[[], int | None], stopped: str = "stopped") -> int:
    """Run `work` and return the exit status: its own (None is 0), 1 after an error, 130 after Ctrl-C.

    Messages begin with the name of the program; `stopped` is the one after Ctrl-C.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # names of files may be of any encoding
    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends the program as Ctrl-C does
    with contextlib.redirect_stdout(_Stream(sys.stdout)), contextlib.redirect_stderr(_Stream(sys.stderr)):
        return _status(program, work, stopped)


def _status(program: str, work: Callable[[], int | None], stopped: str) -> int:
    try:
        return work() or 0
    except (UserError, FloatingPointError) as error:  # the latter: weights that give no finite numbers
        message = str(error)
    except MemoryError:
        message = "memory ran out: end other programs, or give this one less to do at a time"
    except OSError as error:
        message = f"cannot read or write {error.filename or 'a file'} ({error.strerror or error})"
    except KeyboardInterrupt as interrupt:  # its text, if any, is more precise
        print(f"{program}: {str(interrupt) or stopped}", file=sys.stderr)
        return INTERRUPTED
    except Exception as error:
        if not isinstance(error.__cause__ or error.__context__, KeyboardInterrupt):
            raise
        print(f"{program}: {stopped}", file=sys.stderr)  # a compiled module makes a SystemError of Ctrl-C in its import
        return INTERRUPTED
    print(f"{program}: {message}", file=sys.stderr)
    return 1


def end_with_parent(parent: int) -> None:
    """From now on, end this process within a second after its parent, which may be killed."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
