"""What makes a type a contract: a wire name of its own, a version, and facts that are frozen."""

from collections.abc import Callable
from typing import ClassVar, TypeVar

import msgspec

from integration.domain.naming import WireNames


class IntegrationEvent(msgspec.Struct, frozen=True):
    """A fact one context tells the others. Subclasses add its fields and are named with `@contract`."""

    wire_name: ClassVar[str]
    version: ClassVar[int]


C = TypeVar("C", bound=type[IntegrationEvent])

contracts: WireNames[type[IntegrationEvent]] = WireNames("contract")


def contract(name: str, version: int = 1) -> Callable[[C], C]:
    """Publish a type under its wire name, `context.what-happened`, in this version."""

    def register(event: C) -> C:
        event.wire_name, event.version = name, version
        contracts.add(name, event)
        return event

    return register
