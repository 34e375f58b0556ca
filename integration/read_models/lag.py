"""How far each read model is behind its history, in events and in seconds; one query for all of them."""

from datetime import datetime
from typing import NamedTuple

from django.db import connection

from integration.domain import clock
from integration.history.entries import history_of
from integration.read_models.history_reader import not_handed_out
from integration.read_models.models import of_live
from integration.read_models.registry import read_models


class Lag(NamedTuple):
    """How far a read model is behind.

    Args:
        read_model: its wire name.
        events: the number of events it does not show yet.
        seconds: the age of the oldest of them; 0 if there is none.
        error: why its projection failed; empty if it works.
        build: the key of its live build; None if no worker has begun one.
        own: whether this code has made that build; otherwise its own is not ready yet.
    """

    read_model: str
    events: int
    seconds: float
    error: str
    build: int | None
    own: bool


def lag() -> list[Lag]:
    """The lag of every read model, by name; one query."""
    names = [name for name, _ in read_models.items()]
    parts = " UNION ALL ".join(_part_of(name) for name in names)
    if not parts:
        return []
    with connection.cursor() as cursor:
        cursor.execute(parts, names)
        rows = cursor.fetchall()
    return sorted(
        Lag(name, events, _seconds_since(oldest), error, build, bool(own))
        for name, events, oldest, error, build, own in rows
    )


def _part_of(name: str) -> str:
    """SQL for the lag of one read model; without a live build, its whole history counts."""
    model = read_models.get(name)
    history, mine = history_of(model.context), f"code = '{model.code}'"
    own_error = f"SELECT error FROM integration_readmodelbuild WHERE {mine} ORDER BY ready DESC LIMIT 1"  # noqa: S608
    mark, ahead = f"coalesce({of_live('mark', name)}, 0)", f"coalesce({of_live('ahead', name)}, '[]')"
    return f"""
        SELECT %s AS read_model, count(*), min(history.occurred_at),
               coalesce(nullif(({own_error}), ''), {of_live("error", name)}, ''),
               {of_live("id", name)}, {of_live(f"ready AND {mine}", name)}
        FROM {history._meta.db_table} AS history WHERE {not_handed_out(history, mark, ahead)}
    """  # noqa: S608 - names of the code only


def _seconds_since(oldest: datetime | str | None) -> float:
    if oldest is None:
        return 0.0
    if isinstance(oldest, str):  # SQLite stores timestamps as text
        oldest = datetime.fromisoformat(f"{oldest}+00:00")
    return max((clock.now() - oldest).total_seconds(), 0.0)
