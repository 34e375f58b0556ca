"""An event's type marks the fields that hold personal data. The log stores only the redacted value of such a field.

    shipping_address: PersonalAddress      # the log stores the country, which the accounts need
    note: PersonalText                     # the log stores an empty text

The value itself is stored in the personal data store. Deleting it there erases the person's data, and every event in
the log stays complete. Only fields of the event itself can be marked, not fields of nested types.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Annotated, Any, get_args

import msgspec
from msgspec import Meta

from integration.domain.address import Address
from integration.domain.identifiers import PaymentMethodId
from integration.domain.versions import Facts, Versioned, to_data

LEFT: Mapping[str, Callable[[Any], Any]] = {
    "nothing": lambda value: "",
    "no entries": lambda value: {},
    "country": Address.erased,
}
"""Functions that reduce a personal value to what the log may store, by the name in the field's mark."""


def _marked(left: str) -> Meta:
    # The mark holds a name and not a function. A snapshot's shape is a hash of the types' `repr`, and the `repr` of a
    # function contains its memory address, which differs between processes.
    return Meta(extra={"left": left}, extra_json_schema={"x-personal": True})


PersonalText = Annotated[str, _marked("nothing")]
"""Free text, which may contain personal data. The log stores an empty text."""
PersonalPaymentMethod = Annotated[PaymentMethodId, _marked("nothing")]
"""The provider's identifier of a person's payment method. The log stores an empty text."""
PersonalDetails = Annotated[dict[str, str], _marked("no entries")]
"""Details by name, which only the person they are about may see. The log stores none of them."""
PersonalAddress = Annotated[Address, _marked("country")]
"""A person's address. The log stores its country."""
PersonalAddressIfAny = Annotated[Address | None, _marked("country")]
"""A person's address, or None if it is not known. The log stores its country."""


class NestedPersonalData(TypeError):
    """Only a field of the event itself can be marked as personal, not a part of its type."""


@cache
def personal_fields(event_type: type[Versioned]) -> Mapping[str, str]:
    """Return the names of the event's personal fields, and for each the key in `LEFT` of what the log stores.

    Raises:
        NestedPersonalData: when a part of a field's type is marked.
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
    """Return the event's fields as the log stores them, and the original values for the personal data store."""
    facts, values = to_data(event), {}
    for name, left in personal_fields(type(event)).items():
        value = getattr(event, name)
        logged = msgspec.to_builtins(LEFT[left](value)) if value is not None else None
        if logged != facts[name]:
            values[name], facts[name] = facts[name], logged
    return facts, values


def _marks(kind: Any) -> Iterator[str]:
    for note in getattr(kind, "__metadata__", ()):
        if isinstance(note, Meta) and note.extra and "left" in note.extra:
            yield note.extra["left"]


def _within(kind: Any, seen: set[Any]) -> Iterator[Any]:
    """Yield every type that a type is made of: type arguments and struct fields, recursively."""
    fields = msgspec.structs.fields(kind) if isinstance(kind, type) and issubclass(kind, msgspec.Struct) else ()
    for part in (*get_args(kind), *(field.type for field in fields)):
        if part not in seen:
            seen.add(part)
            yield part
            yield from _within(part, seen)
