"""What all programs share. They load it before large packages: from then on Ctrl-C ends them without a traceback.

It also sets what PyTorch reads when it is loaded, unless the user's environment does.
"""

import os
import sys
from types import TracebackType

PARENT = os.getppid()  # before it can have been killed

# Threads that wait for one another spin. By default they do so for so long that all of them stall as soon as anything
# else wants a core, be it the processes that load data; without it a step takes a quarter longer.
os.environ.setdefault("GOMP_SPINCOUNT", "2000")
# Large tensors lie in huge pages, where Linux lets programs ask for them: the kernel hands out 2 MB at once, not 4 KB.
os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")


def _report(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):  # before `common.exit_status` is there to report it
        print("stopped", file=sys.stderr)
    else:
        sys.__excepthook__(kind, error, traceback)


sys.excepthook = _report
