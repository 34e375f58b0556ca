"""Policies in the form *whenever X, then Y*: the two decorators that register them.

A policy that reacts to a domain event of its own context runs at once, in the same transaction. A policy that reacts to
a contract runs later, in a worker of its context, once for each message.
"""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, TypeVar

from integration.contracts.contract import IntegrationEvent
from integration.domain import dispatcher
from integration.domain.events import DomainEvent
from integration.messaging import consumers
from integration.messaging import routines as routines_module
from integration.messaging.limits import Flow
from integration.messaging.limits import Rate as Rate
from integration.messaging.retries import Retries

H = TypeVar("H", bound=Callable[..., Callable[[], object] | None])
R = TypeVar("R", bound=Callable[[], None])


def whenever(
    event: type[DomainEvent] | type[IntegrationEvent],
    *,
    name: str = "",
    formerly: Sequence[str] = (),
    external: bool = False,
    prepare: Callable[[Sequence[Any]], None] | None = None,
    read: Callable[[Sequence[Any]], Any] | None = None,
    retries: Retries | None = None,
    timeout: timedelta | None = None,
    until_known: bool = False,
    rate: Rate | None = None,
    at_once: int | None = None,
    key: Callable[[Any], str] | None = None,
    at_once_per_key: int | None = None,
) -> Callable[[H], H]:
    """Register the decorated function as a reaction to an event.

    Args:
        event: a domain event of this context, or a contract.
        name: contracts only: the reaction's wire name, `context.what-it-does`. It is stored, so it never changes when
            code is renamed.
        formerly: contracts only: the wire names that the reaction had before. What is stored under them goes on.
        external: contracts only: whether the reaction calls an external system. It then runs without a transaction, at
            least once, and must pass an idempotency key to that system. It may return a function that records the
            result; the unit of work that marks the delivery done calls that function.
        prepare: contracts only: a function called once with all events of a batch, in the unit of work that makes
            changes because of them and before those changes.
        read: external reactions only: a function called once with all events of a batch, before the first is handled.
            Its result is the second argument of each call. If it is a context manager, it is entered for the duration
            of the calls.
        retries: contracts only: how often a delivery is tried, and how long it waits between attempts. By default
            minutes in a transaction, days for an external system.
        timeout: external reactions only: the time after which a call that has not returned counts as failed, and is
            abandoned. The gateway's own timeouts should be shorter.
        until_known: external reactions only: whether an attempt that ends in `OutcomeUnknown`, or takes too long, uses
            up no attempt of the schedule. The delivery is then tried until the external system responds.
        rate: external reactions only: how often all workers together call, such as `Rate(10, timedelta(seconds=1))`.
        at_once: external reactions only: how many calls all workers together have under way at a time.
        key: external reactions only: what a call is about, such as the host that it goes to, from the event.
        at_once_per_key: external reactions only: how many calls with the same `key` are under way at a time.

    Raises:
        TypeError: a reaction to a domain event has a name or an option, a reaction to a contract has no name, or
            `read`, `timeout`, `until_known` or a limit is used without `external`.
    """

    limits = (rate, at_once, key, at_once_per_key)
    flow = Flow(rate, at_once, key, at_once_per_key)

    def subscribe(handler: H) -> H:
        if issubclass(event, DomainEvent):
            options = (name, formerly, external, prepare, read, retries, timeout, until_known, *limits)
            if any(options):
                raise TypeError(
                    "a reaction to a domain event runs in the event's transaction and takes no name and no options"
                )
            dispatcher.subscribe(event, handler)
        else:
            if not name:
                raise TypeError(f"a reaction to the contract {event.wire_name} needs a wire name")
            if (read or timeout or until_known or any(limits)) and not external:
                used = {"read": read, "timeout": timeout, "until_known": until_known, "rate": rate, "at_once": at_once}
                option = next((option for option, value in used.items() if value), "at_once_per_key")
                raise TypeError(f"{name} handles events in a transaction: `{option}` requires external=True")
            limit = timeout or consumers.CALL_TIMEOUT
            consumer = consumers.Consumer(
                name,
                event,
                handler,
                external,
                prepare,
                read,
                retries,
                limit,
                until_known,
                flow if any(limits) else None,
            )
            consumers.register(consumer, formerly)
        return handler

    return subscribe


def every(interval: timedelta, *, name: str, formerly: Sequence[str] = (), external: bool = False) -> Callable[[R], R]:
    """Register the decorated function as a routine, which beat runs repeatedly in a worker of its context.

    Args:
        interval: the time from one run to the next; at least a second.
        name: its wire name, `context.what-it-does`.
        formerly: the wire names that it had before.
        external: whether it calls an external system. It then has a thread of its own, which delays nothing else.
    """

    def subscribe(routine: R) -> R:
        routines_module.register(routines_module.Routine(name, interval, routine, external), formerly)
        return routine

    return subscribe
