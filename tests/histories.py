"""What an aggregate recorded in memory, told again as the database would tell it."""

import json

from integration.aggregates.aggregate import Aggregate
from integration.aggregates.rebuild import difference
from integration.history.entries import history_of


def assert_is_its_history(aggregate: Aggregate) -> None:
    """Fail unless the aggregate is, field by field and by its table of states, what its own events make of it."""
    table = history_of(aggregate._meta.app_label)
    history = [table.of(recorded) for recorded in aggregate.recorded_events]
    for entry in history:
        entry.data = json.loads(json.dumps(entry.data))
    assert difference(aggregate, history) is None
