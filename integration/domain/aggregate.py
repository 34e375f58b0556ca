"""An aggregate guards its own rules: methods check, events change, and the row is the snapshot of what was recorded.

`record` applies an event and remembers it; applying an aggregate's history from nothing gives the aggregate again.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, ClassVar, Protocol, Self, TypeVar, cast
from uuid import UUID

from django.db import models

from integration.domain import clock
from integration.domain.errors import DomainError, StaleVersion
from integration.domain.events import DomainEvent, Recorded
from integration.domain.history import HistoryEntry
from integration.domain.identifiers import new_event_id
from integration.domain.metadata import Metadata, current_cause
from integration.domain.states import StateTable

E = TypeVar("E", bound=DomainEvent)


def applies(event_type: type[E]) -> Callable[[Callable[[Any, E], None]], Callable[[Any, E], None]]:
    """Mark the method that changes the aggregate's state when an event of this type is applied."""

    def mark(method: Callable[[Any, E], None]) -> Callable[[Any, E], None]:
        method.applies_event = event_type  # type: ignore[attr-defined]
        return method

    return mark


class Remembers(Protocol):
    """Whoever takes charge of what an aggregate records: a unit of work."""

    def remember(self, recorded: Recorded) -> None:
        """Dispatch the event, and keep it."""


class Part(models.Model):
    """A row that belongs to one aggregate and is loaded, changed and saved with it."""

    objects: ClassVar[models.Manager[Any]]

    class Meta:
        abstract = True


class Aggregate(models.Model):
    """What is changed as one, by recording domain events.

    Subclasses give `stream`, the stable name of their kind in the history, and may give `parts`: which attribute holds
    the list of which related rows (`{"lines": "line_rows"}`), and `life`, the table of their states.
    """

    stream: ClassVar[str]
    parts: ClassVar[dict[str, str]] = {}
    life: ClassVar[StateTable | None] = None
    correlation_id: Any = None
    status: Any

    version = models.PositiveIntegerField(default=0, editable=False)
    created_at = models.DateTimeField(editable=False, db_index=True)
    updated_at = models.DateTimeField(editable=False)

    objects: ClassVar[models.Manager[Any]]
    _appliers: ClassVar[dict[type[DomainEvent], Callable[[Any, Any], None]]] = {}
    _work: Remembers | None = None

    class Meta:
        abstract = True

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        own = {m.applies_event: m for m in vars(cls).values() if hasattr(m, "applies_event")}
        cls._appliers = {**cls._appliers, **own}

    def record(self, event: DomainEvent) -> None:
        """Change the state by what happened, and remember that it did."""
        cause = current_cause()
        self.apply(event)
        metadata = Metadata(
            id=new_event_id(),
            occurred_at=clock.now(),
            version=self.version + 1,
            correlation_id=self.correlation_id or cause.correlation_id,
            causation_id=cause.causation_id,
            actor=cause.actor,
            traceparent=cause.traceparent,
            chain=cause.chain,
        )
        self._stamp(metadata.version, metadata.occurred_at, metadata.correlation_id)
        recorded = Recorded(event, self.stream, str(self.pk), metadata)
        if self._work is None:
            self.recorded_events.append(recorded)
        else:
            self._work.remember(recorded)

    @property
    def recorded_events(self) -> list[Recorded]:
        """What was recorded before a unit of work took charge of the aggregate."""
        return self.__dict__.setdefault("_recorded", [])

    def apply(self, event: DomainEvent) -> None:
        """Change the state by what happened; raises `TypeError` for an event that is not of this kind of aggregate."""
        try:
            applier = self._appliers[type(event)]
        except KeyError:
            raise TypeError(f"{type(self).__name__} does not apply {type(event).__name__}") from None
        applier(self, event)

    @classmethod
    def rebuild(cls, history: Iterable[HistoryEntry]) -> Self:
        """The aggregate as its history, oldest first, tells it."""
        aggregate = cls()
        for entry in history:
            aggregate.apply_entry(entry)
        return aggregate

    def apply_entry(self, entry: HistoryEntry) -> None:
        """Go one step of the history: become what the aggregate was after it."""
        self.apply(entry.event)
        self._stamp(entry.version, entry.occurred_at, entry.correlation_id)

    def _stamp(self, version: int, moment: datetime, correlation_id: UUID) -> None:
        if version == 1:
            self.created_at = moment
            if isinstance(self, OfOneStory):
                self.correlation_id = correlation_id
        self.version, self.updated_at = version, moment

    def accepts(self, message: str) -> bool:
        """Whether the table of states wants `message` acted upon now; False when it is to be ignored.

        Raises:
            NotAllowed, NotYet: as the table says.
        """
        if self.life is None:
            raise TypeError(f"{type(self).__name__} has no table of states")
        return self.life.accepts(message, self.status, str(self))

    def expect_version(self, version: int | None) -> None:
        """Raise `StaleVersion` unless the aggregate is in the version somebody has read; None expects nothing."""
        self.require(version in (None, self.version), StaleVersion)

    @staticmethod
    def require(holds: bool, otherwise: type[DomainError] | DomainError) -> None:
        """Raise `otherwise` unless the rule holds."""
        if not holds:
            raise otherwise

    def touch(self, part: Part) -> None:
        """Remember that a part was changed, so that it is saved with the aggregate."""
        self.touched_parts.append(part)

    @property
    def touched_parts(self) -> list[Part]:
        """The parts changed since the aggregate was loaded."""
        return self.__dict__.setdefault("_touched", [])

    @classmethod
    def load_parts(cls, aggregates: Sequence[Self]) -> None:
        """Give each of the aggregates its parts, in the order they were made; one query per kind of part."""
        for attribute, accessor in cls.parts.items():
            relation = cast(models.ManyToOneRel, cls._meta.get_field(accessor))
            rows = relation.related_model._default_manager.filter(**{f"{relation.field.name}__in": aggregates})
            by_owner: dict[Any, list[Part]] = {aggregate.pk: [] for aggregate in aggregates}
            for row in rows.order_by("pk"):
                by_owner[getattr(row, relation.field.attname)].append(cast(Part, row))
            for aggregate in aggregates:
                setattr(aggregate, attribute, by_owner[aggregate.pk])


class OfOneStory(Aggregate):
    """An aggregate whose whole life belongs to one story, whoever acts upon it later."""

    correlation_id = models.UUIDField(editable=False, db_index=True)

    class Meta:
        abstract = True
