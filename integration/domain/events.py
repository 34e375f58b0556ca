"""A domain event is a fact: past tense, frozen, named for the wire, and private to its context.

What happened is the event; who, when, why and in which order is its `Metadata`. Both together are a `Recorded` event.
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
    """What happened to one aggregate. Subclasses add its facts and are named with `@domain_event`."""

    @property
    def summary(self) -> str:
        """The fact as a short sentence; events whose name does not say it all say more."""
        return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(self).__name__).capitalize()


E_ = TypeVar("E_", bound=type[DomainEvent])

domain_events: WireNames[type[DomainEvent]] = WireNames("domain event")


def domain_event(name: str, version: int = 1) -> Callable[[E_], E_]:
    """Give a domain event its wire name, `context.what_happened`, and the version of its fields.

    Raises:
        NestedPersonalData: when something within one of its fields is marked as personal.
    """

    def register(event: E_) -> E_:
        event.wire_name, event.schema_version = name, version
        personal_fields(event)
        domain_events.add(name, event)
        return event

    return register


class Recorded(msgspec.Struct, frozen=True, gc=False):
    """A domain event as it was recorded: the fact, the stream it belongs to, and its metadata."""

    event: DomainEvent
    stream: str
    stream_id: str
    metadata: Metadata

    def as_cause(self) -> Cause:
        """The cause of whatever is done because of this event."""
        return self.metadata.as_cause(self.event.wire_name)
