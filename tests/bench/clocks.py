"""Reads the CPU time of other processes from Linux."""

import os
import time
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
CPU_OF_ANOTHER = 2
"""The clock type in the ID of another process's CPU clock, as Linux builds it. This clock counts nanoseconds."""


def cpu_of(process: int) -> float:
    """Return the CPU seconds a process has used; raises `OSError` if it has ended."""
    return time.clock_gettime(~process << 3 | CPU_OF_ANOTHER)


def cpu_of_all(leader: int) -> float:
    """Return the CPU seconds of a process and its descendants; ended children count in whole ticks."""
    try:
        ended = Path(f"/proc/{leader}/stat").read_text().rpartition(")")[2].split()[13:15]
        children = Path(f"/proc/{leader}/task/{leader}/children").read_text().split()
        own = cpu_of(leader)
    except OSError:
        return 0.0  # The process has just ended, and its parent's time of ended children includes it.
    return own + sum(map(int, ended)) / TICKS + sum(cpu_of_all(int(child)) for child in children)
