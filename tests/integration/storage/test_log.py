"""SQLite's write-ahead log stays short enough for a disk that is nearly full, and is cut after a long reader."""

import shutil
import sqlite3
from collections import namedtuple
from collections.abc import Iterator
from pathlib import Path

import pytest

from config.database import database
from integration.storage.sqlite import log
from integration.storage.sqlite.base import DatabaseWrapper
from integration.storage.sqlite.log import FEWEST_PAGES, MOST_PAGES, most_pages, shorten

pytestmark = pytest.mark.django_db  # pytest-django allows no other test to connect
MEGABYTE = 2**20
Usage = namedtuple("Usage", "total used free")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "waybill.sqlite3"


@pytest.fixture
def free(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """The bytes that are free on the disk, to be changed."""
    disk = {"free": 10 * MEGABYTE}
    monkeypatch.setattr(log.shutil, "disk_usage", lambda path: Usage(0, 0, disk["free"]))
    return disk


@pytest.fixture
def wrapper(path: Path, free: dict[str, int]) -> Iterator[DatabaseWrapper]:
    wrapper = DatabaseWrapper({**DEFAULTS, **database(f"sqlite:///{path}", 600, 3)}, "another")
    yield wrapper
    wrapper.close()


DEFAULTS = {"ATOMIC_REQUESTS": False, "AUTOCOMMIT": True, "TIME_ZONE": None, "CONN_HEALTH_CHECKS": False}


def size_of_log(path: Path) -> int:
    return Path(f"{path}-wal").stat().st_size


def write(wrapper: DatabaseWrapper, megabytes: int) -> None:
    """Change the same megabyte so many times, a transaction each."""
    with wrapper.cursor() as cursor:
        cursor.execute("CREATE TABLE IF NOT EXISTS page (id integer primary key, text blob)")
        for _ in range(megabytes):
            cursor.execute("REPLACE INTO page VALUES (1, randomblob(%s))", [MEGABYTE])


@pytest.mark.parametrize(
    ("megabytes", "pages"), [(0, FEWEST_PAGES), (1, FEWEST_PAGES), (12, 384), (40, 1280), (1_000, MOST_PAGES)]
)
def test_the_log_may_take_an_eighth_of_what_is_free(
    path: Path, free: dict[str, int], megabytes: int, pages: int
) -> None:
    free["free"] = megabytes * MEGABYTE
    assert most_pages(path) == pages


def test_the_log_stays_short_on_a_small_disk(path: Path, wrapper: DatabaseWrapper) -> None:
    write(wrapper, 50)
    assert size_of_log(path) < 4 * MEGABYTE


def test_the_log_is_long_on_a_large_disk(path: Path, free: dict[str, int], wrapper: DatabaseWrapper) -> None:
    free["free"] = 100_000 * MEGABYTE
    write(wrapper, 50)
    assert size_of_log(path) > 30 * MEGABYTE


def test_the_log_is_cut_when_the_disk_has_filled_up(path: Path, free: dict[str, int], wrapper: DatabaseWrapper) -> None:
    free["free"] = 100_000 * MEGABYTE
    write(wrapper, 20)
    assert shorten(path)
    assert size_of_log(path) > 15 * MEGABYTE
    free["free"] = 10 * MEGABYTE
    assert shorten(path)
    assert size_of_log(path) == 0


@pytest.mark.parametrize("is_empty", [False, True], ids=["a log with pages", "an empty log"])
def test_the_log_is_cut_after_a_long_reader_that_began_with(
    path: Path, wrapper: DatabaseWrapper, is_empty: bool
) -> None:
    write(wrapper, 1)
    if is_empty:
        with wrapper.cursor() as cursor:
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    reader = sqlite3.connect(path, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM page").fetchall()
    write(wrapper, 20)
    assert size_of_log(path) > 15 * MEGABYTE
    assert not shorten(path)
    reader.execute("COMMIT")
    assert shorten(path)
    assert size_of_log(path) == 0
    reader.close()


def test_a_copy_made_as_the_docs_say_has_what_the_log_holds(path: Path, wrapper: DatabaseWrapper) -> None:
    write(wrapper, 1)
    with wrapper.cursor() as cursor:
        cursor.execute("CREATE TABLE last (id integer)")
    plain, copy = path.with_name("plain.sqlite3"), path.with_name("copy.sqlite3")
    shutil.copy(path, plain)
    sqlite3.connect(path).execute("VACUUM INTO ?", [str(copy)])

    def tables(file: Path) -> set[str]:
        return {name for (name,) in sqlite3.connect(file).execute("SELECT name FROM sqlite_schema")}

    assert "last" in tables(copy)
    assert "last" not in tables(plain)
