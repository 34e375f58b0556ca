"""Lists that clients poll: a read model with one row for each aggregate, which says when it last changed.

Each context that has such a list declares a `PolledRow` whose foreign key to the aggregate has the related name
`changes`, and a read model that calls `note_changes`.
"""

from typing import TypeVar, cast

from django.db.models import F, Model, QuerySet
from django.db.models.expressions import RawSQL

from integration.read_models.batch import Batch
from integration.read_models.catch_up import catch_up
from integration.read_models.models import PolledRow, of_live

M = TypeVar("M", bound=Model)


def changed(rows: QuerySet[M], changes: type[PolledRow]) -> QuerySet[M]:
    """Return these rows with `shown_at`, the moment of their last change in an order that misses none."""
    catch_up(changes.read_model)
    live = RawSQL(of_live("id", changes.read_model), ())  # noqa: S611 - names of the code only
    return cast("QuerySet[M]", rows.filter(changes__build=live).annotate(shown_at=F("changes__shown_at")))


def note_changes(batch: Batch) -> None:
    """Note when the aggregates of a batch of events changed."""
    rows = batch.load({(entry.stream_id,) for entry in batch.entries})
    for entry in batch.entries:
        rows[entry.stream_id,].shown_at = batch.shown_at(entry)
    batch.write(rows.values())
