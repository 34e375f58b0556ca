"""A backup is a consistent copy although others write meanwhile, and a restore refuses what would lose data."""

import sqlite3
from contextlib import closing
from pathlib import Path
from threading import Event, Thread

import pytest

from config.backup import NoBackup, back_up, restore


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """A database in WAL mode, in which `a` and `b` are always equal and `entry` has as many rows."""
    file = tmp_path / "waybill.sqlite3"
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE pair (a INTEGER, b INTEGER)")
        connection.execute("CREATE TABLE entry (id INTEGER PRIMARY KEY, text TEXT)")
        connection.execute("INSERT INTO pair VALUES (0, 0)")
        connection.commit()
    return file


def _pair(file: Path) -> tuple[int, int, int]:
    with closing(sqlite3.connect(file)) as connection:
        found: tuple[int, int, int] = connection.execute(
            "SELECT a, b, (SELECT count(*) FROM entry) FROM pair"
        ).fetchone()
    return found


def _write(file: Path, until: Event, written: Event) -> None:
    with closing(sqlite3.connect(file, timeout=5, isolation_level=None)) as connection:
        while not until.is_set():
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("UPDATE pair SET a = a + 1")
            connection.execute("INSERT INTO entry (text) VALUES (?)", ["x" * 3_000])
            connection.execute("UPDATE pair SET b = b + 1")
            connection.execute("COMMIT")
            written.set()


def test_copies_made_under_load_are_consistent_and_can_be_restored(database: Path, tmp_path: Path) -> None:
    until, written = Event(), Event()
    writer = Thread(target=_write, args=[database, until, written])
    writer.start()
    try:
        seen = []
        for n in range(5):
            written.clear()
            assert written.wait(5), "a backup blocks no writer for good"
            copy = tmp_path / f"copy-{n}"
            assert back_up(database, copy) == copy.stat().st_size
            a, b, entries = _pair(copy)
            assert a == b == entries
            seen.append(a)
        assert seen == sorted(set(seen))
    finally:
        until.set()
        writer.join()
    assert not [*tmp_path.glob("*.unfinished")]

    last = _pair(database)
    before = restore(tmp_path / "copy-2", database)
    assert _pair(database)[0] == seen[2]
    assert before is not None
    assert _pair(before) == last, "what was written after the copy is still there"
    with pytest.raises(NoBackup, match="left from an earlier restore"):
        restore(tmp_path / "copy-2", database)


def test_a_restore_refuses_a_database_in_use_and_a_copy_that_is_not_whole(database: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    back_up(database, copy)
    with pytest.raises(NoBackup, match="exists already"):
        back_up(database, copy)
    with pytest.raises(NoBackup, match="cannot be written"):
        back_up(database, tmp_path / "nowhere" / "copy")
    with closing(sqlite3.connect(database)) as user:
        user.execute("SELECT * FROM pair").fetchall()
        with pytest.raises(NoBackup, match="in use"):
            restore(copy, database)
    for content in (b"", b"no database", copy.read_bytes()[:5_000]):
        (tmp_path / "torn").write_bytes(content)
        with pytest.raises(NoBackup):
            restore(tmp_path / "torn", database)
    with pytest.raises(NoBackup, match="cannot be read"):
        restore(tmp_path / "nowhere", database)
    assert _pair(database) == (0, 0, 0)

    database.write_bytes(b"damaged" * 1_000)
    restore(copy, database)
    assert _pair(database) == (0, 0, 0)
