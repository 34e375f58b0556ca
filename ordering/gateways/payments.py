"""What ordering asks about payments, and does not know itself.

`config/ports.py` connects this port with billing. So what only the buyer may see, such as the address of their bank's
page, is in no message between contexts.
"""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Protocol

from msgspec import Struct

from integration.domain.identifiers import BuyerId, OrderNumber, PaymentMethodId


class NextAction(Struct, frozen=True):
    """What a buyer must do before the money of their order can be taken.

    Args:
        type: `redirect`, and they open `url`; or `display_details`, and they send the money to what `details` say.
        expires_at: until when.
        url: empty unless `type` is `redirect`.
        details: what to show, by name.
    """

    type: str
    expires_at: datetime
    url: str
    details: Mapping[str, str]


class Payments(Protocol):
    """Billing, as ordering asks it."""

    def next_actions(self, orders: Collection[OrderNumber]) -> Mapping[OrderNumber, NextAction]:
        """What the buyers of these orders must do, by order; one query."""

    def can_pay_with(self, method: PaymentMethodId, buyer: BuyerId) -> bool:
        """Whether an order of a buyer may name this payment method: their own, or a provider's token."""

    def ways_to_pay(self, buyer: BuyerId | None) -> Mapping[PaymentMethodId, str]:
        """The payment methods that an order by phone may name, with a label; None stands for a guest."""


class NotConnected(RuntimeError):
    """No one has connected ordering with billing; `config/ports.py` does."""


_connected: list[Payments] = []


def connect(adapter: Payments) -> None:
    """Use this adapter from now on."""
    _connected[:] = [adapter]


def payments() -> Payments:
    """The connected adapter; raises `NotConnected`."""
    if not _connected:
        raise NotConnected(NotConnected.__doc__)
    return _connected[0]
