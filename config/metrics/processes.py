"""What the processes of this machine have counted, added up.

Each process has files of its own in one folder, which prometheus-client maps into memory. A process that has ended
leaves its files. They are added to the files of the dead, so that no counter goes back and no file stays for good.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from prometheus_client import REGISTRY
from prometheus_client.metrics_core import Metric
from prometheus_client.mmap_dict import MmapedDict
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

DEAD = "dead"
"""What stands in place of a process id in the names of the files of processes that have ended."""
PREFIX = "waybill_"


class Processes(Collector):
    """Collects what the processes have counted.

    Args:
        folder: the folder of their files; None if this process counts in memory and is the only one.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    def collect(self) -> Iterator[Metric]:
        """The sums, by metric and labels."""
        if self._folder is None:
            yield from (metric for metric in REGISTRY.collect() if metric.name.startswith(PREFIX))
            return
        with _locked(self._folder):
            _bury(self._folder)
            yield from MultiProcessCollector.merge([str(file) for file in self._folder.glob("*.db")])


def _bury(folder: Path) -> None:
    """Add the files of processes that have ended to the files of the dead, and delete them."""
    for file in folder.glob("*.db"):
        kind, _, process = file.stem.rpartition("_")
        if process == DEAD or _lives(int(process)):
            continue
        total = MmapedDict(str(folder / f"{kind}_{DEAD}.db"))
        for key, value, moment, _ in MmapedDict.read_all_values_from_file(str(file)):
            total.write_value(key, total.read_value(key)[0] + value, moment)
        total.close()
        file.unlink()


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
