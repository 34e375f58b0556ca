"""The processes that a run has started, directly or not.

On Linux the run becomes the parent of every orphan among its descendants. So all of them are found, also servers that
lead a process group of their own or overwrite their environment, as Redis does.
"""

import ctypes
import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

PR_SET_CHILD_SUBREAPER = 36


def adopt_orphans() -> None:
    """Make this process the parent of its descendants' orphans."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)


def end_descendants() -> None:
    """SIGKILL all descendants of this process, and those that they start meanwhile."""
    while left := [pid for pid in children(os.getpid()) if runs(pid)]:
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.05)


def descendants(pid: int) -> list[int]:
    """The ids of all processes that a process has started, directly or not."""
    return [each for child in children(pid) for each in (child, *descendants(child))]


def children(pid: int) -> list[int]:
    """The ids of a process' child processes."""
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):  # the thread has just ended
            found += [int(child) for child in task.read_text().split()]
    return found


def runs(pid: int) -> bool:
    """Whether a process has not ended."""
    return state(pid) not in ("", "Z")


def state(pid: int) -> str:
    """The state of a process as a letter: T if it is stopped, Z if it has ended; empty if there is none."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][:1]
    return ""
