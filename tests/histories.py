"""Compares an aggregate with the events that it recorded in memory.

The events make the same JSON round trip as in the database.
"""

import json

from integration.aggregates.aggregate import Aggregate
from integration.aggregates.rebuild import difference
from integration.aggregates.snapshots import state_of
from integration.history.entries import HistoryEntry, history_of


def assert_is_its_history(aggregate: Aggregate) -> None:
    """Fail unless the aggregate's own events give the same fields, each by a transition of its state table.

    An aggregate that has the state and the number of events that it had when it was last compared is not compared
    again: the result would be the same. Entries are made once for each event, since events are immutable.
    """
    memory = vars(aggregate).setdefault("_compared", {"entries": [], "state": None})
    state, entries = state_of(aggregate), memory["entries"]
    if (len(aggregate.recorded_events), state) == (len(entries), memory["state"]):
        return
    table = history_of(aggregate._meta.app_label)
    for recorded in aggregate.recorded_events[len(entries) :]:
        entry: HistoryEntry = table.of(recorded)
        entry.data = json.loads(json.dumps(entry.data))
        entries.append(entry)
    assert difference(aggregate, entries) is None
    memory["state"] = state
