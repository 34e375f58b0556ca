"""Read models that find rows by a part of a name or an e-mail address.

Each has a table of its own, so that orders pay nothing for it: a row is written once, in
the background, and deleted when the person is erased. What is exact, such as a number, is found by the indexes that
exist anyway.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

from django.db import connection, models, transaction

from integration.domain.text import folded
from integration.read_models.batch import Batch
from integration.read_models.models import Row, of_live
from integration.storage.sql import is_postgresql, quoted
from integration.storage.text_indexes import SHORTEST, forget_deleted, has_index, matched, name_of

MOST = 1_000
"""The number of matches that a search looks at."""

PLAN = """
    SELECT set_config(plan.name, wanted.value, true)
    FROM (VALUES ('enable_seqscan'), ('enable_indexscan'), ('enable_indexonlyscan')) AS plan (name),
        (SELECT CASE WHEN to_regclass(%s) IS NULL THEN 'on' ELSE 'off' END AS value) AS wanted
"""
"""With a LIMIT PostgreSQL may prefer to read the table until it has enough: all of it if nothing matches."""


class SearchText(Row):
    """What finds one row: its words, folded, each after a space. The key is the field of `key`."""

    has_text_index: ClassVar[bool] = True
    key: ClassVar[tuple[str]]

    text = models.TextField()

    class Meta:
        abstract = True


class Found(NamedTuple):
    """The keys of the rows that match, newest first, and whether more than `MOST` match."""

    keys: list[str]
    is_cut: bool


def text_of(*texts: str) -> str:
    """The text to search for these names and addresses; empty if they are."""
    return "".join(f" {word}" for text in texts for word in folded(text).split())


def keep_texts(batch: Batch, texts: Mapping[str, str]) -> None:
    """Write the texts of these keys; delete those that are empty now."""
    rows = batch.load([(key,) for key in texts])
    for (key,), row in rows.items():
        row.text = texts[key]
    batch.write([row for row in rows.values() if row.text])
    forgotten = [row for row in rows.values() if not row.text and row.pk]
    if forgotten:
        batch.delete(forgotten)
        forget_deleted(forgotten[0]._meta.db_table)


def is_searchable(term: str) -> bool:
    """Whether a search for the term can use the index: one of its words has at least two letters."""
    return any(len(word) >= SHORTEST - 1 for word in folded(term).split())


def find(rows: type[SearchText], term: str) -> Found:
    """The rows whose text has all words of the term: a word of one or two letters at the beginning of a word.

    One query, and one that asks for the index; none for a term that is not searchable.
    """
    if not is_searchable(term):
        return Found([], is_cut=False)
    # A text begins with a space, and so does each of its words.
    parts = [word if len(word) >= SHORTEST else f" {word}" for word in folded(term).split()]
    table, key = rows._meta.db_table, quoted(rows.key[0])
    conditions, parameters = [f"build = {of_live('id', rows.read_model)}"], list[Any]()
    if not is_postgresql() and has_index(table):
        condition, parameters = matched(table, parts)
        conditions.append(condition)
    for part in parts:
        conditions.append(r"text LIKE %s ESCAPE '\'")
        parameters.append(f"%{_literal(part)}%")
    sql = f"SELECT id, {key} FROM {quoted(table)} WHERE {' AND '.join(conditions)} LIMIT {MOST + 1}"  # noqa: S608 - names of the code only
    found = _with_index(table, sql, parameters) if is_postgresql() else _fetch_all(sql, parameters)
    return Found([key for _, key in sorted(found, reverse=True)], is_cut=len(found) > MOST)


def _with_index(table: str, sql: str, parameters: Sequence[Any]) -> list[tuple[int, str]]:
    with transaction.atomic():
        _fetch_all(PLAN, [f'"{name_of(table)}"'])
        return _fetch_all(sql, parameters)


def _fetch_all(sql: str, parameters: Sequence[Any]) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return cursor.fetchall()


def _literal(text: str) -> str:
    return text.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")
