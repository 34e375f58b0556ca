"""Who listens to which contract: one consumer is one reaction of one context, under a wire name of its own."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

from msgspec import Struct

from integration.contracts.contract import IntegrationEvent
from integration.domain.naming import WireNames


class Consumer(Struct, frozen=True):
    """A reaction to a contract.

    Args:
        name: its wire name, `context.what-it-does`; deliveries are stored under it.
        listens_to: the contract.
        handle: what it does, with the event and, if it has a `read`, what that gave; outside, it may return what
            writes down what came of it.
        outside: whether it talks to the outside world, and so must run outside of any transaction.
        prepare: called once with all events of a batch in the unit of work that changes something because of them,
            before it does, to lock in one order what they need.
        read: outside, called once with all events of a batch before the first is handled.
    """

    name: str
    listens_to: type[IntegrationEvent]
    handle: Callable[..., Any]
    external: bool = False
    prepare: Callable[[Sequence[Any]], None] | None = None
    read: Callable[[Sequence[Any]], Any] | None = None

    @property
    def context(self) -> str:
        """The context that reacts; its workers do the work."""
        return self.name.partition(".")[0]


consumers: WireNames[Consumer] = WireNames("consumer")
_by_contract: dict[type[IntegrationEvent], list[Consumer]] = defaultdict(list)


def register(consumer: Consumer) -> None:
    """Let the consumer have a delivery of every message published from now on."""
    consumers.add(consumer.name, consumer)
    _by_contract[consumer.listens_to].append(consumer)


def consumers_of(contract: type[IntegrationEvent]) -> list[Consumer]:
    """Who gets a delivery of every message of this contract."""
    return list(_by_contract.get(contract, ()))
