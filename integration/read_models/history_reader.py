"""A history read in the order it was numbered misses nothing, although a number may be committed after its successors.

On PostgreSQL each row of a history has a number (`seq`) from a sequence. An aggregate's rows are numbered in the order
of their versions, because its row is locked while they are written. But a transaction that took its number early may
commit late: until then its number is a gap. What is visible beyond a gap is handed out at once and remembered as
*ahead*; the gap is given up only when nobody can fill it any more.

Whoever writes to a history holds a lock on its table until the transaction ends, and took it before the number. So
those who hold one just after a gap was seen are all who can fill it, and when they have ended, what is not there will
never be. Ids of transactions tell less: all databases of a server share them, and a copy of a database begins anew.

SQLite has one writer, so there the row ids have no gaps to wait for.
"""

from typing import NamedTuple, Self

from django.db import connection
from msgspec import Struct

from integration.history.entries import HistoryEntry
from integration.storage.reading import select
from integration.storage.sql import is_postgresql, selected

MOST_AHEAD = 2_000
"""As many events are handed out beyond a gap; then it is waited for, and the lag tells."""


class NumberedEntry(NamedTuple):
    """An event, and where it stands in its history."""

    seq: int
    entry: HistoryEntry


class Position(Struct, frozen=True):
    """How far a history has been read.

    Args:
        mark: every number up to this one has been handed out, or belongs to nothing.
        ahead: the numbers beyond it that have been handed out all the same, for there is a gap before them.
        gaps_until: up to this number, the gaps can be filled by nobody but …
        writers: … these transactions.
    """

    mark: int = 0
    ahead: tuple[int, ...] = ()
    gaps_until: int = 0
    writers: tuple[str, ...] = ()

    def after(self, entries: list[NumberedEntry], closed: int) -> Self:
        """The position after these were handed out, all there are beyond the mark, or the first of them.

        Args:
            closed: up to this number, gaps stay gaps.
        """
        mark = self.mark
        for seq in (each.seq for each in entries):
            if seq - 1 > max(mark, closed):
                break
            mark = seq
        ahead = tuple(sorted(seq for seq in {*self.ahead, *(each.seq for each in entries)} if seq > mark))
        return type(self)(mark, ahead, self.gaps_until, self.writers) if ahead else type(self)(mark)


def read_on(history: type[HistoryEntry], position: Position, limit: int) -> tuple[list[NumberedEntry], Position]:
    """Up to `limit` events that were not handed out before, and the position after them; without a gap, one query."""
    # Who has ended is asked before reading, so that what they wrote can be read; who is writing, afterwards.
    closed = position.gaps_until if position.ahead and not writers(history) & {*position.writers} else 0
    entries = _beyond(history, position.mark, min(len(position.ahead) + limit, MOST_AHEAD) if _has_gaps() else limit)
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


def writers(history: type[HistoryEntry]) -> set[str]:
    """The other transactions that have written to a history, or are about to, and have not ended; on PostgreSQL."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT virtualtransaction FROM pg_locks
            WHERE locktype = 'relation' AND relation = %s::regclass AND mode = 'RowExclusiveLock'
              AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
              AND pid IS DISTINCT FROM pg_backend_pid()
            """,
            [history._meta.db_table],
        )
        return {transaction for (transaction,) in cursor.fetchall()}


def number(table: str = "") -> str:
    """SQL for the number of a row of a history, which may be known as `table`."""
    column = "seq" if _has_gaps() else "rowid"
    return f"{table}.{column}" if table else column


def not_handed_out(history: type[HistoryEntry], mark: str, ahead: str) -> str:
    """SQL for whether a row of a history, known as `history`, lies beyond a position, whose parts are given as SQL."""
    seq = number("history")
    # With an end as well, PostgreSQL takes it for a short range, and does not go through all there ever was.
    beyond = f"{seq} > {mark} AND {seq} <= (SELECT max({number()}) FROM {history._meta.db_table})"  # noqa: S608 - names of the code only
    return f"{beyond} AND NOT ({ahead} @> to_jsonb({seq}))" if _has_gaps() else beyond


def _has_gaps() -> bool:
    return is_postgresql()
