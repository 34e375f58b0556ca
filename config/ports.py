"""Connects the ports of the contexts: what one of them asks another, without knowing which."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any, cast

from billing.queries import can_pay_with, waiting_payments, ways_to_pay
from fulfillment.gateways import orders
from fulfillment.gateways.orders import OrderFacts
from integration.domain.identifiers import BuyerId, OrderNumber, PaymentMethodId, Sku, buyer_of_user
from ordering.gateways import payments
from ordering.gateways.payments import NextAction
from ordering.models import Order
from ordering.queries import orders_of
from ordering.queries.terms import exempt_products


class OrdersOfOrdering:
    """Ordering, as fulfillment asks it."""

    def facts(self, order: OrderNumber) -> OrderFacts | None:
        found = Order.objects.filter(pk=order).only("currency", "created_at").first()
        if found is None:
            return None
        placed_at = found.created_at

        def exempt(skus: Collection[Sku]) -> Collection[Sku]:
            return exempt_products(skus, placed_at)

        return OrderFacts(found.currency, exempt)

    def of(self, user: Any) -> Iterable[OrderNumber]:
        own = orders_of(buyer_of_user(user.pk)).order_by().values_list("pk", flat=True)
        return cast(Iterable[OrderNumber], own)


class PaymentsOfBilling:
    """Billing, as ordering asks it."""

    def next_actions(self, orders: Collection[OrderNumber]) -> Mapping[OrderNumber, NextAction]:
        return {
            OrderNumber(payment.order): NextAction(**payment.next_action, expires_at=payment.expires_at)
            for payment in waiting_payments(orders)
            if payment.next_action and payment.expires_at
        }

    def can_pay_with(self, method: PaymentMethodId, buyer: BuyerId) -> bool:
        return can_pay_with(method, buyer)

    def ways_to_pay(self, buyer: BuyerId | None) -> Mapping[PaymentMethodId, str]:
        return ways_to_pay(buyer)


def connect_ports() -> None:
    """Connect all ports; `Wiring` does so once all contexts are loaded."""
    payments.connect(PaymentsOfBilling())
    orders.connect(OrdersOfOrdering())
