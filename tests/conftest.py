"""What all tests share, said before PyTorch is loaded: how threads wait for one another, and that Ctrl-C is heard."""

import os
import signal

# As in location_dmc.py: `make test` has two processes, whose threads would else spin in each other's way.
os.environ.setdefault("GOMP_SPINCOUNT", "2000")

# A shell that starts the tests in the background has it ignored, and so would all programs that they start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items):
    """The longest files first: a process would otherwise end alone with them."""
    items.sort(key=lambda item: item.path.name not in ("test_learning.py", "test_parallel.py"))
