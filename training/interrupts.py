"""How a training ends before its end: kills, and errors of PyTorch that the user can mend."""

import contextlib
import signal
from collections.abc import Iterator
from typing import NoReturn

import torch

from common.errors import UserError, first_line
from training.distributed import explain_break


def sigterm_as_ctrl_c() -> None:
    """From now on SIGTERM ends the program as Ctrl-C does, also when it reaches the processes that load data first."""
    signal.signal(signal.SIGTERM, _interrupt)


def _interrupt(*_: object) -> NoReturn:
    ignore_dying_loaders()
    raise KeyboardInterrupt


def ignore_dying_loaders() -> None:
    """From now on a process that loads data may die. PyTorch would raise an error wherever this program then is."""
    if hasattr(signal, "SIGCHLD"):
        signal.signal(signal.SIGCHLD, lambda *_: None)  # no SIG_DFL, which Python reports where one is already there


@contextlib.contextmanager
def explained_errors() -> Iterator[None]:
    """Turn errors of PyTorch that the user can mend into a UserError, and killed loaders into KeyboardInterrupt."""
    try:
        yield
    except (RuntimeError, MemoryError, ConnectionError, EOFError) as error:
        if "DataLoader worker" in str(error) and "Terminated" in str(error):  # SIGTERM to all processes
            raise KeyboardInterrupt from error
        if (explanation := _explain(error)) is None:
            raise
        raise UserError(explanation) from error


def _explain(error: Exception) -> str | None:
    if isinstance(error, torch.OutOfMemoryError | MemoryError) or "can't allocate memory" in str(error):  # of the CPU
        return (
            "the device's memory is too small: give --accumulate 2 or more, a smaller --batch_size or --set image_size"
        )
    died = "DataLoader worker (pid" in str(error) or isinstance(error, ConnectionError | EOFError)  # while it sent
    if died or "allocate shared memory" in str(error):
        reason = str(error).strip().rpartition("\n")[2]  # what a process raises comes with its whole traceback
        return (
            f"a process that loads data died, for want of memory? Give --cache 0 or a smaller --num_threads ({reason})"
        )
    if any(kind.__name__ == "BackendCompilerFailed" for kind in type(error).__mro__):  # PyTorch has it in private
        return f"--compile 1 failed ({first_line(error)}): install a C++ compiler, as g++, or give --compile 0"
    return explain_break(error)
