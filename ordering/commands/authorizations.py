"""What billing says about the authorized payment of an order, and what becomes of the order if it lapses."""

from integration.aggregates.unit_of_work import unit_of_work
from integration.contracts.ordering import OrderedUnits, PaymentDue
from integration.domain.identifiers import OrderNumber, PaymentId
from integration.domain.money import Money
from ordering import events
from ordering.models import CONFIRMED_STATES, Order


def record_authorization(
    number: OrderNumber, authorized: Money, captured: Money, released: Money, sequence: int
) -> None:
    """Record what of an order's payment is held, captured and released now, unless later news is recorded.

    Args:
        sequence: billing's number of the news; the highest counts.
    """
    with unit_of_work() as work:
        order = work.get(Order, number)
        is_confirmed = order.status in CONFIRMED_STATES
        order.record_authorization(authorized, captured, released, sequence, is_confirmed=is_confirmed)


def lapse_authorization(number: OrderNumber, payment: PaymentId, sequence: int) -> None:
    """Hold what has not left of an order, because its authorization ends; do nothing if nothing is left.

    Raises:
        NotYet: the order is neither confirmed nor cancelled.
    """
    with unit_of_work() as work:
        order = work.get(Order, number)
        is_confirmed = order.status in CONFIRMED_STATES
        zero, released = Money.zero(order.currency), Money.of_minor(order.released_minor or 0, order.currency)
        order.record_authorization(zero, order.paid, released, sequence, is_confirmed=is_confirmed)
        order.hold_until_paid(payment)


def payment_due(event: events.OrderShipped) -> PaymentDue | None:
    """The contract that asks for the money of goods that left; None if it does not wait for that."""
    with unit_of_work() as work:
        order = work.get(Order, event.order)
    if not order.is_authorized:
        return None
    lines = tuple(OrderedUnits(sku, quantity) for sku, quantity in event.quantities.items())
    return PaymentDue(order=event.order, shipment=event.shipment, lines=lines)
