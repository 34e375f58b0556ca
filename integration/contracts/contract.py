"""What makes a type a contract: a wire name of its own, a version, and facts that are frozen."""

from collections.abc import Callable
from typing import TypeVar

from integration.domain.naming import WireNames
from integration.domain.personal import personal_fields
from integration.domain.versions import Versioned


class IntegrationEvent(Versioned, frozen=True):
    """A fact one context tells the others. Subclasses add its fields and are named with `@contract`."""


C = TypeVar("C", bound=type[IntegrationEvent])

contracts: WireNames[type[IntegrationEvent]] = WireNames("contract")


def contract(name: str, version: int = 1) -> Callable[[C], C]:
    """Publish a type under its wire name, `context.what-happened`, in this version; raises `NestedPersonalData`."""

    def register(event: C) -> C:
        event.wire_name, event.schema_version = name, version
        personal_fields(event)
        contracts.add(name, event)
        return event

    return register
