"""The admin page of carts; the package registers it."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse

from integration.admin.columns import NOTHING, Shown, address, column, link, moment
from integration.admin.pages import AggregateAdmin, Question
from integration.domain.identifiers import CartId
from ordering import commands
from ordering.admin.phone_orders import PhoneOrders
from ordering.models import Buyer, Cart, CartStatus, Order


class Expire(Question):
    """The form of the action that lets carts expire. It asks nothing more."""


def _expire(cart: Cart, question: Expire) -> str:
    commands.expire_cart(CartId(cart.id))
    return f"{cart} has ended"


@column("buyer", "buyer")
def buyer(cart: Cart) -> Shown:
    """A link to the buyer of a cart, or that it is a guest's."""
    return link(Buyer, cart.buyer) if cart.buyer else "a guest"


@column("became")
def became(cart: Cart) -> Shown:
    """A link to the order or the cart that a cart became."""
    if not cart.became:
        return NOTHING
    return link(Order if cart.status == CartStatus.CHECKED_OUT else Cart, cart.became)


@column("products")
def products(cart: Cart) -> str:
    """The products in a cart, one a line."""
    return "\n".join(f"{quantity} × {sku}" for sku, quantity in cart.items) or NOTHING


@column("vouchers")
def vouchers(cart: Cart) -> str:
    """The vouchers that a cart names."""
    return ", ".join(cart.codes) or NOTHING


class CartAdmin(PhoneOrders, AggregateAdmin):
    """Carts of buyers and of guests, with what became of them."""

    list_display = ("id", buyer, "status", became, moment("created_at", "opened"), moment("updated_at", "changed"))
    list_filter = ("status",)
    search_fields = ("id__contains", "buyer__contains", "became__contains")
    search_help_text = "A cart's ID, a buyer's ID, or the order that it became."
    identifiers = ("id", "buyer")
    ordering = ("-created_at",)
    actions = ("put_in", "ship_to", "ship_with", "use_voucher", "order_draft", "expire_now")
    messages_by_action = {
        "put_in": "change",
        "ship_to": "change",
        "ship_with": "change",
        "use_voucher": "change",
        "order_draft": "check_out",
        "expire_now": "expire",
    }
    fieldsets = (
        (None, {"fields": (("id", buyer, "status", became),)}),
        ("Goods", {"fields": ((products, vouchers),)}),
        ("Shipping", {"fields": ((address("shipping_address"), "shipping_option"),)}),
    )

    @admin.action(description="Let expire …", permissions=["act"])
    def expire_now(self, request: HttpRequest, chosen: QuerySet[Any]) -> HttpResponse | None:
        """Ask for a confirmation, then let each chosen cart expire."""
        return self.ask(request, chosen, "expire_now", Expire, _expire)
