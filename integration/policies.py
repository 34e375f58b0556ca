"""*Whenever X, then Y*: the two decorators all policies are written with.

A policy that reacts to its own context's domain event runs at once, in the same transaction. One that reacts to a
contract runs later, in a worker of its context, once for each message.
"""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, TypeVar

from integration.contracts.contract import IntegrationEvent
from integration.domain import dispatcher
from integration.domain.events import DomainEvent
from integration.messaging import consumers
from integration.messaging import routines as routines_module

H = TypeVar("H", bound=Callable[..., Callable[[], object] | None])
R = TypeVar("R", bound=Callable[[], None])


def whenever(
    event: type[DomainEvent] | type[IntegrationEvent],
    *,
    name: str = "",
    external: bool = False,
    prepare: Callable[[Sequence[Any]], None] | None = None,
    read: Callable[[Sequence[Any]], Any] | None = None,
) -> Callable[[H], H]:
    """Let the function below react to an event.

    Args:
        event: a domain event of this context, or a contract.
        name: for a contract, the reaction's wire name, `context.what-it-does`: it outlives every rename in the code.
        outside: for a contract, whether the reaction talks to the outside world; it then runs outside of any
            transaction, at least once, and must pass on an idempotency key of its own. What changes because of the
            answer it returns as a function, which is called in the unit of work that marks the delivery done.
        prepare: for a contract, what to call once in a unit of work before several events change something in it.
        read: for one that talks to the outside world, what to call once before the first of several events; what it
            returns is each one's second argument. If that is a context manager, it is entered for as long as they take.

    Raises:
        TypeError: for a name or an option where none belongs, or none where one does.
    """

    def subscribe(handler: H) -> H:
        if issubclass(event, DomainEvent):
            if name or external or prepare or read:
                raise TypeError("a reaction to a domain event runs in its transaction: it has neither name nor options")
            dispatcher.subscribe(event, handler)
        else:
            if not name:
                raise TypeError(f"a reaction to the contract {event.wire_name} needs a wire name")
            if read and not external:
                raise TypeError(f"{name} reads in its transaction: `read` is for what talks to the outside world")
            consumers.register(consumers.Consumer(name, event, handler, external, prepare, read))
        return handler

    return subscribe


def every(interval: timedelta, *, name: str) -> Callable[[R], R]:
    """Let the function below run again and again, on beat, in a worker of its context.

    Args:
        interval: how long from one run to the next; at least a second.
        name: its wire name, `context.what-it-does`.
    """

    def subscribe(routine: R) -> R:
        routines_module.register(routines_module.Routine(name, interval, routine))
        return routine

    return subscribe
