"""What an older version stored or sent is read by today's code: upcasters lead from each version to the next.

A version is the shape of an event's facts. A new optional field leaves the version as it is; any other change makes a
new one, and an upcaster beside the event's class tells how the facts of the version before read in the new one.
"""

from collections.abc import Callable
from copy import deepcopy
from typing import Any, ClassVar, TypeVar

import msgspec

from integration.domain.naming import UnknownName


class Versioned(msgspec.Struct, frozen=True):
    """A fact that is stored or sent: it has a wire name, and the version of its fields."""

    wire_name: ClassVar[str]
    schema_version: ClassVar[int] = 1


class UnknownVersion(UnknownName):
    """A stored fact is in a version that this code cannot read."""


V = TypeVar("V", bound=Versioned)
Facts = dict[str, Any]
Upcaster = Callable[[Facts], Facts]

_upcasters: dict[tuple[type[Versioned], int], Upcaster] = {}


def upcast(event_type: type[Versioned], *, from_version: int) -> Callable[[Upcaster], Upcaster]:
    """Let the function below turn an event's facts of one version into those of the next.

    Raises:
        ValueError: when there is no next version, or an upcaster from this one already.
    """

    def register(upcaster: Upcaster) -> Upcaster:
        name = event_type.wire_name
        if not 1 <= from_version < event_type.schema_version:
            raise ValueError(f"{name} is in version {event_type.schema_version}: nothing leads on from {from_version}")
        if _upcasters.setdefault((event_type, from_version), upcaster) is not upcaster:
            raise ValueError(f"two upcasters lead on from version {from_version} of {name}")
        return upcaster

    return register


def missing_upcasters(event_type: type[Versioned]) -> list[int]:
    """The versions from which no upcaster leads on, though there is a newer one."""
    return [version for version in range(1, event_type.schema_version) if (event_type, version) not in _upcasters]


def upcasters_of(event_type: type[Versioned]) -> list[Upcaster]:
    """What leads from each older version to the next, oldest first."""
    steps = ((event_type, version) for version in range(1, event_type.schema_version))
    return [_upcasters[step] for step in steps if step in _upcasters]


def to_data(event: msgspec.Struct) -> Facts:
    """An event's facts as JSON knows them."""
    return msgspec.to_builtins(event)


def from_data(event_type: type[V], data: Facts, version: int) -> V:
    """The event that `to_data` was made from in whatever version. Unknown fields are passed over.

    Raises:
        UnknownVersion: for a version newer than this code, or one that no upcasters lead on from.
        msgspec.ValidationError: for facts that do not fit.
    """
    newest = event_type.schema_version
    if version > newest:
        raise UnknownVersion(f"{event_type.wire_name} is known up to version {newest}, and this is version {version}")
    if version < newest:
        data = _brought_up_to_date(event_type, deepcopy(data), version)
    return msgspec.convert(data, type=event_type)


def _brought_up_to_date(event_type: type[Versioned], data: Facts, version: int) -> Facts:
    for step in range(version, event_type.schema_version):
        try:
            upcaster = _upcasters[event_type, step]
        except KeyError:
            raise UnknownVersion(f"no upcaster leads on from version {step} of {event_type.wire_name}") from None
        data = upcaster(data)
    return data
