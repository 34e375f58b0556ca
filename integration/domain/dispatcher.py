"""Domain events are dispatched to their handlers synchronously, in the transaction that recorded them.

A handler that raises rolls the whole transaction back. A chain of events that exceeds `LONGEST_CHAIN` is stopped before
the stack overflows or the database fills up.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

from integration.domain.events import DomainEvent, Recorded
from integration.domain.metadata import preserve_cause, set_cause

LONGEST_CHAIN = 50
"""The limit on events that cause one another. No real reaction needs as many, so a longer chain is a loop."""

Handler = Callable[[Any], object]

_handlers: dict[type[DomainEvent], list[Handler]] = defaultdict(list)


class NoTransaction(RuntimeError):
    """A transaction must be open: otherwise a failing handler could not be rolled back."""


class EndlessCascade(RuntimeError):
    """Event handlers caused each other's events without end."""


def subscribe(event_type: type[DomainEvent], handler: Handler) -> None:
    """Register `handler` for events of exactly this type. Handlers are called in the order of registration."""
    _handlers[event_type].append(handler)


def handlers_of(event_type: type[DomainEvent]) -> list[Handler]:
    """Return the handlers of an event type that run in the event's transaction."""
    return list(_handlers.get(event_type, ()))


def dispatch(events: Iterable[Recorded], *, in_transaction: bool) -> None:
    """Call the handlers of each event, one event after the other. While they run, the event is the current cause.

    Args:
        events: the events to dispatch. The iterable may grow: it may yield events that the handlers recorded.
        in_transaction: whether a transaction is open. The caller says so, because this module uses no database.

    Raises:
        NoTransaction: when no transaction is open.
        EndlessCascade: when more than `LONGEST_CHAIN` events caused one another.
    """
    if not in_transaction:
        raise NoTransaction(NoTransaction.__doc__)
    with preserve_cause():
        for recorded in events:
            event = recorded.event
            handlers = _handlers.get(type(event))
            if not handlers:
                continue
            if len(recorded.metadata.chain) >= LONGEST_CHAIN:
                last = " → ".join(recorded.as_cause().chain[-6:])
                raise EndlessCascade(f"{LONGEST_CHAIN} events caused one another: … → {last}")
            set_cause(recorded)
            for handler in handlers:
                handler(event)
