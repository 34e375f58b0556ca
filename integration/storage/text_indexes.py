"""Indexes of trigrams, by which a part of a text is found without reading every row.

PostgreSQL has a GIN index of its extension `pg_trgm`, SQLite a full-text table (FTS5) that triggers keep like the rows.
Neither is part of a migration: whether it can be made depends on the server and on the rights of the user, and search
works without it, only slower. So each `migrate` makes what is missing.
"""

import logging
import sqlite3
from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.db import Error, connection, connections, transaction

log = logging.getLogger(__name__)

SHORTEST = 3
"""The letters of an entry of the index."""

GIN = """
    CREATE INDEX CONCURRENTLY "{index}" ON "{table}" USING gin ("text" gin_trgm_ops) WITH (gin_pending_list_limit = 256)
"""
"""Searches read the list of pending entries one by one, so it must be short: 256 kB instead of 4 MB."""

FTS = """
    CREATE VIRTUAL TABLE "{index}" USING fts5(text, content="{table}", content_rowid=id, tokenize=trigram, detail=none)
"""
INSERTED = 'INSERT INTO "{index}" (rowid, text) VALUES (new.id, new.text);'
DELETED = """INSERT INTO "{index}" ("{index}", rowid, text) VALUES ('delete', old.id, old.text);"""
TRIGGERS = {
    "inserted": f'AFTER INSERT ON "{{table}}" BEGIN {INSERTED} END',
    "deleted": f'AFTER DELETE ON "{{table}}" BEGIN {DELETED} END',
    "updated": f'AFTER UPDATE OF text ON "{{table}}" BEGIN {DELETED} {INSERTED} END',
}


def name_of(table: str) -> str:
    """The name of a table's index of trigrams."""
    return f"{table}_trigrams"


def make_text_indexes(app_config: AppConfig, using: str, **kwargs: Any) -> None:
    """Make the missing indexes of an app's models that set `has_text_index`. `migrate` calls this for each app."""
    tables = [model._meta.db_table for model in app_config.get_models() if getattr(model, "has_text_index", False)]
    if not tables or "plan" not in kwargs:  # `flush` sends the signal, too, and makes no tables
        return
    present = set(connections[using].introspection.table_names())
    tables = [table for table in tables if table in present]  # a migration backwards drops them
    if connections[using].vendor == "postgresql":
        _make_on_postgresql(connections[using], tables)
    else:
        for table in tables:
            _make_on_sqlite(connections[using], table)


def has_index(table: str) -> bool:
    """Whether the index of a table can be used; one query."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SELECT to_regclass(%s) IS NOT NULL", [f'"{name_of(table)}"'])
        else:
            cursor.execute("SELECT count(*) FROM sqlite_master WHERE name = %s", [name_of(table)])
        return bool(cursor.fetchone()[0])


def matched(table: str, patterns: Sequence[str]) -> tuple[str, list[str]]:
    """A condition of SQLite, and its parameters, for the rows that have all trigrams of these texts."""
    trigrams = sorted({text[at : at + SHORTEST] for text in patterns for at in range(len(text) - SHORTEST + 1)})
    if not trigrams:
        return "1", []
    index = name_of(table)
    quoted = [f'"{trigram.replace(chr(34), chr(34) * 2)}"' for trigram in trigrams]
    return f'id IN (SELECT rowid FROM "{index}" WHERE "{index}" MATCH %s)', [" AND ".join(quoted)]  # noqa: S608 - names of the code only


def forget_deleted(table: str) -> None:
    """Remove what was deleted from the pages of SQLite's index; PostgreSQL's vacuum does that by itself.

    SQLite from 3.42 on does it with each deletion. Before that the trigrams of a deleted row stay until the index is
    written anew, which takes about half a second for 100,000 rows.
    """
    if connection.vendor == "sqlite" and sqlite3.sqlite_version_info < (3, 42) and has_index(table):
        with connection.cursor() as cursor:
            cursor.execute(f"""INSERT INTO "{name_of(table)}" ("{name_of(table)}") VALUES ('optimize')""")  # noqa: S608


def _make_on_postgresql(database: Any, tables: Sequence[str]) -> None:
    with database.cursor() as cursor:
        cursor.execute(
            "SELECT name, indisvalid FROM unnest(%s::text[]) AS name "
            "LEFT JOIN pg_index ON indexrelid = to_regclass(name)",
            [[f'"{name_of(table)}"' for table in tables]],
        )
        state = {name.strip('"'): valid for name, valid in cursor.fetchall()}
        missing = [table for table in tables if not state[name_of(table)]]
        if not missing or not _has_trigrams(database):
            return
        for table in missing:
            # PostgreSQL leaves an invalid index behind if it is stopped.
            cursor.execute(f'DROP INDEX CONCURRENTLY IF EXISTS "{name_of(table)}"')
            cursor.execute(GIN.format(index=name_of(table), table=table))


def _has_trigrams(database: Any) -> bool:
    """Create the extension if it is missing. It is a trusted one, so the owner of a database may do so."""
    try:
        with transaction.atomic(using=database.alias), database.cursor() as cursor:
            cursor.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
    except Error as error:
        log.warning(
            "names are searched without an index, because the extension pg_trgm cannot be created: %s. Have an "
            "administrator of the database run CREATE EXTENSION pg_trgm, then run migrate again",
            str(error).strip(),
        )
        return False
    return True


def _make_on_sqlite(database: Any, table: str) -> None:
    index = name_of(table)
    with database.cursor() as cursor:
        cursor.execute("SELECT name FROM sqlite_master WHERE name LIKE %s", [f"{index}%"])
        present = {name for (name,) in cursor.fetchall()}
        triggers = {f"{index}_{name}": sql for name, sql in TRIGGERS.items()}
        if {index, *triggers} <= present:
            return
        try:
            if index not in present:
                cursor.execute(FTS.format(index=index, table=table))
        except Error as error:
            log.warning("names are searched without an index, because this SQLite has no trigrams: %s", error)
            return
        if sqlite3.sqlite_version_info >= (3, 42):
            cursor.execute(f"""INSERT INTO "{index}" ("{index}", rank) VALUES ('secure-delete', 1)""")  # noqa: S608
        # A migration that alters the table makes it anew, without its triggers.
        for name, sql in triggers.items():
            cursor.execute(f'CREATE TRIGGER IF NOT EXISTS "{name}" {sql.format(index=index, table=table)}')
        cursor.execute(f"""INSERT INTO "{index}" ("{index}") VALUES ('rebuild')""")  # noqa: S608
