"""No new connection releases the locks that SQLite holds in this process: other processes could damage the database."""

import subprocess
import sys
from pathlib import Path

import pytest
from django.db import connections

from integration.storage.sqlite.base import DatabaseWrapper

TAKE_THE_LOG_AWAY = """
import sqlite3, sys
print(sqlite3.connect(sys.argv[1], timeout=0).execute("PRAGMA journal_mode=DELETE").fetchone()[0])
"""


def _database(path: Path) -> DatabaseWrapper:
    return DatabaseWrapper({**connections.settings["default"], "NAME": str(path), "OPTIONS": {}, "TEST": {}})


@pytest.mark.django_db
def test_a_second_connection_keeps_the_locks_of_the_first(tmp_path: Path) -> None:
    path = tmp_path / "shop.sqlite3"
    first, second = _database(path), _database(path)
    with first.cursor() as cursor:
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("CREATE TABLE shelf (sku)")
    second.ensure_connection()

    other = subprocess.run(
        [sys.executable, "-c", TAKE_THE_LOG_AWAY, str(path)], capture_output=True, text=True, check=False
    )

    second.close()
    first.close()
    assert "database is locked" in other.stderr, other.stdout
    assert path.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in tmp_path.iterdir()] == ["shop.sqlite3"]
