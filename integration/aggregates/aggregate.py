"""An aggregate enforces its own rules: its methods check and record events, and only events change its state.

`record` applies an event and queues it for the history. Applying the whole history to an empty aggregate gives the same
state again, so the aggregate's row is a snapshot of its history.
"""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from functools import cache
from typing import Any, ClassVar, Protocol, Self, TypeVar, cast
from uuid import UUID

from django.db import models
from django.utils.functional import cached_property

from integration.aggregates.direct_writes import WrittenByUnitOfWork
from integration.domain import clock
from integration.domain.errors import DomainError, StaleVersion
from integration.domain.events import DomainEvent, Recorded
from integration.domain.identifiers import new_event_id
from integration.domain.metadata import Metadata, current_cause
from integration.domain.states import StateTable
from integration.history.entries import HistoryEntry
from integration.storage.reading import read
from integration.storage.rows import begin, blank, key_of, unsaved

E = TypeVar("E", bound=DomainEvent)


def applies(event_type: type[E]) -> Callable[[Callable[[Any, E], None]], Callable[[Any, E], None]]:
    """Mark the method that changes the aggregate's state when an event of this type is applied."""

    def mark(method: Callable[[Any, E], None]) -> Callable[[Any, E], None]:
        method.applies_event = event_type  # type: ignore[attr-defined]
        return method

    return mark


class PastIsFixed(RuntimeError):
    """A past state of an aggregate is read-only."""


class EventQueue(Protocol):
    """The part of the unit of work that an aggregate uses."""

    def remember(self, recorded: Recorded, aggregate: "Aggregate") -> None:
        """Queue an event that the aggregate has just recorded for dispatch."""


class Part(WrittenByUnitOfWork):
    """A child row of one aggregate, such as an order line.

    It is loaded, changed and saved together with the aggregate.
    """

    class Meta:
        abstract = True

    @classmethod
    def of(cls, aggregate: "Aggregate", **values: Any) -> Self:
        """Return a new part of an aggregate, without calling `Model.__init__`.

        A large order has many parts, and `Model.__init__` is slow.

        Raises:
            TypeError: when a value's name is not a column.
        """
        owner, key = _owner(cls)
        if not values.keys() <= blank(cls).keys():
            raise TypeError(f"{cls.__name__} has no {', '.join(sorted(values.keys() - blank(cls).keys()))}")
        values[owner.attname] = vars(aggregate)[key]
        part = unsaved(cls, values)
        part._state.fields_cache = {owner.cache_name: aggregate}
        return part


@cache
def _owner(part: type[Part]) -> tuple[Any, str]:
    """Return the foreign key from a part to its aggregate, and the name of the aggregate's primary key attribute."""
    keys: list[Any] = [field for field in part._meta.concrete_fields if field.many_to_one]
    return next((key, key_of(key.related_model)) for key in keys if issubclass(key.related_model, Aggregate))


