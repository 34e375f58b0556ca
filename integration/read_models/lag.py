"""How far each read model is behind its history, in events and in seconds; one query for all of them."""

from datetime import datetime
from typing import NamedTuple

from django.db import connection

from integration.domain import clock
from integration.history.entries import history_of
from integration.read_models.batch import read_models
from integration.read_models.history_reader import not_handed_out
from integration.read_models.models import of_live


class Lag(NamedTuple):
    """How late a read model is.

    Args:
        read_model: its wire name.
        events: so many events has it not been shown yet.
        seconds: for so long has the oldest of them been waiting; 0 when there is none.
        error: why it stands still; empty when it does not.
        begun: whether it has begun at all.
    """

    read_model: str
    events: int
    seconds: float
    error: str
    begun: bool


def lag() -> list[Lag]:
    """Every read model's lag, by name; one query."""
    names = [name for name, _ in read_models.items()]
    parts = " UNION ALL ".join(_part_of(name) for name in names)
    if not parts:
        return []
    with connection.cursor() as cursor:
        cursor.execute(parts, names)
        rows = cursor.fetchall()
    return sorted(
        Lag(name, events, _seconds_since(oldest), error, bool(begun)) for name, events, oldest, error, begun in rows
    )


def _part_of(name: str) -> str:
    """SQL for the lag of one: before it has begun, all of its history is before it."""
    history = history_of(read_models.get(name).context)
    mark, ahead = f"coalesce({of_live('mark', name)}, 0)", f"coalesce({of_live('ahead', name)}, '[]')"
    return f"""
        SELECT %s AS read_model, count(*), min(history.occurred_at), coalesce({of_live("error", name)}, ''),
               {of_live("count(*)", name)}
        FROM {history._meta.db_table} AS history WHERE {not_handed_out(history, mark, ahead)}
    """  # noqa: S608 - names of the code only


def _seconds_since(oldest: datetime | str | None) -> float:
    if oldest is None:
        return 0.0
    if isinstance(oldest, str):  # as SQLite keeps moments
        oldest = datetime.fromisoformat(f"{oldest}+00:00")
    return max((clock.now() - oldest).total_seconds(), 0.0)
