"""The clock of a machine that some processes believe to run on. It can be set while they run.

The library is loaded before the C library and shifts CLOCK_REALTIME alone, for Python, Celery and compiled modules.
CLOCK_MONOTONIC stays, as it does when somebody sets the clock of a real machine.
"""

import mmap
import struct
import subprocess
from collections.abc import Sequence
from pathlib import Path

LIBRARY = r"""
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static volatile long long *ahead;

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("MACHINE_CLOCK");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0) return;
    void *page = mmap(NULL, sizeof *ahead, PROT_READ, MAP_SHARED, file, 0);
    if (page != MAP_FAILED) ahead = page;
    close(file);
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    int failed = syscall(SYS_clock_gettime, clock, now);
    if (!failed && ahead && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) now->tv_sec += *ahead;
    return failed;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    struct timespec exact;
    clock_gettime(CLOCK_REALTIME, &exact);
    now->tv_sec = exact.tv_sec;
    now->tv_usec = exact.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *now) {
    struct timespec exact;
    clock_gettime(CLOCK_REALTIME, &exact);
    if (now) *now = exact.tv_sec;
    return exact.tv_sec;
}
"""


class MachineClock:
    """A clock that processes of this machine take for the machine's.

    Args:
        folder: for the library, which is compiled once, and for the clock's file, which a second object shares.
        name: the clock's name in this folder.
    """

    def __init__(self, folder: Path, name: str = "clock") -> None:
        self._library, self._file = folder / "machine_clock.so", folder / name
        if not self._library.exists():
            compiler = ["cc", "-shared", "-fPIC", "-O1", "-o", str(self._library), "-x", "c", "-"]
            subprocess.run(compiler, input=LIBRARY, text=True, check=True, timeout=60)
        if not self._file.exists():
            self._file.write_bytes(struct.pack("q", 0))

    def seen_by(self, command: Sequence[str]) -> list[str]:
        """The command of a program that sees this clock."""
        return ["env", f"LD_PRELOAD={self._library}", f"MACHINE_CLOCK={self._file}", *command]

    def set(self, ahead: int) -> None:
        """Let the clock be ahead of the real time by so many seconds from now on."""
        with self._file.open("r+b") as file, mmap.mmap(file.fileno(), 8) as page:
            page[:] = struct.pack("q", ahead)
