"""Erasing leaves the log as it is, and takes away all that was kept beside it of what happened to an aggregate.

Whoever erases records it as well, so that the aggregate's row becomes what its history tells from now on.
"""

from collections.abc import Collection

from integration.aggregates.aggregate import Aggregate
from integration.aggregates.snapshots import Snapshot
from integration.history.entries import history_of
from integration.history.personal_data import PersonalData


def forget(model: type[Aggregate], keys: Collection[str]) -> None:
    """Delete the personal values of all that happened to these aggregates, of all messages published because of it,
    and the snapshots, which were made of them; two statements."""
    history = history_of(model._meta.app_label).objects.filter(stream=model.stream, stream_id__in=keys)
    PersonalData.objects.filter(event_id__in=history.order_by().values("id")).delete()
    Snapshot.objects.filter(stream=model.stream, stream_id__in=keys).delete()
