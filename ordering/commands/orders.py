"""Commands on orders: each places an order or sends it one message of its state table.

Those that send a message raise `NotFound` for an unknown order, and the errors of the method of `Order` they call.
"""

from collections.abc import Collection, Mapping, Sequence

from django.conf import settings

from integration.aggregates.unit_of_work import unit_of_work
from integration.contracts.billing import TEST_METHODS, PaymentRequested
from integration.contracts.ordering import LineToShip, ShippingRequested
from integration.domain import clock
from integration.domain.address import Address
from integration.domain.errors import Refused, Unacceptable, UnacceptableInput
from integration.domain.identifiers import BuyerId, OrderNumber, PaymentId, PaymentMethodId, ShipmentId, Sku
from integration.domain.money import Money
from integration.messaging.on_the_way import was_published
from integration.storage.order_numbers import next_order_number
from ordering.models import MAX_QUANTITY, Buyer, CancellationReason, Order, Product, QuantityOutOfBounds, TooManyLines
from ordering.models.order_line import subtotal_of
from ordering.pricing import BuyerTerms, Destination, Item, PricedOrder, ShippingProblem, price
from ordering.queries.shop import shop_for

NO_PAYMENT, NO_PAYMENT_METHOD = PaymentId(""), PaymentMethodId("")
"""What an order that costs nothing is confirmed by, and paid with."""


class UnknownSku(Unacceptable):
    """There is no product with this SKU."""


class NotOnSale(Unacceptable):
    """The product is not on sale."""


class UnknownPaymentMethod(Unacceptable):
    """There is no such payment method."""


class UnknownShippingOption(Unacceptable):
    """The shipping option does not exist, or not for this order."""


class NotShippedThere(Unacceptable):
    """The shop ships no such order to this country."""


class TotalChanged(Refused):
    """The order costs something else by now."""


class PaymentMethodMissing(Unacceptable):
    """A payment method is needed, unless the order costs nothing."""


def place_order(
    buyer: BuyerId,
    lines: Sequence[tuple[Sku, int]],
    shipping_address: Address,
    payment_method: PaymentMethodId | None,
    *,
    shipping_option: str | None = None,
    expected_total: Money | None = None,
) -> Order:
    """Place an order at the current prices of the products.

    Args:
        lines: SKUs and quantities; the quantities of a SKU that is named twice are added up.
        payment_method: None is accepted only if the total is zero.
        shipping_option: the identifier of a shipping option; None chooses the cheapest.
        expected_total: what the buyer was shown. None accepts any total.

    Returns:
        The new order.

    Raises:
        UnacceptableInput: has an error for each SKU that is unknown or not on sale, and for an unknown payment method.
        TooManyLines: there are no lines, or more than 2,000.
        QuantityOutOfBounds: the quantity of a SKU is not from 1 to 100,000.
        MixedCurrencies: the products are not all priced in one currency.
        TooExpensive: the total exceeds the limit.
        UnknownShippingOption: the shipping option is not offered for this order.
        NotShippedThere: no shipping option is offered for this order.
        TotalChanged: the total is not the expected one.
        PaymentMethodMissing: there is none, and the total is not zero.
    """
    Order.require(len(lines) > 0, TooManyLines(pointer="/lines"))
    skus = {sku for sku, _ in lines}
    with unit_of_work() as work:
        work.look_ahead({Product: skus, Buyer: [buyer]}, key_shared=Buyer)
        items = _items(work.look_at(Product, skus), lines, payment_method)
        # `FOR KEY SHARE` lets many orders of one buyer, such as a marketplace, run concurrently. But a buyer cannot be
        # erased while an order is placed.
        known_buyer = work.look_at(Buyer, [buyer]).get(buyer)
        priced = price(
            items,
            BuyerTerms(known_buyer.discount_percent if known_buyer else 0),
            Destination(shipping_address.country),
            shipping_option,
            [],
            clock.now(),
            shop_for(subtotal_of(items).currency, shipping_address.country),
        )
        _require_shipping(priced, shipping_option)
        Order.require(
            expected_total in (None, priced.total),
            TotalChanged(f"the order costs {priced.total}, not {expected_total}"),
        )
        order = Order.place(
            next_order_number(),
            buyer=buyer,
            priced=priced,
            shipping_address=shipping_address,
            payment_method=payment_method or NO_PAYMENT_METHOD,
            payment_due_at=clock.now() + settings.PAYMENT_DEADLINE,
        )
        Order.require(bool(payment_method) or not order.total, PaymentMethodMissing(pointer="/payment_method"))
        work.add(order)
    return order


def _require_shipping(priced: PricedOrder, option: str | None) -> None:
    match priced.shipping_problem:
        case ShippingProblem.UNKNOWN_OPTION:
            raise UnknownShippingOption(f"there is no shipping option {option!r}", pointer="/shipping_option")
        case ShippingProblem.NOT_SHIPPED_THERE:
            raise NotShippedThere(pointer="/shipping_address/country")


def _items(
    products: Mapping[str, Product], lines: Sequence[tuple[Sku, int]], payment_method: PaymentMethodId | None
) -> list[Item]:
    """The lines at current prices: one per SKU, in the order in which the SKUs were first named."""
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
    if payment_method is not None and payment_method not in TEST_METHODS:
        errors.append(UnknownPaymentMethod(f"there is no payment method {payment_method!r}", pointer="/payment_method"))
    if errors:
        raise UnacceptableInput(errors)
    return [
        Item(sku, product.name, quantity, product.price, product.tax_class, product.weight_g)
        for sku, quantity in quantities.items()
        if (product := products[sku])
    ]


