"""The domain events of orders about goods that come back, and withdrawals."""

from datetime import datetime
from typing import Any

from integration.domain.events import DomainEvent, domain_event
from integration.domain.identifiers import OrderNumber, ReceiptId, ReturnId, Sku, WithdrawalId
from integration.domain.money import Money
from integration.domain.personal import PersonalText
from integration.domain.versions import upcast


@domain_event("ordering.order_return_changed", says="return {return_} of order {order} became {status}")
class OrderReturnChanged(DomainEvent, kw_only=True):
    """Fulfillment published a new status of a return."""

    order: OrderNumber
    return_: ReturnId
    status: str


@domain_event("ordering.order_goods_returned", says="{quantities} of order {order} came back with {receipt}")
class OrderGoodsReturned(DomainEvent, kw_only=True):
    """Units of the order came back. A receipt counts once."""

    order: OrderNumber
    return_: ReturnId
    receipt: ReceiptId
    quantities: dict[Sku, int]


@domain_event(
    "ordering.order_withdrawn",
    version=2,
    says="the buyer withdrew from order {order} with {withdrawal}: {quantities}",
)
class OrderWithdrawn(DomainEvent, kw_only=True):
    """The buyer withdrew from these units. Nothing undoes it. A part of them may have left if the order `is_confirmed`.

    `shipping_withheld` is what a costlier shipping option than the cheapest cost more.
    """

    order: OrderNumber
    withdrawal: WithdrawalId
    quantities: dict[Sku, int]
    name: PersonalText
    email: PersonalText
    declared_at: datetime
    refund_due_at: datetime
    shipping_withheld: Money | None
    is_confirmed: bool


@upcast(OrderWithdrawn, from_version=1)
def orders_did_not_store_what_is_withheld(data: dict[str, Any]) -> dict[str, Any]:
    """Before version 2 only the return knew what of the shipping is not refunded, and the row of the order did not."""
    return {**data, "shipping_withheld": None}


@domain_event("ordering.order_withdrawal_arranged", says="withdrawal {withdrawal} of order {order} was arranged")
class OrderWithdrawalArranged(DomainEvent, kw_only=True):
    """Fulfillment stopped what had not left, and opened a return of the rest, if there is any."""

    order: OrderNumber
    withdrawal: WithdrawalId
    return_: ReturnId | None


@domain_event("ordering.order_withdrawal_settled", says="withdrawal {withdrawal} of order {order} was settled")
class OrderWithdrawalSettled(DomainEvent, kw_only=True):
    """Everything that the buyer withdrew from is cancelled, or came back, and its refund is decided."""

    order: OrderNumber
    withdrawal: WithdrawalId


@domain_event("ordering.order_refund_overdue", says="the refund of withdrawal {withdrawal} of order {order} is overdue")
class OrderRefundOverdue(DomainEvent, kw_only=True):
    """The refund of a withdrawal was due, and goods are still expected. A person decides whether it goes on waiting."""

    order: OrderNumber
    withdrawal: WithdrawalId
