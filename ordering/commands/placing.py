"""The command that places an order."""

from collections.abc import Mapping, Sequence

from django.conf import settings

from integration.aggregates.unit_of_work import unit_of_work
from integration.domain import clock
from integration.domain.address import Address
from integration.domain.address_rules import region_code
from integration.domain.errors import Refused, Unacceptable, UnacceptableInput
from integration.domain.identifiers import BuyerId, PaymentMethodId, Sku
from integration.domain.money import Money
from integration.storage.order_numbers import next_order_number
from ordering.commands.vouchers import hold_vouchers, lock_terms_of, require_vouchers
from ordering.gateways.payments import payments
from ordering.models import MAX_QUANTITY, Buyer, Order, Product, QuantityOutOfBounds, TooManyLines, Voucher
from ordering.models.order_line import subtotal_of
from ordering.models.order_requests import HoldReason
from ordering.pricing import BuyerTerms, Destination, Item, PricedOrder, ShippingProblem, price
from ordering.queries.shop import shop_for

NO_PAYMENT_METHOD = PaymentMethodId("")
"""What an order that costs nothing is paid with."""


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
    vouchers: Sequence[str] = (),
    expected_total: Money | None = None,
    email: str = "",
) -> Order:
    """Place an order at the current prices of the products.

    Args:
        lines: SKUs and quantities; the quantities of a SKU that is named twice are added up.
        payment_method: one that the buyer keeps, or a provider's token. None is accepted only if the total is zero.
        shipping_option: the identifier of a shipping option; None chooses the cheapest.
        vouchers: the codes of vouchers, in capitals. Each must apply.
        expected_total: what the buyer was shown. None accepts any total.
        email: the e-mail address of a guest, by which limits of vouchers per buyer count.

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
        VoucherNotApplied: a voucher does not apply; there is an error for each, with the reason.
        TotalChanged: the total is not the expected one.
        PaymentMethodMissing: there is none, and the total is not zero.
    """
    Order.require(len(lines) > 0, TooManyLines(pointer="/lines"))
    skus = {sku for sku, _ in lines}
    with unit_of_work() as work:
        work.look_ahead({Product: skus, Buyer: [buyer], Voucher: vouchers}, key_shared=Buyer)
        items = _items(work.look_at(Product, skus), lines, payment_method, buyer)
        # `FOR KEY SHARE` lets many orders of one buyer, such as a marketplace, run concurrently. But a buyer cannot be
        # erased while an order is placed.
        known_buyer = work.look_at(Buyer, [buyer]).get(buyer)
        priced = price(
            items,
            BuyerTerms(known_buyer.discount_percent if known_buyer else 0),
            Destination(shipping_address.country, region_code(shipping_address.country, shipping_address.region)),
            shipping_option,
            lock_terms_of(work, vouchers, buyer, email) if vouchers else [],
            clock.now(),
            shop_for(subtotal_of(items).currency, shipping_address.country),
        )
        _require_shipping(priced, shipping_option)
        require_vouchers(vouchers, priced)
        if expected_total is not None:
            changed = TotalChanged(f"the order costs {priced.total}, not {expected_total}")
            Order.require(priced.total == expected_total, changed)
        order = Order.place(
            next_order_number(),
            buyer=buyer,
            priced=priced,
            shipping_address=shipping_address,
            payment_method=payment_method or NO_PAYMENT_METHOD,
            payment_due_at=clock.now() + settings.PAYMENT_DEADLINE,
            vouchers=vouchers,
        )
        Order.require(bool(payment_method) or not order.total, PaymentMethodMissing(pointer="/payment_method"))
        work.add(order)
        if shipping_address.accepted:
            order.hold(HoldReason.INCORRECT_ADDRESS, shipping_address.accepted)
        if vouchers:
            hold_vouchers(work, order, email)
    return order


def _require_shipping(priced: PricedOrder, option: str | None) -> None:
    match priced.shipping_problem:
        case ShippingProblem.UNKNOWN_OPTION:
            raise UnknownShippingOption(f"there is no shipping option {option!r}", pointer="/shipping_option")
        case ShippingProblem.NOT_SHIPPED_THERE:
            raise NotShippedThere(pointer="/shipping_address/country")


def _items(
    products: Mapping[str, Product],
    lines: Sequence[tuple[Sku, int]],
    payment_method: PaymentMethodId | None,
    buyer: BuyerId,
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
    if payment_method is not None and not payments().can_pay_with(payment_method, buyer):
        errors.append(UnknownPaymentMethod(f"there is no payment method {payment_method!r}", pointer="/payment_method"))
    if errors:
        raise UnacceptableInput(errors)
    return [
        Item(sku, product.name, quantity, product.price, product.tax_class, product.weight_g)
        for sku, quantity in quantities.items()
        if (product := products[sku])
    ]
