"""What fulfillment asks about an order, and does not know itself: whose it is, and its terms.

`config/ports.py` connects this port with ordering. So a plain order carries neither its buyer nor its terms to
fulfillment, and a guest's order that is claimed has its new buyer at once.
"""

from collections.abc import Callable, Collection, Iterable
from typing import Any, Protocol

from msgspec import Struct

from integration.domain.identifiers import OrderNumber, Sku


class OrderFacts(Struct, frozen=True):
    """What ordering knows about an order.

    Args:
        currency: the currency of its amounts.
        exempt: of these SKUs, the ones that were exempt from the right of withdrawal when the order was placed.
    """

    currency: str
    exempt: Callable[[Collection[Sku]], Collection[Sku]]


class Orders(Protocol):
    """Ordering, as fulfillment asks it."""

    def facts(self, order: OrderNumber) -> OrderFacts | None:
        """What is known about an order; None if there is none."""

    def of(self, user: Any) -> Iterable[OrderNumber]:
        """The orders of the buyer who makes a request; a query set can be used inside another query."""


class NotConnected(RuntimeError):
    """No one has connected fulfillment with ordering; `config/ports.py` does."""


_connected: list[Orders] = []


def connect(adapter: Orders) -> None:
    """Use this adapter from now on."""
    _connected[:] = [adapter]


def orders() -> Orders:
    """The connected adapter; raises `NotConnected`."""
    if not _connected:
        raise NotConnected(NotConnected.__doc__)
    return _connected[0]
