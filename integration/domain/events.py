"""A domain event is an immutable fact in the past tense. It has a wire name and is private to its context.

The event says what happened. Its `Metadata` says when, in which order, why, and who caused it. `Recorded` holds both.
"""

import re
from collections.abc import Callable
from typing import ClassVar, TypeVar

import msgspec

from integration.domain.metadata import Cause, Metadata
from integration.domain.naming import WireNames
from integration.domain.personal import personal_fields
from integration.domain.sentences import fields_of, sentence
from integration.domain.versions import Versioned


class DomainEvent(Versioned, frozen=True):
    """A fact about one aggregate. Subclasses declare its fields and are registered with `@domain_event`."""

    says: ClassVar[str] = ""
    erases: ClassVar[bool] = False

    @property
    def summary(self) -> str:
        """The event as a short sentence."""
        return self.sentence("it")

    def sentence(self, key: str) -> str:
        """Return the event as a short sentence for people, without personal data.

        Args:
            key: the key of the event's aggregate, which not every event has as a field.
        """
        text = sentence(self.says, {"key": key, **{name: getattr(self, name) for name in self.__struct_fields__}})
        return text[:1].upper() + text[1:]


class CannotSay(TypeError):
    """A sentence about an event may name the aggregate's `key` and the event's fields that are not personal."""


E_ = TypeVar("E_", bound=type[DomainEvent])

domain_events: WireNames[type[DomainEvent]] = WireNames("domain event")
"""All domain events by wire name."""


def domain_event(name: str, version: int = 1, *, says: str = "", erases: bool = False) -> Callable[[E_], E_]:
    """Register a domain event under its wire name.

    Args:
        name: the wire name, such as `context.what_happened`.
        version: the version of the event's fields.
        says: the event as a sentence, which begins with a small letter and has no full stop, with the names of fields
            in braces: `order {order} was placed for {total}`. `{key}` is the aggregate's key. By default the sentence
            is the class name in words.
        erases: whether the personal data of all earlier events of its aggregate is erased with this event.

    Raises:
        NestedPersonalData: when a field contains a part that is marked as personal.
        CannotSay: when the sentence names a field that is personal or does not exist.
    """

    def register(event: E_) -> E_:
        event.wire_name, event.schema_version = name, version
        event.says, event.erases = says or _in_words(event.__name__), erases
        wrong = fields_of(event.says) - {"key", *event.__struct_fields__} | fields_of(says) & {*personal_fields(event)}
        if wrong:
            raise CannotSay(f"{name} says {', '.join(sorted(wrong))}: {CannotSay.__doc__}")
        domain_events.add(name, event)
        return event

    return register


def _in_words(class_name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", class_name).lower()


class Recorded(msgspec.Struct, frozen=True, gc=False):
    """A domain event as it was recorded: the event, the stream of its aggregate, and its metadata."""

    event: DomainEvent
    stream: str
    stream_id: str
    metadata: Metadata

    def as_cause(self) -> Cause:
        """Return the `Cause` of everything that is done because of this event."""
        return self.metadata.as_cause(self.event.wire_name)
