"""An example of each kind of letter, for previews."""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial

from django.conf import settings

from integration.domain.identifiers import (
    CancellationId,
    OrderNumber,
    ReceiptId,
    RefundId,
    ReturnId,
    ShipmentId,
    WithdrawalId,
)
from integration.domain.money import Money
from ordering.letters import orders, parcels, returns
from ordering.letters.letter import Letter

ORDER, SHIPMENT, RETURN = OrderNumber("R-1001"), ShipmentId("S-1001-1"), ReturnId("T-1001-1")
GOODS = [(2, "MUG-ENAMEL-BLUE"), (1, "LAMP-BRASS")]
MOMENT = datetime(2026, 1, 31, 12, 0, 5, tzinfo=UTC)


def _price(units: int) -> Money:
    return Money(Decimal(units), settings.SHOP_CURRENCY)


def _received() -> Letter:
    lines = [(2, "Enamel mug, blue", _price(40)), (1, "Brass lamp", _price(1_200))]
    return orders.received(ORDER, lines, _price(1_240))


def _return_received() -> Letter:
    return returns.received(
        ORDER, RETURN, ReceiptId("E-1001-1"), GOODS[:1], GOODS[1:], _price(5), (_price(3), "one mug is scratched")
    )


EXAMPLES: dict[str, Callable[[], Letter]] = {
    "received": _received,
    "action_required": partial(orders.action_required, ORDER, MOMENT),
    "payment_again": partial(orders.payment_again, ORDER),
    "payment_failed": partial(orders.cancelled, ORDER, "payment_failed"),
    "confirmed": partial(orders.confirmed, ORDER),
    "dispatched": partial(parcels.dispatched, ORDER, SHIPMENT, "DHL", "JD014600003", "https://www.dhl.com/JD014600003"),
    "delivery_failed": partial(parcels.delivery_failed, ORDER, SHIPMENT),
    "delivered": partial(parcels.delivered, ORDER, SHIPMENT),
    "lost": partial(parcels.lost, ORDER, SHIPMENT),
    "replaced": partial(parcels.replaced, ORDER, SHIPMENT, OrderNumber("R-1002")),
    "cancelled": partial(orders.cancelled, ORDER, "out_of_stock"),
    "lines_cancelled": partial(orders.lines_cancelled, ORDER, CancellationId("C-1001-1"), GOODS[:1], GOODS[1:]),
    "cancellation_refused": partial(orders.cancellation_refused, ORDER, SHIPMENT),
    "refunded": lambda: orders.refunded(ORDER, RefundId("F-1001-1"), _price(1_240)),
    "return_approved": partial(returns.approved, ORDER, RETURN, GOODS, MOMENT, True),
    "return_refused": partial(returns.refused, ORDER, RETURN, "the goods were used"),
    "return_received": _return_received,
    "withdrawal_confirmed": partial(returns.withdrawn, ORDER, WithdrawalId("W-1001-1"), GOODS, MOMENT),
}
"""By kind. Each is written in the language that is active when it is called."""
