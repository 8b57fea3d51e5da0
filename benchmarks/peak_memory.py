"""The most memory that a process has had: of itself alone, whatever the one that started it had."""

import resource
import sys
from pathlib import Path


def peak_of_process(status: Path = Path("/proc/self/status")) -> int:
    """Bytes that this process has had in memory at most."""
    if status.exists():  # Linux: getrusage would count what the process that started this one had
        return next(int(line.split()[1]) * 1024 for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
