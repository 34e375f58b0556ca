"""All events on one shelf: what each says, in which fields and versions, who publishes it, and who reacts."""

from datetime import datetime
from types import NoneType, UnionType
from typing import Annotated, Any, NamedTuple, Union, get_args, get_origin

import msgspec
from django.conf import settings

from integration.contracts.contract import IntegrationEvent, contracts
from integration.contracts.registry import committed, context_of, meaning_of
from integration.domain.dispatcher import handlers_of
from integration.domain.events import domain_events
from integration.domain.personal import personal_fields
from integration.domain.versions import Versioned, from_data, to_data
from integration.messaging.consumers import consumers_of

WORDS = {str: "text", int: "whole number", bool: "yes or no", datetime: "moment", NoneType: "nothing"}


class Field(NamedTuple):
    """One fact of an event.

    Args:
        kind: its type, in words.
        optional: whether it may be missing from what is stored.
        personal: whether its value is kept beside the log, to be erased with the person.
    """

    name: str
    kind: str
    optional: bool
    personal: bool = False


class Entry(NamedTuple):
    """All there is to say of one event.

    Args:
        versions: those that are stored somewhere, newest last.
        consumers: who reacts: by wire name to a contract, by module and function to a domain event.
        example: its facts in the newest version.
    """

    name: str
    meaning: str
    publisher: str
    consumers: list[str]
    versions: list[int]
    fields: list[Field]
    example: dict[str, Any]


def all_contracts() -> list[Entry]:
    """What the contexts tell each other, in the order of the contexts."""
    return _in_order([_entry(event) for _, event in contracts.items()])


def all_domain_events() -> list[Entry]:
    """What happens inside the contexts, in the order of the contexts."""
    return _in_order([_entry(event) for _, event in domain_events.items()])


def _in_order(entries: list[Entry]) -> list[Entry]:
    places = {context: place for place, context in enumerate(settings.CONTEXTS)}
    return sorted(entries, key=lambda entry: (places.get(entry.publisher, len(places)), entry.name))


def _entry(event: type[Versioned]) -> Entry:
    schemas = committed(event)
    return Entry(
        name=event.wire_name,
        meaning=meaning_of(event),
        publisher=context_of(event.wire_name),
        consumers=_reactions(event),
        versions=sorted({*schemas, event.schema_version}),
        fields=[
            Field(f.name, words(f.type), not f.required, f.name in personal_fields(event))
            for f in msgspec.structs.fields(event)
        ],
        example=_example(event, schemas),
    )


def _reactions(event: Any) -> list[str]:
    if issubclass(event, IntegrationEvent):
        return sorted(consumer.name for consumer in consumers_of(event))
    return sorted(f"{handler.__module__}.{handler.__name__}" for handler in handlers_of(event))


def _example(event: type[Versioned], schemas: dict[int, dict[str, Any]]) -> dict[str, Any]:
    """The committed example as today's code reads it; nothing for an event that is not committed yet."""
    newest = max(schemas, default=0)
    return to_data(from_data(event, schemas[newest]["examples"][0], newest)) if newest else {}


def words(kind: Any) -> str:
    """A field's type, in words."""
    parts, origin = get_args(kind), get_origin(kind)
    if origin is Annotated:
        return words(parts[0])
    if origin in (Union, UnionType):
        return " or ".join(map(words, parts))
    if origin is dict:
        return f"{words(parts[1])} by {words(parts[0])}"
    if origin is not None:
        return f"list of {words(parts[0])}"
    if kind in WORDS:
        return WORDS[kind]
    if _is_of_one_context(kind):
        inside = ", ".join(f"{field.name}: {words(field.type)}" for field in msgspec.structs.fields(kind))
        return f"{kind.__name__} ({inside})"
    return kind.__name__


def _is_of_one_context(kind: Any) -> bool:
    """Whether it is a structure that not everybody knows anyway, as they know `Money`."""
    is_structure = isinstance(kind, type) and issubclass(kind, msgspec.Struct)
    return is_structure and not kind.__module__.startswith("integration.domain.")
