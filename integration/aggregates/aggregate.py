"""An aggregate guards its own rules: methods check, events change, and the row is the snapshot of what was recorded.

`record` applies an event and remembers it; applying an aggregate's history from nothing gives the aggregate again.
"""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from functools import cache
from typing import Any, ClassVar, Protocol, Self, TypeVar, cast
from uuid import UUID

from django.db import models
from django.utils.functional import cached_property

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
    """An aggregate as it was can be looked at, not changed."""


class Remembers(Protocol):
    """The unit of work, as far as an aggregate knows it."""

    def remember(self, recorded: Recorded, aggregate: "Aggregate") -> None:
        """Queue an event for dispatch that the aggregate has just recorded."""


class Part(models.Model):
    """A row that belongs to one aggregate and is loaded, changed and saved with it."""

    objects: ClassVar[models.Manager[Any]]

    class Meta:
        abstract = True

    @classmethod
    def of(cls, aggregate: "Aggregate", **values: Any) -> Self:
        """A new part of an aggregate: of a large order there are many, and Django takes its time with each.

        Raises:
            TypeError: for a name that no column has.
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
    """The foreign key by which a part belongs to its aggregate, and the attribute that is the aggregate's key."""
    keys: list[Any] = [field for field in part._meta.concrete_fields if field.many_to_one]
    return next((key, key_of(key.related_model)) for key in keys if issubclass(key.related_model, Aggregate))


class Parts:
    """The attribute that holds an aggregate's parts: read when it is first asked for, for all that were got with it."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __get__(self, aggregate: "Aggregate | None", model: "type[Aggregate]") -> Any:
        if aggregate is None:
            return self
        model.load_parts([each for each in aggregate._got_with or [aggregate] if self.name not in vars(each)])
        return vars(aggregate)[self.name]


def relation_of(model: "type[Aggregate]", accessor: str) -> models.ManyToOneRel:
    """How an aggregate's parts are related to it."""
    return cast(models.ManyToOneRel, model._meta.get_field(accessor))


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
    _is_past = False
    _got_with: Sequence[Self] = ()

    class Meta:
        abstract = True

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        own = {m.applies_event: m for m in vars(cls).values() if hasattr(m, "applies_event")}
        cls._appliers = {**cls._appliers, **own}
        for name in cls.parts:
            setattr(cls, name, Parts(name))

    def __init__(self, *args: Any, **values: Any) -> None:
        """As Django's; without values, what nothing has happened to yet."""
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
        """Change the state by what happened, and remember that it did; raises `PastIsFixed`."""
        self.refuse_if_past()
        cause = current_cause()
        self.apply(event)
        version, moment = self.version + 1, clock.now()
        if version > 1 and moment < self.updated_at:
            # A machine whose clock is behind must not tell that this happened before what it builds upon. What that
            # clock said is still to be read in the id.
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
        """Which of the streams of its kind is the aggregate's: its key, once it was born, and for good."""
        return str(self.pk)

    @cached_property
    def recorded_events(self) -> list[Recorded]:
        """What was recorded before a unit of work took charge of the aggregate."""
        return []

    def apply(self, event: DomainEvent) -> None:
        """Change the state by what happened; raises `TypeError` for an event that is not of this kind of aggregate."""
        try:
            applier = self._appliers[type(event)]
        except KeyError:
            raise TypeError(f"{type(self).__name__} does not apply {type(event).__name__}") from None
        applier(self, event)

    def refuse_if_past(self) -> None:
        """Raise `PastIsFixed` if this is an aggregate as it was."""
        if self._is_past:
            raise PastIsFixed(PastIsFixed.__doc__)

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

    def expect_version(self, versions: Collection[int] | None) -> None:
        """Raise `StaleVersion` unless the aggregate is in one of the versions somebody knows; None expects nothing."""
        self.require(versions is None or self.version in versions, StaleVersion)

    @staticmethod
    def require(holds: bool, otherwise: type[DomainError] | DomainError) -> None:
        """Raise `otherwise` unless the rule holds."""
        if not holds:
            raise otherwise

    def touch(self, part: Part) -> None:
        """Remember that a part was changed, so that it is saved with the aggregate."""
        self.touched_parts.append(part)

    @cached_property
    def touched_parts(self) -> list[Part]:
        """The parts changed since the aggregate was loaded."""
        return []

    @classmethod
    def load_parts(cls, aggregates: Sequence[Self]) -> None:
        """Give each of the aggregates its parts, in the order they were made; one query per kind of part."""
        for attribute, accessor in cls.parts.items():
            relation = relation_of(cls, accessor)
            rows = read(relation.related_model, relation.field.attname, [aggregate.pk for aggregate in aggregates])
            by_owner: dict[Any, list[Part]] = {aggregate.pk: [] for aggregate in aggregates}
            for row in rows:
                by_owner[getattr(row, relation.field.attname)].append(cast(Part, row))
            for aggregate in aggregates:
                setattr(aggregate, attribute, by_owner[aggregate.pk])


class OfOneStory(Aggregate):
    """An aggregate whose whole life belongs to one story, whoever acts upon it later."""

    correlation_id = models.UUIDField(editable=False, db_index=True)

    class Meta:
        abstract = True
