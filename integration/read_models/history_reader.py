"""Reading a history by number misses no event, although a row may be committed after rows with higher numbers.

On PostgreSQL each row of a history has a number (`seq`) from a sequence. The rows of an aggregate are numbered in the
order of their versions, because the aggregate's row is locked while they are written. But a transaction that took its
number early may commit late. Until then its number is a gap. Rows beyond a gap are returned at once and remembered as
*ahead*. The gap is closed only when no transaction can fill it any more.

A transaction that writes to a history locks the table before it takes a number, and holds the lock until it ends. So
only transactions that hold such a lock just after a gap was seen can fill the gap. When all of them have ended, a
number that is still missing will never appear. `pg_locks` shows each of them with its virtual transaction id. Ordinary
transaction ids are less reliable: all databases of a server share them, and they start anew in a copy of a database.

SQLite has a single writer, so its row ids have no gaps to wait for.
"""

from typing import NamedTuple, Self

from django.db import connection
from django.db.models import Model
from msgspec import Struct

from integration.history.entries import HistoryEntry
from integration.storage.reading import select
from integration.storage.sql import is_postgresql, selected

MOST_AHEAD = 2_000
"""The most events returned beyond a gap. After that the reader waits for the gap, and the lag shows it."""


class NumberedEntry(NamedTuple):
    """An event and its number in the history."""

    seq: int
    entry: HistoryEntry


class Position(Struct, frozen=True):
    """How far a history has been read.

    Args:
        mark: every number up to this one has been returned, or belongs to no row.
        ahead: the numbers above `mark` that have been returned although there is a gap before them.
        gaps_until: gaps up to this number can only be filled by `writers`.
        writers: the virtual transaction ids of the transactions that can fill those gaps.
    """

    mark: int = 0
    ahead: tuple[int, ...] = ()
    gaps_until: int = 0
    writers: tuple[str, ...] = ()

    def after(self, entries: list[NumberedEntry], closed: int) -> Self:
        """The position after these entries were returned.

        Args:
            entries: all entries above `mark`, or the first of them.
            closed: gaps up to this number will never be filled.
        """
        mark = self.mark
        for seq in (each.seq for each in entries):
            if seq - 1 > max(mark, closed):
                break
            mark = seq
        ahead = tuple(sorted(seq for seq in {*self.ahead, *(each.seq for each in entries)} if seq > mark))
        return type(self)(mark, ahead, self.gaps_until, self.writers) if ahead else type(self)(mark)


def read_on(
    history: type[HistoryEntry], position: Position, limit: int, until: Position | None = None
) -> tuple[list[NumberedEntry], Position]:
    """Read the next events of a history; one query if there is no gap.

    Args:
        history: the table of the history.
        position: where to continue.
        limit: the most events to read.
        until: read only what was read at this later position; None reads all.

    Returns:
        The events that were not returned before, and the position after them.
    """
    # Check for ended writers before reading, so that the read sees everything they committed. List the current writers
    # after reading, so that the list includes every transaction that can fill a gap just seen.
    closed = position.gaps_until if position.ahead and not writers(history) & {*position.writers} else 0
    entries = _beyond(history, position.mark, min(len(position.ahead) + limit, MOST_AHEAD) if _has_gaps() else limit)
    if until is not None:
        entries = [each for each in entries if each.seq <= until.mark or each.seq in until.ahead]
        closed = max(closed, until.mark)
    if not _has_gaps():
        return entries, Position(entries[-1].seq) if entries else position
    after = position.after(entries, closed)
    if after.ahead and (closed or not position.ahead):
        after = Position(after.mark, after.ahead, after.ahead[-1], tuple(sorted(writers(history))))
    known = set(position.ahead)
    return [each for each in entries if each.seq not in known], after


def _beyond(history: type[HistoryEntry], mark: int, limit: int) -> list[NumberedEntry]:
    sql = f"""
        SELECT {selected(history)}, {number()} FROM {history._meta.db_table}
        WHERE {number()} > %s ORDER BY {number()} LIMIT %s
    """  # noqa: S608 - names of the code only
    return [NumberedEntry(seq, entry) for entry, seq in select(sql, [mark, limit], history)]


def writers(table: type[Model]) -> set[str]:
    """The virtual ids of the other open transactions that have written to a table or are about to; PostgreSQL only."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT virtualtransaction FROM pg_locks
            WHERE locktype = 'relation' AND relation = %s::regclass AND mode = 'RowExclusiveLock'
              AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
              AND pid IS DISTINCT FROM pg_backend_pid()
            """,
            [table._meta.db_table],
        )
        return {transaction for (transaction,) in cursor.fetchall()}


def number(table: str = "") -> str:
    """SQL expression for the number of a history's row.

    Args:
        table: the alias of the history in the statement, if it has one.
    """
    column = "seq" if _has_gaps() else "rowid"
    return f"{table}.{column}" if table else column


def not_handed_out(history: type[HistoryEntry], mark: str, ahead: str) -> str:
    """SQL condition: a row of a history lies beyond a position, so it has not been read.

    Args:
        history: the table, which the statement calls `history`.
        mark: SQL expression for the position's `mark`.
        ahead: SQL expression for the position's `ahead`.
    """
    seq = number("history")
    # With an upper bound the planner estimates a short range and uses the index; without it, it may scan the whole
    # history.
    beyond = f"{seq} > {mark} AND {seq} <= (SELECT max({number()}) FROM {history._meta.db_table})"  # noqa: S608 - names of the code only
    return f"{beyond} AND NOT ({ahead} @> to_jsonb({seq}))" if _has_gaps() else beyond


def _has_gaps() -> bool:
    return is_postgresql()
