"""A domain event is an immutable fact in the past tense. It has a wire name and is private to its context.

The event says what happened. Its `Metadata` says when, in which order, why, and who caused it. `Recorded` holds both.
"""

import re
from collections.abc import Callable
from typing import TypeVar

import msgspec

from integration.domain.metadata import Cause, Metadata
from integration.domain.naming import WireNames
from integration.domain.personal import personal_fields
from integration.domain.versions import Versioned


class DomainEvent(Versioned, frozen=True):
    """A fact about one aggregate. Subclasses declare its fields and are registered with `@domain_event`."""

    @property
    def summary(self) -> str:
        """The event as a short sentence, by default made from the class name. Events override it to say more."""
        return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(self).__name__).capitalize()


E_ = TypeVar("E_", bound=type[DomainEvent])

domain_events: WireNames[type[DomainEvent]] = WireNames("domain event")
"""All domain events by wire name."""


def domain_event(name: str, version: int = 1) -> Callable[[E_], E_]:
    """Register a domain event under its wire name.

    Args:
        name: the wire name, such as `context.what_happened`.
        version: the version of the event's fields.

    Raises:
        NestedPersonalData: when a field contains a part that is marked as personal.
    """

    def register(event: E_) -> E_:
        event.wire_name, event.schema_version = name, version
        personal_fields(event)
        domain_events.add(name, event)
        return event

    return register


class Recorded(msgspec.Struct, frozen=True, gc=False):
    """A domain event as it was recorded: the event, the stream of its aggregate, and its metadata."""

    event: DomainEvent
    stream: str
    stream_id: str
    metadata: Metadata

    def as_cause(self) -> Cause:
        """Return the `Cause` of everything that is done because of this event."""
        return self.metadata.as_cause(self.event.wire_name)
