"""How much memory is free for what is only there to save time."""

import os
import shutil
from pathlib import Path

SHARED_MEMORY = Path("/dev/shm")  # where Linux has what processes share; in a container often small
SHARE = 0.5  # of what is free


def memory_to_spend() -> int:
    """Bytes of memory, shared by processes, that one program may take without getting into the way of others.

    Half of what is free: of the machine, of the container or batch job that this runs in (if its limit is one of
    control groups of version 2), and of what there is to share; divided by the processes that `torchrun` starts here.
    """
    free = [_free_of_machine(), *_free_of_group()]
    if SHARED_MEMORY.is_dir():
        free.append(shutil.disk_usage(SHARED_MEMORY).free)
    return int(SHARE * min(free) / int(os.environ.get("LOCAL_WORLD_SIZE", "1")))


def _free_of_machine(meminfo: Path = Path("/proc/meminfo")) -> int:
    """What programs can have without swapping; half of all memory where the system does not tell."""
    if meminfo.exists():
        for line in meminfo.read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2


def _free_of_group(table: Path = Path("/proc/self/cgroup"), root: Path = Path("/sys/fs/cgroup")) -> list[int]:
    """What the limits of this process's control groups (Linux, version 2) leave, from its own up to the outermost."""
    if not table.exists():
        return []
    own = [line[3:] for line in table.read_text().splitlines() if line.startswith("0::")]
    free = []
    for name in own:
        folder = root / name.lstrip("/")
        for group in (folder, *folder.parents):
            limit, used = group / "memory.max", group / "memory.current"
            if limit.exists() and used.exists() and (most := limit.read_text().strip()) != "max":
                free.append(max(0, int(most) - int(used.read_text()) + _reclaimable(group)))
            if group == root:
                break
    return free


def _reclaimable(group: Path) -> int:
    """Bytes that a control group has of files that were read and not used since: the system drops them for others."""
    table = group / "memory.stat"
    lines = table.read_text().splitlines() if table.exists() else []
    return sum(int(line.split()[1]) for line in lines if line.startswith("inactive_file "))
