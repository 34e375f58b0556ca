"""REST view of all that the system holds on the caller, and ordering's part of it."""

from collections.abc import Sequence
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from integration.domain.identifiers import BuyerId, OrderNumber
from integration.gateways.mail_files import letters_of
from integration.history.story import stories
from integration.rest.export import exported, exports
from integration.rest.people import who_caused
from integration.rest.views import View, represent
from ordering import queries
from ordering.api.caller import caller
from ordering.api.customers import ProfileOutput
from ordering.api.orders import represent_orders
from ordering.api.timeline import TimelineEntry
from ordering.models import Cart, Order, SentLetter

AT_ONCE = 200
"""How many orders are read at a time, with the events of their stories."""


class Export(View):
    """A copy of all that the system holds on the caller."""

    @extend_schema(responses=OpenApiTypes.OBJECT)
    def get(self, request: Request) -> Response:
        """Retrieve all that is stored about the caller.

        It has the account, the profile, consents, carts, orders with their events, invoices with payments and refunds,
        shipments, returns, and letters. Nothing in it is about anybody else.
        """
        buyer, user = caller(request), request.user
        orders = list(queries.orders_of(buyer).order_by("created_at", "pk"))
        account = {name: getattr(user, name) for name in ("username", "email", "first_name", "last_name")}
        times = {name: getattr(user, name) for name in ("date_joined", "last_login")}
        shown = {
            "account": {**account, **times},
            "profile": represent(ProfileOutput, queries.profile_of(buyer, user)),
            "orders": [
                shown for n in range(0, len(orders), AT_ONCE) for shown in _shown(orders[n : n + AT_ONCE], user)
            ],
            **exported(buyer, [OrderNumber(order.number) for order in orders]),
        }
        return Response(shown, headers={"Cache-Control": "no-store"})


def _shown(orders: Sequence[Order], user: Any) -> list[dict[str, Any]]:
    Order.load_parts(orders)
    found = stories([order.correlation_id for order in orders])
    shown_orders = represent_orders(orders)
    for order, shown in zip(orders, shown_orders, strict=True):
        entries: list[Any] = found[order.correlation_id]
        for entry, by in zip(entries, who_caused(entries, user, sees_people=False), strict=True):
            entry.by = by
        is_own_note = order.cancellation_reason != "by_operator"
        shown |= {
            "payment_method": order.payment_method,
            "note": order.note if is_own_note else "",
            "events": TimelineEntry(entries, many=True).data,
        }
    return shown_orders


@exports("carts")
def carts(buyer: BuyerId, orders: Sequence[OrderNumber]) -> Any:
    return [
        {
            "id": cart.id,
            "status": cart.status,
            "lines": [{"sku": sku, "quantity": quantity} for sku, quantity in cart.items],
            "vouchers": cart.codes,
            "shipping_address": cart.shipping_address,
            "shipping_option": cart.shipping_option or None,
            "became": cart.became or None,
            "opened_at": cart.created_at,
            "updated_at": cart.updated_at,
        }
        for cart in Cart.objects.filter(buyer=buyer).order_by("created_at")
    ]


@exports("consents")
def consents(buyer: BuyerId, orders: Sequence[OrderNumber]) -> Any:
    return queries.consents_of(buyer)


@exports("letters")
def letters(buyer: BuyerId, orders: Sequence[OrderNumber]) -> Any:
    return letters_of(buyer)


@exports("letters_sent")
def letters_sent(buyer: BuyerId, orders: Sequence[OrderNumber]) -> Any:
    return list(SentLetter.objects.filter(order__in=orders).values("order", "kind", "language", "sent_at"))
