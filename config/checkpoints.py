"""A thread of the embedded mode that keeps SQLite's write-ahead log short, whatever the worker is doing."""

import logging
import threading
from pathlib import Path

from integration.storage.sqlite.log import shorten

log = logging.getLogger(__name__)

EVERY = 1.0
"""Seconds between two looks at the log."""


class Checkpoints(threading.Thread):
    """Shortens the log of a database when it has become too long."""

    def __init__(self, database: Path) -> None:
        super().__init__(name="checkpoints", daemon=True)
        self._database = database
        self._end = threading.Event()

    def run(self) -> None:
        """Look at the log again and again, until `stop`."""
        was_short = True
        while not self._end.wait(EVERY):
            try:
                is_short = shorten(self._database)
            except Exception:
                log.exception("the write-ahead log could not be looked at")
                continue
            if not is_short and was_short:
                log.warning("the write-ahead log cannot be shortened yet: a reader holds it, or the disk is full")
            was_short = is_short

    def stop(self) -> None:
        """End the thread."""
        self._end.set()
