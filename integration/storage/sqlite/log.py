"""SQLite's write-ahead log never takes the space that copying its pages into the database needs.

A commit appends pages to the log. A checkpoint copies them into the database, which grows by at most as much, and then
the log is written from its beginning again. If the log filled the disk, no checkpoint could free space any more.
"""

import shutil
import sqlite3
from pathlib import Path

PAGE = 4_096
"""SQLite's default page size, in bytes."""
MOST_PAGES = 10_000
"""Orders change the same pages again and again. A checkpoint every 40 MB instead of every 4 writes many changes of a
page to the database as one, and waits for the disk as rarely."""
FEWEST_PAGES = 250
SHARE = 8
"""The log may take an eighth of the space that is free."""
SECONDS_LOCKED = 0.1
"""The longest time for which `shorten` waits for readers, and keeps writers waiting."""


def most_pages(database: Path) -> int:
    """The pages after which a commit makes a checkpoint: fewer when the disk is nearly full."""
    return max(FEWEST_PAGES, min(MOST_PAGES, shutil.disk_usage(database.parent).free // SHARE // PAGE))


def shorten(database: Path) -> bool:
    """Truncate the log if it has become too long, because a reader held its pages or the disk has filled up since.

    Returns:
        Whether the log is short now. A reader that still needs its pages prevents that, and so does a full disk.
    """
    log = Path(f"{database}-wal")
    if not log.exists() or log.stat().st_size <= 2 * PAGE * most_pages(database):
        return True
    connection = sqlite3.connect(database, timeout=SECONDS_LOCKED, isolation_level=None)
    try:
        return not connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
    except sqlite3.OperationalError:  # the disk is full
        return False
    finally:
        connection.close()
