"""A consistent copy of the embedded mode's database while it runs, and back again.

SQLite's backup API copies one snapshot: the copy is made in one step under a read transaction, which in WAL mode blocks
no writer. Source: SQLite, "Online Backup API".
"""

import sqlite3
from contextlib import closing
from pathlib import Path

FIRST_BYTES = b"SQLite format 3\0"


class NoBackup(RuntimeError):
    """A copy cannot be made or used; the text says why."""


def back_up(database: Path, copy: Path) -> int:
    """Copy the database and check the copy.

    Args:
        database: the database, which may be in use.
        copy: a file that does not exist yet. It appears only once it is whole.

    Returns:
        The size of the copy in bytes.

    Raises:
        NoBackup: the file exists, cannot be written, or the copy is not whole.
    """
    if copy.exists():
        raise NoBackup(f"{copy} exists already: name another file")
    unfinished = copy.with_name(f"{copy.name}.unfinished")
    unfinished.unlink(missing_ok=True)
    try:
        with closing(_read_only(database)) as source, closing(sqlite3.connect(unfinished)) as target:
            source.backup(target)  # all pages in one step: otherwise each write would begin the copy anew
            target.execute("PRAGMA journal_mode = DELETE")  # one file, without a log
        _require_whole(unfinished)
        unfinished.replace(copy)
    except (OSError, sqlite3.Error) as error:
        raise NoBackup(f"{copy} cannot be written: {error}") from error
    finally:
        unfinished.unlink(missing_ok=True)
    return copy.stat().st_size


def restore(copy: Path, database: Path) -> Path | None:
    """Put a copy in the place of the database, which nobody may be using.

    Returns:
        Where the earlier database is now; None if there was none.

    Raises:
        NoBackup: the copy is not whole, or the database is in use.
    """
    _require_whole(copy)
    before = database.with_name(f"{database.name}.before-restore")
    if database.exists():
        _require_unused(database)
        if before.exists():
            raise NoBackup(f"{before} is left from an earlier restore: move it away first")
    arriving = database.with_name(f"{database.name}.arriving")
    try:
        arriving.unlink(missing_ok=True)
        with closing(_read_only(copy)) as source, closing(sqlite3.connect(arriving)) as target:
            source.backup(target)
        existed = database.exists()
        if existed:
            database.replace(before)
        for end in ("-wal", "-shm"):  # only a damaged database still has them
            if (log := database.with_name(database.name + end)).exists():
                log.replace(before.with_name(before.name + end))
        arriving.replace(database)
    except (OSError, sqlite3.Error) as error:
        raise NoBackup(f"{database} cannot be restored: {error}") from error
    return before if existed else None


def _read_only(file: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True)


def _require_whole(copy: Path) -> None:
    """Raise `NoBackup` unless the file is a whole database."""
    try:
        with copy.open("rb") as file:
            if file.read(len(FIRST_BYTES)) != FIRST_BYTES:
                raise NoBackup(f"{copy} is no copy of a database")
        with closing(_read_only(copy)) as connection:
            (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    except (OSError, sqlite3.Error) as error:
        raise NoBackup(f"{copy} cannot be read: {error}") from error
    if found != "ok":
        raise NoBackup(f"{copy} is damaged: {found}")


def _require_unused(database: Path) -> None:
    """Raise `NoBackup` if another process has the database open, and write its log into it otherwise."""
    try:
        with closing(sqlite3.connect(database, timeout=0, isolation_level=None)) as connection:
            # Leaving WAL mode needs the database for itself, and fails if any other connection is open.
            connection.execute("PRAGMA journal_mode = DELETE").fetchone()
            connection.execute("PRAGMA journal_mode = WAL").fetchone()
    except sqlite3.OperationalError as error:
        raise NoBackup(f"{database} is in use: stop Waybill first ({error})") from error
    except sqlite3.DatabaseError:
        return  # damaged: that is what a restore is for
