"""Events that an older version of the code stored or sent are read by today's code through upcasters.

A version is the shape of an event's fields. Adding an optional field does not change the version. Any other change
makes a new version, and needs an upcaster next to the event's class, which converts the fields of the version before.
"""

from collections.abc import Callable
from copy import deepcopy
from typing import Any, ClassVar, TypeVar

import msgspec

from integration.domain.naming import UnknownName


class Versioned(msgspec.Struct, frozen=True):
    """An event that is stored or sent. It has a wire name and a version of its fields.

    Events are made by keyword, so that a field between two others never shifts their values. msgspec does not inherit
    `kw_only=True`, so each class says it, and `manage.py contracts check` refuses one that does not.
    """

    wire_name: ClassVar[str]
    schema_version: ClassVar[int] = 1


class UnknownVersion(UnknownName):
    """This code cannot read the version of a stored event."""


V = TypeVar("V", bound=Versioned)
Facts = dict[str, Any]
Upcaster = Callable[[Facts], Facts]

_upcasters: dict[tuple[type[Versioned], int], Upcaster] = {}


def upcast(event_type: type[Versioned], *, from_version: int) -> Callable[[Upcaster], Upcaster]:
    """Register the decorated function as the upcaster from `from_version` to the next version.

    Raises:
        ValueError: when the event has no next version, or already has an upcaster from this one.
    """

    def register(upcaster: Upcaster) -> Upcaster:
        name = event_type.wire_name
        if not 1 <= from_version < event_type.schema_version:
            raise ValueError(
                f"{name} is in version {event_type.schema_version}: it has no version after {from_version}"
            )
        if _upcasters.setdefault((event_type, from_version), upcaster) is not upcaster:
            raise ValueError(f"{name} has two upcasters from version {from_version}")
        return upcaster

    return register


def missing_upcasters(event_type: type[Versioned]) -> list[int]:
    """Return the versions before the newest that have no upcaster to the next."""
    return [version for version in range(1, event_type.schema_version) if (event_type, version) not in _upcasters]


def upcasters_of(event_type: type[Versioned]) -> list[Upcaster]:
    """Return the registered upcasters of an event type, oldest version first."""
    steps = ((event_type, version) for version in range(1, event_type.schema_version))
    return [_upcasters[step] for step in steps if step in _upcasters]


def to_data(event: msgspec.Struct) -> Facts:
    """Return the event's fields as JSON-compatible values; those of a set are sorted."""
    return msgspec.to_builtins(event, order="deterministic")


def from_data(event_type: type[V], data: Facts, version: int) -> V:
    """Return the event that `to_data` converted, upcast to the newest version. Unknown fields are ignored.

    Args:
        event_type: the class of the event.
        data: the stored fields; they are not modified.
        version: the version in which they were stored.

    Raises:
        UnknownVersion: when the version is newer than this code, or an upcaster is missing.
        msgspec.ValidationError: when the fields do not match the event's types.
    """
    if version != event_type.schema_version:
        require_known(event_type, version)
        data = deepcopy(data)
        for step in range(version, event_type.schema_version):
            data = _upcasters[event_type, step](data)
    return msgspec.convert(data, type=event_type)


def require_known(event_type: type[Versioned], version: int) -> None:
    """Raise `UnknownVersion` when the version is newer than this code, or an upcaster from it on is missing."""
    newest = event_type.schema_version
    if version > newest:
        raise UnknownVersion(f"{event_type.wire_name} is known up to version {newest}, and this is version {version}")
    for step in range(version, newest):
        if (event_type, step) not in _upcasters:
            raise UnknownVersion(f"{event_type.wire_name} has no upcaster from version {step}")