class Parts:
    """The attribute that holds an aggregate's parts.

    Its first use loads the parts of all aggregates that were loaded together, in one query.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    def __get__(self, aggregate: "Aggregate | None", model: "type[Aggregate]") -> Any:
        if aggregate is None:
            return self
        model.load_parts([each for each in aggregate._loaded_with or [aggregate] if self.name not in vars(each)])
        return vars(aggregate)[self.name]


def relation_of(model: "type[Aggregate]", accessor: str) -> models.ManyToOneRel:
    """Return the reverse relation from an aggregate to its parts."""
    return cast(models.ManyToOneRel, model._meta.get_field(accessor))


class Aggregate(WrittenByUnitOfWork):
    """An object that is changed as one unit, by recording domain events.

    Subclasses define:

    * `stream`: the stable name of this kind of aggregate in the history.
    * `formerly`: the names that the stream had before; `migrate` gives their events the name of today.
    * `parts`: optionally, the attributes that hold parts and their reverse relations, such as `{"lines": "line_rows"}`.
    * `life`: optionally, the state table.
    """

    stream: ClassVar[str]
    formerly: ClassVar[tuple[str, ...]] = ()
    parts: ClassVar[dict[str, str]] = {}
    life: ClassVar[StateTable | None] = None
    correlation_id: Any = None
    status: Any

    version = models.PositiveIntegerField(default=0, editable=False)
    created_at = models.DateTimeField(editable=False, db_index=True)
    updated_at = models.DateTimeField(editable=False)

    _appliers: ClassVar[dict[type[DomainEvent], Callable[[Any, Any], None]]] = {}
    _work: EventQueue | None = None
    _is_past = False
    _loaded_with: Sequence[Self] = ()

    class Meta:
        abstract = True

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        own = {m.applies_event: m for m in vars(cls).values() if hasattr(m, "applies_event")}
        cls._appliers = {**cls._appliers, **own}
        for name in cls.parts:
            setattr(cls, name, Parts(name))

    def __init__(self, *args: Any, **values: Any) -> None:
        """Initialize as Django does. Without arguments, initialize an aggregate that has no events yet."""
        if args or values:
            super().__init__(*args, **values)
        else:
            begin(self, {})

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.refuse_if_past()
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        self.refuse_if_past()
        return super().delete(*args, **kwargs)

    def record(self, event: DomainEvent) -> None:
        """Apply an event and queue it for dispatch; raises `PastIsFixed`."""
        self.refuse_if_past()
        cause = current_cause()
        self.apply(event)
        version, moment = self.version + 1, clock.now()
        if version > 1 and moment < self.updated_at:
            # This machine's clock is behind. The event must not be dated before the previous event. Its id, a UUIDv7,
            # still contains the time of this clock.
            moment = self.updated_at
        correlation_id = self.correlation_id or cause.correlation_id
        metadata = Metadata(
            id=new_event_id(),
            occurred_at=moment,
            version=version,
            correlation_id=correlation_id,
            causation_id=cause.causation_id,
            actor=cause.actor,
            traceparent=cause.traceparent,
            chain=cause.chain,
        )
        self._stamp(version, moment, correlation_id)
        recorded = Recorded(event, self.stream, self.stream_id, metadata)
        if self._work is None:
            self.recorded_events.append(recorded)
        else:
            self._work.remember(recorded, self)

    @cached_property
    def stream_id(self) -> str:
        """The id of the aggregate's stream: its primary key, which is read once and never changes."""
        return str(self.pk)

    @cached_property
    def recorded_events(self) -> list[Recorded]:
        """The events that were recorded before the aggregate was added to a unit of work."""
        return []

    def apply(self, event: DomainEvent) -> None:
        """Change the state by an event.

        Raises:
            TypeError: when this kind of aggregate does not apply events of this type.
        """
        try:
            applier = self._appliers[type(event)]
        except KeyError:
            raise TypeError(f"{type(self).__name__} does not apply {type(event).__name__}") from None
        applier(self, event)

    def refuse_if_past(self) -> None:
        """Raise `PastIsFixed` if this is a past state of an aggregate."""
        if self._is_past:
            raise PastIsFixed(PastIsFixed.__doc__)

    def apply_entry(self, entry: HistoryEntry) -> None:
        """Apply the next entry of the history, and set the version and times as they were after it."""
        self.apply(entry.event)
        self._stamp(entry.version, entry.occurred_at, entry.correlation_id)

    def _stamp(self, version: int, moment: datetime, correlation_id: UUID) -> None:
        if version == 1:
            self.created_at = moment
            if isinstance(self, OfOneStory):
                self.correlation_id = correlation_id
        self.version, self.updated_at = version, moment

    def accepts(self, message: str) -> bool:
        """Return whether to act upon `message` in the current state: True to act, False to ignore it.

        Raises:
            NotAllowed, NotYet: as the state table says.
            TypeError: when this kind of aggregate has no state table.
        """
        if self.life is None:
            raise TypeError(f"{type(self).__name__} has no state table")
        return self.life.accepts(message, self.status, str(self))

    def expect_version(self, versions: Collection[int] | None) -> None:
        """Raise `StaleVersion` unless the aggregate has one of these versions. None accepts any version."""
        self.require(versions is None or self.version in versions, StaleVersion)

    @staticmethod
    def require(holds: bool, otherwise: type[DomainError] | DomainError) -> None:
        """Raise the error `otherwise` unless `holds` is true."""
        if not holds:
            raise otherwise

    def touch(self, part: Part) -> None:
        """Note that a part was changed, so that it is saved with the aggregate."""
        self.touched_parts.append(part)

    @cached_property
    def touched_parts(self) -> list[Part]:
        """The parts that were changed since the aggregate was loaded."""
        return []

    @classmethod
    def load_parts(cls, aggregates: Sequence[Self]) -> None:
        """Load the parts of all these aggregates, in the order of creation, with one query for each kind of part."""
        for attribute, accessor in cls.parts.items():
            relation = relation_of(cls, accessor)
            rows = read(relation.related_model, relation.field.attname, [aggregate.pk for aggregate in aggregates])
            by_owner: dict[Any, list[Part]] = {aggregate.pk: [] for aggregate in aggregates}
            for row in rows:
                by_owner[getattr(row, relation.field.attname)].append(cast(Part, row))
            for aggregate in aggregates:
                setattr(aggregate, attribute, by_owner[aggregate.pk])


class OfOneStory(Aggregate):
    """An aggregate whose events all belong to one story, even if a later command started another story."""

    correlation_id = models.UUIDField(editable=False, db_index=True)

    class Meta:
        abstract = True
