"""What is personal is marked in an event's type; the log keeps what the mark says is left, the value lies beside it.

    shipping_address: PersonalAddress      # the log keeps the country, for the books
    note: PersonalText                     # the log keeps the empty text

So deleting the values erases a person, and every event stays whole. Only fields of the event itself can be marked.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Annotated, Any, get_args

import msgspec
from msgspec import Meta

from integration.domain.address import Address
from integration.domain.identifiers import PaymentMethodId
from integration.domain.versions import Facts, Versioned, to_data

LEFT: Mapping[str, Callable[[Any], Any]] = {"nothing": lambda value: "", "country": Address.erased}
"""What is left of a value, by what its mark calls that."""


def _marked(left: str) -> Meta:
    # By a name: a snapshot's shape is made of how types read, which must be the same in every process.
    return Meta(extra={"left": left}, extra_json_schema={"x-personal": True})


PersonalText = Annotated[str, _marked("nothing")]
"""What people say of themselves or of anything else; nothing is left of it."""
PersonalPaymentMethod = Annotated[PaymentMethodId, _marked("nothing")]
"""The name somebody's way to pay has at the provider; nothing is left of it."""
PersonalAddress = Annotated[Address, _marked("country")]
"""Where somebody is to be found; the country is left of it."""
PersonalAddressIfAny = Annotated[Address | None, _marked("country")]
"""The same, of somebody who may not have said."""


class NestedPersonalData(TypeError):
    """Only a field of the event itself can be personal, as a whole; nothing within it."""


@cache
def personal_fields(event_type: type[Versioned]) -> Mapping[str, str]:
    """The event's personal fields, and for each the name of what is left of its value.

    Raises:
        NestedPersonalData: when something within a field is one.
    """
    found = {}
    for field in msgspec.structs.fields(event_type):
        left = next(_marks(field.type), None)
        if left:
            found[field.name] = left
        elif any(mark for kind in _within(field.type, set()) for mark in _marks(kind)):
            raise NestedPersonalData(f"{event_type.__name__}.{field.name}: {NestedPersonalData.__doc__}")
    return found


def split_personal(event: Versioned) -> tuple[Facts, Facts]:
    """An event's facts as the log keeps them, and the personal values that are kept outside of it."""
    facts, values = to_data(event), {}
    for name, left in personal_fields(type(event)).items():
        value = getattr(event, name)
        kept = msgspec.to_builtins(LEFT[left](value)) if value is not None else None
        if kept != facts[name]:
            values[name], facts[name] = facts[name], kept
    return facts, values


def _marks(kind: Any) -> Iterator[str]:
    for note in getattr(kind, "__metadata__", ()):
        if isinstance(note, Meta) and note.extra and "left" in note.extra:
            yield note.extra["left"]


def _within(kind: Any, seen: set[Any]) -> Iterator[Any]:
    """All types that a type is made of."""
    fields = msgspec.structs.fields(kind) if isinstance(kind, type) and issubclass(kind, msgspec.Struct) else ()
    for part in (*get_args(kind), *(field.type for field in fields)):
        if part not in seen:
            seen.add(part)
            yield part
            yield from _within(part, seen)
