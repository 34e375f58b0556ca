"""What the search box finds in ordering: orders, buyers, products and vouchers."""

from collections.abc import Sequence
from typing import Any

from django.db.models import Q

from integration.admin.columns import exact_moment
from integration.admin.search import SHOWN, Term, newest, searches
from ordering.models import Buyer, BuyerText, Order, OrderText, Product, Voucher


def _about_order(order: Order) -> Sequence[Any]:
    to = order.shipping_address.get("recipient", "")
    return order.get_status_display(), order.total, to, exact_moment(order.created_at, "minutes")


@searches(Order, facts=_about_order, words=(OrderText, BuyerText))
def orders(term: Term) -> list[Order]:
    """An order by its number, or the orders of a buyer or a recipient."""
    named = newest(Order, Q(pk=term.order))
    if named:
        return named
    recipients, buyers = term.found_in(OrderText)[0], term.found_in(BuyerText)[0]
    # A UNION lets each part use its own index, and read only the newest rows of it.
    parts = [
        Order.objects.filter(condition).order_by("-created_at").values_list("pk", flat=True)[: SHOWN + 1]
        for condition in (Q(buyer__in={*term.names, *buyers}), Q(pk__in=recipients))
    ]
    return newest(Order, Q(pk__in={key for part in parts for key in part}))


def _about_buyer(buyer: Buyer) -> Sequence[Any]:
    return buyer.name, buyer.email, f"spent {buyer.spend}"


@searches(Buyer, facts=_about_buyer, words=(BuyerText,))
def buyers(term: Term) -> list[Buyer]:
    """A buyer by the identifier, or by parts of the name and the e-mail address."""
    return newest(Buyer, Q(pk__in={*term.names, *term.found_in(BuyerText)[0]}))


@searches(Product, facts=lambda product: (product.name, product.price, product.availability))
def products(term: Term) -> list[Product]:
    """A product by its SKU."""
    return newest(Product, Q(pk__in=term.names))


@searches(Voucher, facts=lambda voucher: (voucher.kind,))
def vouchers(term: Term) -> list[Voucher]:
    """A voucher by its code."""
    return newest(Voucher, Q(pk__in=term.names))
