"""Every domain event is stored permanently in its context's append-only history table, without its personal data.

Each context has a `History` model, a subclass of `HistoryEntry`. Only the unit of work writes to it. The personal data
is in the personal data store, where it can be erased.
"""

from functools import cache, cached_property
from typing import Any, ClassVar

from django.apps import apps
from django.db import models

from integration.domain.events import DomainEvent, Recorded, domain_events
from integration.domain.naming import UnknownName
from integration.domain.personal import split_personal
from integration.domain.versions import Facts, UnknownVersion, from_data
from integration.history.personal_data import WithPersonalData
from integration.storage.rows import Row


class HistoryIsAppendOnly(RuntimeError):
    """Rows of a history cannot be changed or deleted."""


class HistoryEntry(WithPersonalData, models.Model):
    """A stored domain event of the aggregate `stream`, `stream_id`. `version` counts that aggregate's events from 1."""

    kinds = domain_events

    id = models.UUIDField(primary_key=True)
    stream = models.CharField(max_length=40)
    stream_id = models.CharField(max_length=64)
    version = models.PositiveIntegerField()
    name = models.CharField(max_length=80)
    schema_version = models.PositiveSmallIntegerField()
    data = models.JSONField()
    occurred_at = models.DateTimeField()
    correlation_id = models.UUIDField(db_index=True)
    causation_id = models.UUIDField(null=True)
    actor = models.CharField(max_length=80)
    traceparent = models.CharField(max_length=55, null=True)  # noqa: DJ001 - absent is not the empty string

    objects: ClassVar[models.Manager[Any]]

    class Meta:
        abstract = True
        ordering: ClassVar = ["id"]
        verbose_name_plural = "history"
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["stream", "stream_id", "version"], name="%(app_label)s_history_one_event_a_version"
            )
        ]

    def __str__(self) -> str:
        return f"{self.name} of {self.stream_id}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise HistoryIsAppendOnly(HistoryIsAppendOnly.__doc__)
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        raise HistoryIsAppendOnly(HistoryIsAppendOnly.__doc__)

    @classmethod
    def of(cls, recorded: Recorded) -> "HistoryEntry":
        """Return an unsaved entry for a recorded event."""
        columns, personal = entry_of(recorded)
        entry = cls(**columns)
        entry.personal = personal
        return entry

    @property
    def data_version(self) -> int:
        return self.schema_version

    @cached_property
    def event(self) -> DomainEvent:
        """The domain event, upcast to its newest version; raises `UnknownName` if this code cannot read it."""
        return from_data(domain_events.get(self.name), self.facts, self.schema_version)

    def refuse_unknown(self) -> None:
        """Raise `UnknownName` if this code does not know the event, or not in this version."""
        newest = domain_events.get(self.name).schema_version
        if self.schema_version > newest:
            raise UnknownVersion(
                f"{self.name} is known up to version {newest}, and this is version {self.schema_version}"
            )

    @property
    def context(self) -> str:
        """The label of the context that the event belongs to."""
        return self._meta.app_label

    @property
    def summary(self) -> str:
        """The event as a sentence for people. This works even if only newer code can read the event."""
        try:
            return self.event.sentence(self.stream_id)
        except UnknownName as unknown:
            return f"{self.name} ({unknown})"


def entry_of(recorded: Recorded) -> tuple[Row, Facts]:
    """Return the history row of a recorded event, and the values for the personal data store."""
    event, metadata = recorded.event, recorded.metadata
    data, personal = split_personal(event)
    return {
        "id": metadata.id,
        "stream": recorded.stream,
        "stream_id": recorded.stream_id,
        "version": metadata.version,
        "name": event.wire_name,
        "schema_version": event.schema_version,
        "data": data,
        "occurred_at": metadata.occurred_at,
        "correlation_id": metadata.correlation_id,
        "causation_id": metadata.causation_id,
        "actor": metadata.actor,
        "traceparent": metadata.traceparent,
    }, personal


@cache
def history_of(context: str) -> type[HistoryEntry]:
    """Return the `History` model of a context."""
    return apps.get_model(context, "History")
