"""Erasing an aggregate's personal data leaves the log unchanged and deletes the values in the personal data store.

The caller also records an event about the erasure, so that the aggregate's row equals its history again.
"""

from collections.abc import Collection

from integration.aggregates.aggregate import Aggregate
from integration.aggregates.snapshots import Snapshot
from integration.history.entries import history_of
from integration.history.personal_data import PersonalData


def forget(model: type[Aggregate], keys: Collection[str]) -> None:
    """Delete the personal data of these aggregates, in two statements.

    This covers all their events, all messages that were published because of those events, and their snapshots, which
    contain personal data.
    """
    history = history_of(model._meta.app_label).objects.filter(stream=model.stream, stream_id__in=keys)
    PersonalData.objects.filter(event_id__in=history.order_by().values("id")).delete()
    Snapshot.objects.filter(stream=model.stream, stream_id__in=keys).delete()
