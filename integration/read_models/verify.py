"""Pieces of SQL for invariants that hold a read model against its aggregates, on a system at work.

A read model may be behind. So a row is judged only if the event that made the aggregate what it is has been shown,
and a sum only if nothing is behind: both in the one statement of the invariant, which sees one moment.
"""

from integration.history.entries import history_of
from integration.read_models.batch import read_models
from integration.read_models.history_reader import not_handed_out
from integration.read_models.models import of_live


def live_build(name: str) -> str:
    """SQL for the live build of a read model; NULL before it has begun."""
    return of_live("id", name)


def caught_up(name: str) -> str:
    """SQL for whether a read model has been shown all there is."""
    return f"{live_build(name)} IS NOT NULL AND NOT EXISTS (SELECT 1 FROM {_beyond(name)})"  # noqa: S608 - names of the code only


def shown(name: str, stream: str, stream_id: str, version: str) -> str:
    """SQL for whether a read model has been shown this event, whose aggregate and version are given as SQL."""
    table = history_of(read_models.get(name).context)._meta.db_table
    of_it = f"history.stream = '{stream}' AND history.stream_id = {stream_id} AND history.version = {version}"
    recorded = f"EXISTS (SELECT 1 FROM {table} AS history WHERE {of_it})"  # noqa: S608 - names of the code only
    return f"({live_build(name)} IS NOT NULL AND {recorded} AND NOT EXISTS (SELECT 1 FROM {_beyond(name)} AND {of_it}))"  # noqa: S608 - names of the code only


def _beyond(name: str) -> str:
    """SQL for the events that a read model has not been shown."""
    history = history_of(read_models.get(name).context)
    beyond = not_handed_out(history, of_live("mark", name), of_live("ahead", name))
    return f"{history._meta.db_table} AS history WHERE {beyond}"
