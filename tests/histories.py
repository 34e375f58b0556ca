"""Compares an aggregate with the events that it recorded in memory.

The events make the same JSON round trip as in the database.
"""

import json

from integration.aggregates.aggregate import Aggregate
from integration.aggregates.rebuild import difference
from integration.history.entries import history_of


def assert_is_its_history(aggregate: Aggregate) -> None:
    """Fail unless the aggregate's own events give the same fields, each by a transition of its state table."""
    table = history_of(aggregate._meta.app_label)
    history = [table.of(recorded) for recorded in aggregate.recorded_events]
    for entry in history:
        entry.data = json.loads(json.dumps(entry.data))
    assert difference(aggregate, history) is None
