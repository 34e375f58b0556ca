"""A contract is an immutable type with a wire name of its own and a version."""

from collections.abc import Callable
from typing import TypeVar

from integration.domain.naming import WireNames
from integration.domain.personal import personal_fields
from integration.domain.versions import Versioned


class IntegrationEvent(Versioned, frozen=True):
    """An event that a context publishes for other contexts.

    Subclasses declare its fields and are registered with `@contract`.
    """


C = TypeVar("C", bound=type[IntegrationEvent])

contracts: WireNames[type[IntegrationEvent]] = WireNames("contract")
"""All contracts by wire name."""


def contract(name: str, version: int = 1) -> Callable[[C], C]:
    """Register an integration event under its wire name.

    Args:
        name: the wire name, such as `context.what-happened`.
        version: the version of the event's fields.

    Raises:
        NestedPersonalData: when a field contains a part that is marked as personal.
    """

    def register(event: C) -> C:
        event.wire_name, event.schema_version = name, version
        personal_fields(event)
        contracts.add(name, event)
        return event

    return register
