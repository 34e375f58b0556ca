"""Domain events reach their handlers synchronously, in the transaction that recorded them: all of it or nothing.

A handler that fails takes everything back. Handlers that keep causing each other are stopped before the stack or the
database is full.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

from integration.domain.events import DomainEvent, Recorded
from integration.domain.metadata import because_of, cause_put_back

LONGEST_CHAIN = 50
"""More events than any real reaction needs one after the other; a longer chain is a loop."""

Handler = Callable[[Any], object]

_handlers: dict[type[DomainEvent], list[Handler]] = defaultdict(list)


class NoTransaction(RuntimeError):
    """Domain events are dispatched inside a transaction only: outside of one, nothing could be taken back."""


class EndlessCascade(RuntimeError):
    """Handlers kept causing each other's events."""


def subscribe(event_type: type[DomainEvent], handler: Handler) -> None:
    """Call `handler` with every event of exactly this type; handlers are called in the order they subscribed."""
    _handlers[event_type].append(handler)


def handlers_of(event_type: type[DomainEvent]) -> list[Handler]:
    """Who reacts to the event inside its transaction."""
    return list(_handlers.get(event_type, ()))


def dispatch(events: Iterable[Recorded], *, in_transaction: bool) -> None:
    """Hand events to their handlers, one after the other; what they cause names the event as its cause.

    Args:
        events: may go on with what the handlers caused.
        in_transaction: whether a transaction is open; this module knows no database.

    Raises:
        OutsideTransaction: when no transaction is open.
        EndlessCascade: when more than `LONGEST_CHAIN` events caused one another.
    """
    if not in_transaction:
        raise NoTransaction(NoTransaction.__doc__)
    with cause_put_back():
        for recorded in events:
            event = recorded.event
            handlers = _handlers.get(type(event))
            if not handlers:
                continue
            if len(recorded.metadata.chain) >= LONGEST_CHAIN:
                last = " → ".join(recorded.as_cause().chain[-6:])
                raise EndlessCascade(f"{LONGEST_CHAIN} events caused one another: … → {last}")
            because_of(recorded)
            for handler in handlers:
                handler(event)