def await_payment(number: OrderNumber) -> None:
    """Let an order wait for its payment, because its goods are reserved."""
    with unit_of_work() as work:
        work.get(Order, number).await_payment()


def cancel_for_shortage(number: OrderNumber) -> None:
    """Cancel an order because some of its goods are out of stock."""
    with unit_of_work() as work:
        work.get(Order, number).cancel_for_shortage()


def lock_orders(numbers: Sequence[OrderNumber]) -> None:
    """Lock several orders in key order, so that two batches cannot deadlock."""
    with unit_of_work() as work:
        work.prefetch(Order, numbers)


def lock_orders_and_buyers(numbers: Sequence[OrderNumber]) -> None:
    """Lock several orders and then their buyers, each in key order, so that two batches cannot deadlock."""
    with unit_of_work() as work:
        orders = work.get_many(Order, numbers)
        work.get_many(Buyer, {order.buyer_id for order in orders.values()})


def confirm_order(number: OrderNumber, payment: PaymentId, amount: Money) -> None:
    """Confirm an order because its payment succeeded.

    If the order was cancelled before, record only that the payment came too late.
    """
    with unit_of_work() as work:
        work.get(Order, number).confirm(payment, amount)


def confirm_free_order(number: OrderNumber) -> None:
    """Confirm an order because nothing is to be paid for it; do nothing if it was cancelled before.

    Raises:
        AmountMismatch: the order costs something.
    """
    with unit_of_work() as work:
        order = work.get(Order, number)
        order.confirm(NO_PAYMENT, Money.zero(order.currency))


def shipping_request(number: OrderNumber) -> ShippingRequested:
    """The contract that asks fulfillment to ship an order. Only here does an address leave ordering."""
    with unit_of_work() as work:
        order = work.get(Order, number)
    return ShippingRequested(
        order=number,
        recipient=Address(**order.shipping_address),
        lines=tuple(LineToShip(Sku(line.sku), line.name, line.quantity) for line in order.lines),
    )


def cancel_for_declined_payment(number: OrderNumber, reason: str) -> None:
    """Cancel an order because its payment was declined; `reason` is the provider's, such as `insufficient_funds`."""
    with unit_of_work() as work:
        work.get(Order, number).cancel_for_declined_payment(reason)


def expire_order(number: OrderNumber) -> None:
    """Cancel an order because it was not paid before its deadline; do nothing if it is past that stage.

    The reason is another one if nobody asked for the payment.
    """
    with unit_of_work() as work:
        order = work.get(Order, number)
        order.expire(payment_was_requested=was_published(PaymentRequested, order.correlation_id))


def cancel_order(
    number: OrderNumber, reason: CancellationReason, note: str = "", if_version: Collection[int] | None = None
) -> Order:
    """Cancel an order on behalf of its buyer or an operator.

    An order that is not confirmed is cancelled at once. For a confirmed order the command only requests the
    cancellation: fulfillment decides whether it can still stop the shipment.

    Args:
        note: free text about the cancellation, stored with the order.
        if_version: the versions of the order that the caller accepts; None accepts any.

    Returns:
        The order, cancelled or with its cancellation requested.

    Raises:
        NotFound: there is no such order.
        NotAllowed: the order is shipped, delivered or cancelled.
        CancellationUnderWay: its cancellation is requested already, with another note.
        StaleVersion: the order is in none of the versions in `if_version`.
    """
    with unit_of_work() as work:
        order = work.get(Order, number)
        order.expect_version(if_version)
        order.cancel(reason, note)
    return order


def complete_cancellation(number: OrderNumber, reason: CancellationReason) -> None:
    """Cancel a confirmed order because fulfillment stopped its shipment."""
    with unit_of_work() as work:
        work.get(Order, number).complete_cancellation(reason)


def reject_cancellation(number: OrderNumber) -> None:
    """Withdraw the cancellation request of an order because fulfillment could not stop its shipment."""
    with unit_of_work() as work:
        work.get(Order, number).reject_cancellation()


def mark_arranged(number: OrderNumber, shipment: ShipmentId) -> None:
    """Record that fulfillment arranged a shipment of an order; do nothing if the shipment is known."""
    with unit_of_work() as work:
        work.get(Order, number).mark_arranged(shipment)


def mark_shipped(
    number: OrderNumber,
    shipment: ShipmentId,
    carrier: str,
    tracking_number: str,
    quantities: Mapping[Sku, int],
) -> None:
    """Record that goods of an order left the warehouse in a shipment; a shipment counts once."""
    with unit_of_work() as work:
        work.get(Order, number).mark_shipped(shipment, carrier, tracking_number, quantities)


def mark_delivered(number: OrderNumber, shipment: ShipmentId) -> None:
    """Record that a shipment of an order reached its recipient."""
    with unit_of_work() as work:
        work.get(Order, number).mark_delivered(shipment)


def record_refund(number: OrderNumber, refunded: Money) -> None:
    """Record the total refunded so far; a total that is not higher than the recorded one is ignored."""
    with unit_of_work() as work:
        work.get(Order, number).record_refund(refunded)
