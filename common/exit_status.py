"""How a program ends: what goes wrong becomes a sentence for its user and an exit status, not a traceback."""

import sys
from collections.abc import Callable

from common.cli import INTERRUPTED
from common.errors import UserError


def exit_status(program: str, work: Callable[[], int | None], stopped: str = "stopped") -> int:
    """Do a program's work; returns its exit status, 1 if the user has to mend something, 130 after Ctrl-C.

    Args:
        program: its name, which messages begin with.
        work: returns the status of what went on to its end; None is 0.
        stopped: what to say after Ctrl-C.
    """
    try:
        return work() or 0
    except UserError as error:
        message = str(error)
    except OSError as error:
        message = f"cannot read or write {error.filename or 'a file'} ({error.strerror or error})"
    except KeyboardInterrupt as interrupt:
        print(f"{program}: {interrupt}" if str(interrupt) else f"{program}: {stopped}", file=sys.stderr)
        return INTERRUPTED
    print(f"{program}: {message}", file=sys.stderr)
    return 1
