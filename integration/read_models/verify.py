"""SQL fragments for invariants that compare a read model with its aggregates on a running system.

A read model may be behind. So a row is checked only if the read model has applied the aggregate's latest event, and a
sum only if the read model has applied all events. Both conditions are part of the invariant's one statement, which sees
a single snapshot. Only rows that this code has made are checked. Rows of other code may mean something else, and they
are read only until this code has built its own.
"""

from integration.history.entries import history_of
from integration.invariants import Check, always
from integration.read_models.history_reader import not_handed_out
from integration.read_models.models import of_own
from integration.read_models.registry import read_models


def own_build(name: str) -> str:
    """SQL expression for the key of this code's build of a read model; NULL if it is not ready."""
    return of_own("id", name)


def caught_up(name: str) -> str:
    """SQL condition: a read model has applied every event of its history."""
    return f"{own_build(name)} IS NOT NULL AND NOT EXISTS (SELECT 1 FROM {_beyond(name)})"  # noqa: S608 - names of the code only


def shown(name: str, stream: str, stream_id: str, version: str) -> str:
    """SQL condition: a read model has applied this event.

    Args:
        name: the wire name of the read model.
        stream: the kind of aggregate.
        stream_id: SQL expression for the aggregate's key.
        version: SQL expression for the aggregate's version after the event.
    """
    table = history_of(read_models.get(name).context)._meta.db_table
    of_it = f"history.stream = '{stream}' AND history.stream_id = {stream_id} AND history.version = {version}"
    recorded = f"EXISTS (SELECT 1 FROM {table} AS history WHERE {of_it})"  # noqa: S608 - names of the code only
    return f"({own_build(name)} IS NOT NULL AND {recorded} AND NOT EXISTS (SELECT 1 FROM {_beyond(name)} AND {of_it}))"  # noqa: S608 - names of the code only


def _beyond(name: str) -> str:
    """SQL for the events that a read model has not applied: a table with its WHERE clause."""
    history = history_of(read_models.get(name).context)
    beyond = not_handed_out(history, of_own("mark", name), of_own("ahead", name))
    return f"{history._meta.db_table} AS history WHERE {beyond}"


@always("read_models.every_row_has_a_build")
def every_row_has_a_build() -> Check:
    """Every row of a read model belongs to a build; the next `manage.py rebuild` deletes others."""
    rows = " UNION ALL ".join(
        f"SELECT '{name}' AS read_model, build, count(*) AS n FROM {model.rows._meta.db_table} GROUP BY build"  # noqa: S608
        for name, model in read_models.items()
    )
    return Check(
        rows=f"""
            ({rows}) AS row_of LEFT JOIN integration_readmodelbuild AS build
                ON build.id = row_of.build AND build.read_model = row_of.read_model
        """,
        what="row_of.read_model || ': ' || row_of.n || ' rows of build ' || row_of.build",
        never={"there is no such build": "build.id IS NULL"},
    )
