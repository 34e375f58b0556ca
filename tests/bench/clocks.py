"""The CPU time of other processes, as Linux keeps it."""

import os
import time
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
CPU_OF_ANOTHER = 2
"""With a process's number, as Linux puts them together: the clock that shows its CPU time, not in ticks but exactly."""


def cpu_of(process: int) -> float:
    """The seconds of CPU that a process has taken; raises `OSError` when it is gone."""
    return time.clock_gettime(~process << 3 | CPU_OF_ANOTHER)


def cpu_of_all(leader: int) -> float:
    """The CPU time of a process and of all it started; of those that have ended, in whole ticks."""
    try:
        ended = Path(f"/proc/{leader}/stat").read_text().rpartition(")")[2].split()[13:15]
        children = Path(f"/proc/{leader}/task/{leader}/children").read_text().split()
        own = cpu_of(leader)
    except OSError:
        return 0.0  # it has just ended: its parent's account has it now
    return own + sum(map(int, ended)) / TICKS + sum(cpu_of_all(int(child)) for child in children)
