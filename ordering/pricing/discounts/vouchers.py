"""Each voucher that the buyer named is a discount, if it is valid now, for this buyer and for this subtotal."""

from operator import attrgetter

from integration.domain.money import Money
from ordering.pricing.asked import Asked, Voucher, VoucherKind
from ordering.pricing.discounts import Applied, discount_rule
from ordering.pricing.priced import NotApplied, PricedOrder


@discount_rule(position=10, each=attrgetter("vouchers"))
def voucher(order: PricedOrder, asked: Asked, voucher: Voucher) -> Applied | NotApplied:
    if reason := _refusal(order, asked, voucher):
        return NotApplied(voucher.code, voucher.name, reason)
    return Applied(
        code=voucher.code,
        name=voucher.name,
        amount=_amount(order, voucher),
        exclusive=voucher.exclusive,
        frees_shipping=voucher.kind == VoucherKind.FREE_SHIPPING,
    )


def _amount(order: PricedOrder, voucher: Voucher) -> Money:
    match voucher.kind:
        case VoucherKind.PERCENT:
            return order.reduced.percent(voucher.percent)
        case VoucherKind.AMOUNT if voucher.amount is not None:
            return voucher.amount
    return Money.zero(order.currency)


def _refusal(order: PricedOrder, asked: Asked, voucher: Voucher) -> str:
    if voucher.refusal:
        return voucher.refusal
    if voucher.valid_from and asked.moment < voucher.valid_from:
        return f"it is valid from {voucher.valid_from:%Y-%m-%d %H:%M} UTC on"
    if voucher.valid_until and asked.moment >= voucher.valid_until:
        return f"it was valid until {voucher.valid_until:%Y-%m-%d %H:%M} UTC"
    if {money.currency for money in (voucher.amount, voucher.minimum) if money} - {order.currency}:
        return "it is in another currency"
    if voucher.minimum and order.subtotal < voucher.minimum:
        return f"the goods must cost at least {voucher.minimum}"
    if any(discount.code == voucher.code for discount in order.discounts):
        return "it is used in this order already"
    return ""
