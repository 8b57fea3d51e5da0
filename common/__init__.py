"""What all programs share. They load it before large packages: from then on Ctrl-C ends them without a traceback."""

import os
import sys
from types import TracebackType

PARENT = os.getppid()  # before it can have been killed


def _report(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):  # before `common.exit_status` is there to report it
        print("stopped", file=sys.stderr)
    else:
        sys.__excepthook__(kind, error, traceback)


sys.excepthook = _report
