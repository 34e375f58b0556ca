"""Commands on orders: place them, and move them on until they are delivered or cancelled."""

from collections.abc import Collection, Mapping, Sequence

from django.conf import settings

from integration.aggregates.unit_of_work import unit_of_work
from integration.contracts.billing import TEST_METHODS
from integration.contracts.ordering import LineToShip, ShippingRequested
from integration.domain import clock
from integration.domain.address import Address
from integration.domain.errors import Unacceptable, UnacceptableInput
from integration.domain.identifiers import BuyerId, OrderNumber, PaymentId, PaymentMethodId, ShipmentId, Sku
from integration.domain.money import Money
from integration.storage.order_numbers import next_order_number
from ordering.events import PlacedLine
from ordering.models import MAX_QUANTITY, Buyer, CancellationReason, Order, Product, QuantityOutOfBounds, TooManyLines


class UnknownSku(Unacceptable):
    """There is no product with this sku."""


class NotOnSale(Unacceptable):
    """The product is not on sale."""


class UnknownPaymentMethod(Unacceptable):
    """There is no such payment method."""


def place_order(
    buyer: BuyerId,
    lines: Sequence[tuple[Sku, int]],
    shipping_address: Address,
    payment_method: PaymentMethodId,
) -> Order:
    """Order goods at today's prices.

    Args:
        lines: skus and quantities; the same sku twice is added up.

    Raises:
        UnacceptableInput: with one error for each sku that is unknown or not on sale, and for the payment method.
        TooManyLines, QuantityOutOfBounds, MixedCurrencies, TooExpensive: as they say.
    """
    Order.require(len(lines) > 0, TooManyLines(pointer="/lines"))
    skus = {sku for sku, _ in lines}
    with unit_of_work() as work:
        work.look_ahead({Product: skus, Buyer: [buyer]})
        priced = _priced(work.look_at(Product, skus), lines, payment_method)
        # Not locked: orders of one buyer, such as a marketplace, need not wait for each other's commits.
        known = work.look_at(Buyer, [buyer]).get(buyer)
        order = Order.place(
            next_order_number(),
            buyer=buyer,
            lines=priced,
            discount_percent=known.discount_percent if known else 0,
            shipping_address=shipping_address,
            payment_method=payment_method,
            payment_due_at=clock.now() + settings.PAYMENT_DEADLINE,
        )
        work.add(order)
    return order


def _priced(
    products: Mapping[str, Product], lines: Sequence[tuple[Sku, int]], payment_method: PaymentMethodId
) -> list[PlacedLine]:
    """The lines at the server's own prices, one a sku, in the order the skus were first named."""
    quantities: dict[Sku, int] = {}
    errors: list[Unacceptable] = []
    for i, (sku, quantity) in enumerate(lines):
        quantities[sku] = quantities.get(sku, 0) + quantity
        if not 1 <= quantities[sku] <= MAX_QUANTITY:
            raise QuantityOutOfBounds(pointer=f"/lines/{i}/quantity")
        if sku not in products:
            errors.append(UnknownSku(f"there is no product {sku!r}", pointer=f"/lines/{i}/sku"))
        elif not products[sku].on_sale:
            errors.append(NotOnSale(f"product {sku} is not on sale", pointer=f"/lines/{i}/sku"))
    if payment_method not in TEST_METHODS:
        errors.append(UnknownPaymentMethod(f"there is no payment method {payment_method!r}", pointer="/payment_method"))
    if errors:
        raise UnacceptableInput(errors)
    return [PlacedLine(sku, products[sku].name, quantity, products[sku].price) for sku, quantity in quantities.items()]


def await_payment(number: OrderNumber) -> None:
    """The order's goods are set aside."""
    with unit_of_work() as work:
        work.get(Order, number).await_payment()


def cancel_for_shortage(number: OrderNumber) -> None:
    """The order's goods are not all there."""
    with unit_of_work() as work:
        work.get(Order, number).cancel_for_shortage()


def lock_orders(numbers: Sequence[OrderNumber]) -> None:
    """Lock several orders, in the order of their keys."""
    with unit_of_work() as work:
        work.prefetch(Order, numbers)


def lock_orders_and_buyers(numbers: Sequence[OrderNumber]) -> None:
    """Lock several orders and then their buyers, each in the order of their keys."""
    with unit_of_work() as work:
        orders = work.get_many(Order, numbers)
        work.get_many(Buyer, {order.buyer_id for order in orders.values()})


def confirm_order(number: OrderNumber, payment: PaymentId, amount: Money) -> None:
    """The order's money came in."""
    with unit_of_work() as work:
        work.get(Order, number).confirm(payment, amount)


def shipping_request(number: OrderNumber) -> ShippingRequested:
    """What fulfillment must know to send the order: the one place an address leaves ordering."""
    with unit_of_work() as work:
        order = work.get(Order, number)
    return ShippingRequested(
        order=number,
        recipient=Address(**order.shipping_address),
        lines=tuple(LineToShip(Sku(line.sku), line.name, line.quantity) for line in order.lines),
    )


def cancel_for_declined_payment(number: OrderNumber, reason: str) -> None:
    """The order's money will not come."""
    with unit_of_work() as work:
        work.get(Order, number).cancel_for_declined_payment(reason)


def expire_order(number: OrderNumber) -> None:
    """The order's money did not come in time."""
    with unit_of_work() as work:
        work.get(Order, number).expire()


def cancel_order(
    number: OrderNumber, reason: CancellationReason, note: str = "", if_version: Collection[int] | None = None
) -> Order:
    """Someone no longer wants the order.

    Raises:
        NotFound: there is no such order.
        NotAllowed: it is shipped, or cancelled already.
        StaleVersion: the order is in none of the versions in `if_version`.
    """
    with unit_of_work() as work:
        order = work.get(Order, number)
        order.expect_version(if_version)
        order.cancel(reason, note)
    return order


def complete_cancellation(number: OrderNumber, reason: CancellationReason) -> None:
    """Fulfillment stopped the order's shipment."""
    with unit_of_work() as work:
        work.get(Order, number).complete_cancellation(reason)


def reject_cancellation(number: OrderNumber) -> None:
    """Fulfillment could not stop the order's shipment."""
    with unit_of_work() as work:
        work.get(Order, number).reject_cancellation()


def mark_shipped(
    number: OrderNumber,
    shipment: ShipmentId,
    carrier: str,
    tracking_number: str,
    quantities: Mapping[Sku, int],
) -> None:
    """Goods of the order left the house."""
    with unit_of_work() as work:
        work.get(Order, number).mark_shipped(shipment, carrier, tracking_number, quantities)


def mark_delivered(number: OrderNumber, shipment: ShipmentId) -> None:
    """Goods of the order reached their recipient."""
    with unit_of_work() as work:
        work.get(Order, number).mark_delivered(shipment)


def record_refund(number: OrderNumber, refunded: Money) -> None:
    """Money went back to the buyer, `refunded` in all so far."""
    with unit_of_work() as work:
        work.get(Order, number).record_refund(refunded)
