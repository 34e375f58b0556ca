"""The catalogue of all events: meaning, fields, versions, publisher, consumers and an example of each."""

from datetime import datetime, timedelta
from enum import Enum
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin

import msgspec
from django.conf import settings

from integration.contracts.contract import IntegrationEvent, contracts
from integration.contracts.registry import committed, context_of, meaning_of
from integration.domain.dispatcher import handlers_of
from integration.domain.events import domain_events
from integration.domain.personal import personal_fields
from integration.domain.versions import Versioned, from_data, to_data
from integration.messaging.consumers import consumers_of

TYPE_NAMES = {
    str: "string",
    int: "integer",
    float: "number",
    bool: "boolean",
    datetime: "date and time",
    timedelta: "duration",
    NoneType: "null",
}


class Field(NamedTuple):
    """A field of an event.

    Args:
        name: the field's name.
        kind: the name of its type, for people.
        optional: whether stored events may lack the field.
        personal: whether the value is stored in the personal data store, from which it can be erased.
    """

    name: str
    kind: str
    optional: bool
    personal: bool = False


class Entry(NamedTuple):
    """The catalogue's entry for one event.

    Args:
        name: the event's wire name.
        meaning: what the event says, from its docstring.
        publisher: the context that publishes a contract or records a domain event.
        consumers: for a contract the wire names of its consumers, for a domain event its handlers as module.function.
        versions: all versions that may be stored, newest last.
        fields: the fields of the newest version.
        example: the data of an example in the newest version; empty for an event without a committed schema.
    """

    name: str
    meaning: str
    publisher: str
    consumers: list[str]
    versions: list[int]
    fields: list[Field]
    example: dict[str, Any]


def all_contracts() -> list[Entry]:
    """The entries of all contracts, by context in the order of the settings and then by name."""
    return _in_order([_entry(event) for _, event in contracts.items()])


def all_domain_events() -> list[Entry]:
    """The entries of all domain events, by context in the order of the settings and then by name."""
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
            Field(f.name, type_name(f.type), not f.required, f.name in personal_fields(event))
            for f in msgspec.structs.fields(event)
        ],
        example=_example(event, schemas),
    )


def _reactions(event: Any) -> list[str]:
    if issubclass(event, IntegrationEvent):
        return sorted(consumer.name for consumer in consumers_of(event))
    return sorted(f"{handler.__module__}.{handler.__name__}" for handler in handlers_of(event))


def _example(event: type[Versioned], schemas: dict[int, dict[str, Any]]) -> dict[str, Any]:
    """The committed example, upcast to the newest version; empty for an event without a committed schema."""
    newest = max(schemas, default=0)
    return to_data(from_data(event, schemas[newest]["examples"][0], newest)) if newest else {}


def type_name(kind: Any) -> str:
    """The name of a field's type for people, such as `list of Sku`; structs of a context include their fields."""
    parts, origin = get_args(kind), get_origin(kind)
    if origin is Annotated:
        return type_name(parts[0])
    if origin in (Union, UnionType):
        return " or ".join(map(type_name, parts))
    if origin is Literal:
        return " or ".join(map(str, parts))
    if origin is dict:
        return f"map of {type_name(parts[0])} to {type_name(parts[1])}"
    if origin is tuple and ... not in parts:
        return f"tuple of {', '.join(map(type_name, parts))}"
    if origin in (set, frozenset):
        return f"set of {type_name(parts[0])}"
    if origin is not None:
        return f"list of {type_name(parts[0])}"
    if kind in TYPE_NAMES:
        return TYPE_NAMES[kind]
    if isinstance(kind, type) and issubclass(kind, Enum):
        return " or ".join(str(member.value) for member in kind)
    if _is_of_one_context(kind):
        inside = ", ".join(f"{field.name}: {type_name(field.type)}" for field in msgspec.structs.fields(kind))
        return f"{kind.__name__} ({inside})"
    return kind.__name__


def _is_of_one_context(kind: Any) -> bool:
    """Whether a type is a struct of one context, and not one that all contexts share, such as `Money`."""
    is_structure = isinstance(kind, type) and issubclass(kind, msgspec.Struct)
    return is_structure and not kind.__module__.startswith("integration.domain.")
