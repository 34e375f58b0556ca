"""A statement's placeholders are converted to SQLite's syntax once, and the result is cached.

Django searches the text of a statement for placeholders on every execution. That takes a twentieth of the time of an
order in the embedded mode.
"""

import os
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from tempfile import mkstemp
from typing import Any

from django.db.backends.sqlite3.base import DatabaseWrapper as SQLite
from django.db.backends.sqlite3.base import SQLiteCursorWrapper

from integration.storage.folding import add_to_sqlite
from integration.storage.sqlite.log import MOST_PAGES, PAGE, most_pages


class Cursor(SQLiteCursorWrapper):
    """Django's cursor, which caches the converted statements."""

    def convert_query(self, query: str, *, param_names: list[str] | None = None) -> str:
        return _converted(query) if param_names is None else super().convert_query(query, param_names=param_names)


@lru_cache(maxsize=512)
def _converted(query: str) -> str:
    return SQLiteCursorWrapper.convert_query(None, query)  # type: ignore[arg-type]  # `self` is not used


def _let_only_its_owner_read(database: Path) -> None:
    """Make the file for its owner only, before SQLite makes it by the umask. Its log gets the same rights.

    The database itself is never opened here. To close any descriptor of it would release all locks that SQLite holds on
    it in this process, and other processes could then damage it. Source: sqlite.org, How To Corrupt, 2.2.
    """
    with suppress(OSError):  # SQLite says better what is wrong
        if not database.exists():
            descriptor, name = mkstemp(dir=database.parent)  # for its owner only
            os.close(descriptor)
            try:
                with suppress(FileExistsError):
                    os.link(name, database)
            finally:
                os.unlink(name)
        if database.stat().st_mode & 0o077:
            database.chmod(0o600)


class DatabaseWrapper(SQLite):
    """Django's wrapper, which makes cursors of this class, and checkpoints before the log fills the disk."""

    def get_new_connection(self, conn_params: Any) -> Any:
        if not self.is_in_memory_db():
            _let_only_its_owner_read(Path(conn_params["database"]))
        connection = super().get_new_connection(conn_params)
        add_to_sqlite(connection)
        if not self.is_in_memory_db():
            # A log that was longer, because of a long reader, is cut to this length when it begins again.
            connection.execute(f"PRAGMA journal_size_limit={MOST_PAGES * PAGE}")
            connection.execute(f"PRAGMA wal_autocheckpoint={most_pages(Path(conn_params['database']))}")
        return connection

    def create_cursor(self, name: str | None = None) -> Any:
        return self.connection.cursor(factory=Cursor)
