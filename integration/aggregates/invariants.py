"""The invariant of rows and histories that one query can check for all aggregates, even those that are long at rest.

`rebuild.rows_are_their_histories` goes from rows to histories. This goes the other way, so it finds what was deleted.
"""

from django.db import connection

from integration.aggregates.aggregate import Aggregate
from integration.aggregates.rebuild import aggregates
from integration.history.append_only import histories
from integration.history.entries import history_of
from integration.invariants import Check, always


@always("events.every_history_has_its_row")
def every_history_has_its_row() -> Check:
    """Every stream is of an aggregate whose row exists and is at the version of its last event, and none has a gap."""
    kinds = aggregates()
    rows = " UNION ALL ".join(_rows(model) for model in kinds)
    streams = " UNION ALL ".join(
        f"""SELECT '{table}' AS history, stream, stream_id, count(*) AS events, min(version) AS first,
            max(version) AS last FROM {table} GROUP BY stream, stream_id"""  # noqa: S608 - names of the code only
        for table in histories()
    )
    known = ", ".join(f"'{model.stream}'" for model in kinds)
    return Check(
        rows=f"""
            ({streams}) AS stream
            FULL JOIN ({rows}) AS row_of
                ON row_of.history = stream.history AND row_of.stream = stream.stream AND row_of.key = stream.stream_id
        """,
        what="""
            coalesce(stream.stream || ' ' || stream.stream_id, row_of.stream || ' ' || row_of.key) || ': '
              || coalesce(stream.events, 0) || ' events up to version ' || coalesce(stream.last, 0) || ', '
              || coalesce('row at version ' || row_of.version, 'no row')
        """,
        never={
            "the row is missing": f"row_of.key IS NULL AND stream.stream IN ({known})",
            "this code knows no such aggregate": f"coalesce(stream.stream NOT IN ({known}), FALSE)",
            "there are no events": "stream.stream_id IS NULL",
            "versions are missing": "coalesce(stream.first <> 1 OR stream.last <> stream.events, FALSE)",
            "the row is at another version": "coalesce(row_of.version <> stream.last, FALSE)",
        },
    )


def _rows(model: type[Aggregate]) -> str:
    quote = connection.ops.quote_name
    table, key = quote(model._meta.db_table), quote(str(model._meta.pk.column))
    history = history_of(model._meta.app_label)._meta.db_table
    return f"SELECT '{history}' AS history, '{model.stream}' AS stream, {key} AS key, version FROM {table}"  # noqa: S608
