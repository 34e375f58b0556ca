"""Saves databases of older code as compressed files, and loads them again.

A file is named `COMMIT-DATABASE-ORDERS.EXTENSION.xz`, such as `c4a1a4a-postgresql-200.sql.xz`. A PostgreSQL file is the
plain SQL of `pg_dump` without comments and without commands of `psql`, so that a driver alone can load it.
"""

import lzma
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg

FOLDER = Path(__file__).parent
SQLITE, POSTGRESQL = "-sqlite-", "-postgresql-"
NEWER_THAN_13 = (b"SET transaction_timeout",)
"""Statements that newer versions of `pg_dump` write and PostgreSQL 13 does not know. They do not concern the data."""


def path_of(folder: Path, commit: str, vendor: str, orders: int) -> Path:
    """Return the path of a commit's database file; `vendor` is `sqlite` or `postgresql`."""
    extension = {"sqlite": "sqlite3", "postgresql": "sql"}[vendor]
    return folder / f"{commit}-{vendor}-{orders}.{extension}.xz"


def found_in(folder: Path, kind: str) -> list[Path]:
    """Return the files of one kind of database in a folder, sorted by name."""
    return sorted(folder.glob(f"*{kind}*.xz"))


def save_sqlite(database: Path, target: Path) -> None:
    """Write an SQLite database, including its write-ahead log, into a compressed file."""
    whole = database.with_suffix(".whole")
    whole.unlink(missing_ok=True)
    with sqlite3.connect(database) as connection:
        connection.execute("VACUUM INTO ?", [str(whole)])
    target.write_bytes(lzma.compress(whole.read_bytes(), preset=9 | lzma.PRESET_EXTREME))


def load_sqlite(source: Path, target: Path) -> None:
    """Decompress a database file to `target`; raises `FileExistsError` if that exists."""
    with lzma.open(source) as packed, target.open("xb") as unpacked:
        shutil.copyfileobj(packed, unpacked)


def save_postgresql(url: str, target: Path) -> None:
    """Dump a PostgreSQL database into a compressed file; raises `CalledProcessError` if `pg_dump` fails."""
    dump = ["pg_dump", "--no-owner", "--no-privileges", "--no-comments", "--encoding", "UTF8", url]
    written = subprocess.run(dump, check=True, capture_output=True).stdout
    target.write_bytes(lzma.compress(b"".join(_portable(written)), preset=9 | lzma.PRESET_EXTREME))


def load_postgresql(source: Path, url: str) -> None:
    """Run the SQL of a compressed file in an empty database; `COPY` data is streamed."""
    with lzma.open(source) as lines, psycopg.connect(url, autocommit=True) as connection:
        statements: list[bytes] = []
        for line in lines:
            if not _begins_copy(line):
                statements.append(line)
                continue
            connection.execute(b"".join(statements))
            statements.clear()
            with connection.cursor().copy(line) as copy:
                for row in iter(lines.readline, b"\\.\n"):
                    copy.write(row)
        connection.execute(b"".join(statements))


def _portable(dump: bytes) -> Iterator[bytes]:
    """Yield the lines of a dump that any driver can run and any supported server knows."""
    is_data = False
    for line in dump.splitlines(keepends=True):
        if is_data:
            is_data = line != b"\\.\n"
            yield line
        elif not line.startswith((b"--", b"\\", b"\n", *NEWER_THAN_13)):
            is_data = _begins_copy(line)
            yield line


def _begins_copy(line: bytes) -> bool:
    return line.startswith(b"COPY ") and line.endswith(b" FROM stdin;\n")
