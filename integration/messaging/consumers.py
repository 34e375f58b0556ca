"""The registry of consumers: one consumer is one reaction of one context to one contract, under its own wire name."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

from msgspec import Struct

from integration.contracts.contract import IntegrationEvent
from integration.domain.naming import WireNames
from integration.messaging.limits import Flow
from integration.messaging.retries import Retries, default_retries

CALL_TIMEOUT = timedelta(seconds=30)
"""The default time after which a call to an external system counts as failed. The timeouts of gateways are shorter."""


class Consumer(Struct, frozen=True):
    """A reaction to a contract.

    Args:
        name: its wire name, `context.what-it-does`; deliveries are stored under it.
        listens_to: the contract.
        handle: the function that handles the event. If there is a `read`, its result is the second argument. An
            external handler may return a function that records the outcome.
        external: whether it calls an external system, and so runs without a transaction.
        prepare: called once with all events of a batch, in the unit of work that makes changes because of them and
            before those changes. It locks the rows they need in one order.
        read: external only; called once with all events of a batch, before the first is handled.
        retries: its retry schedule; None for the default of its kind.
        timeout: external only; the time after which a call that has not returned counts as failed.
        until_known: external only; whether an attempt whose outcome is unknown is not charged, so that the delivery is
            tried until the external system responds.
        flow: external only; the limits of its calls, over all workers together.
    """

    name: str
    listens_to: type[IntegrationEvent]
    handle: Callable[..., Any]
    external: bool = False
    prepare: Callable[[Sequence[Any]], None] | None = None
    read: Callable[[Sequence[Any]], Any] | None = None
    retries: Retries | None = None
    timeout: timedelta = CALL_TIMEOUT
    until_known: bool = False
    flow: Flow | None = None

    @property
    def context(self) -> str:
        """The context that reacts; its workers handle the deliveries."""
        return self.name.partition(".")[0]

    @property
    def retry_schedule(self) -> Retries:
        """When its failed deliveries are tried again, and how often."""
        return self.retries or default_retries(self.external)


def locks_nothing(events: Sequence[Any]) -> None:
    """The `prepare` of a reaction that locks no rows."""


consumers: WireNames[Consumer] = WireNames("consumer")
_by_contract: dict[type[IntegrationEvent], list[Consumer]] = defaultdict(list)


def register(consumer: Consumer, formerly: Sequence[str] = ()) -> None:
    """Give the consumer a delivery of every message of its contract that is published from now on.

    Args:
        consumer: what to register.
        formerly: the wire names that it had before; it handles the deliveries that are stored under them.
    """
    consumers.add(consumer.name, consumer, formerly)
    _by_contract[consumer.listens_to].append(consumer)


def consumers_of(contract: type[IntegrationEvent]) -> list[Consumer]:
    """The consumers that get a delivery of every message of this contract."""
    return list(_by_contract.get(contract, ()))
