"""At the payment deadline an order is cancelled only if no money is on its way, and for the reason that is true."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from billing.models import Invoice
from integration.domain.identifiers import OrderNumber
from integration.messaging.models import Delivery
from ordering import commands
from ordering.models import Order
from ordering.policies.saga import cancel_overdue_orders

pytestmark = pytest.mark.django_db

Placed = Callable[..., OrderNumber]
Drain = Callable[..., int]
Later = Callable[[timedelta], None]
DEADLINE = timedelta(minutes=31)


def ends() -> list[tuple[str, str, str]]:
    orders = Order.objects.order_by("number")
    return [(order.status, order.cancellation_reason, order.payment_status) for order in orders]


@pytest.mark.parametrize("minutes", [0, 29])
def test_an_order_that_was_paid_in_time_is_confirmed_when_ordering_is_late(
    placed: Placed, drain: Drain, later: Later, minutes: int
) -> None:
    for n in range(3):
        placed({"MUG": 1}, buyer=f"B-{n}")
    drain("inventory")
    later(timedelta(minutes=minutes))
    drain("billing")
    later(DEADLINE)

    cancel_overdue_orders()
    assert {status for status, _, _ in ends()} == {"pending"}
    drain()

    assert ends() == [("confirmed", "", "paid")] * 3
    assert not Invoice.objects.exclude(refunded_minor=0).exists()


def test_an_order_whose_payment_is_a_dead_letter_is_left_to_an_operator(
    placed: Placed, drain: Drain, later: Later
) -> None:
    placed()
    drain("inventory", "billing")
    Delivery.objects.filter(consumer="ordering.confirm-paid-order").update(status="dead")
    later(DEADLINE)
    drain()
    cancel_overdue_orders()
    assert ends() == [("payment_pending", "", "pending")]


def test_a_declined_payment_that_is_on_its_way_is_the_reason(placed: Placed, drain: Drain, later: Later) -> None:
    placed(method="pm_card_chargeDeclined")
    drain("inventory", "billing")
    later(DEADLINE)
    cancel_overdue_orders()
    drain()
    assert ends() == [("cancelled", "payment_failed", "failed")]


def test_an_order_whose_goods_were_never_reserved_was_not_processed(placed: Placed, drain: Drain, later: Later) -> None:
    placed()
    later(DEADLINE)
    cancel_overdue_orders()
    assert ends() == [("cancelled", "not_processed", "cancelled")]
    drain()
    assert ends() == [("cancelled", "not_processed", "cancelled")]


def test_an_order_that_billing_never_asked_money_for_was_not_processed(
    placed: Placed, drain: Drain, later: Later
) -> None:
    placed()
    drain("inventory", "ordering")
    later(DEADLINE)
    cancel_overdue_orders()
    assert ends() == [("cancelled", "not_processed", "cancelled")]


def test_an_order_whose_provider_was_away_was_not_paid_in_time(
    placed: Placed, drain: Drain, later: Later, settings
) -> None:
    settings.SANDBOX_FAILURE_RATE = 2.0
    placed()
    drain()
    later(DEADLINE)
    cancel_overdue_orders()
    assert ends() == [("cancelled", "payment_timeout", "cancelled")]


def test_one_order_that_cannot_be_cancelled_hides_no_other(
    placed: Placed, later: Later, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, *_ = [placed({"MUG": 1}, buyer=f"B-{n}") for n in range(3)]
    expire = commands.expire_order

    def fail_for_the_first(number: OrderNumber) -> None:
        if number == first:
            raise RuntimeError("cannot be cancelled")
        expire(number)

    monkeypatch.setattr(commands, "expire_order", fail_for_the_first)
    later(DEADLINE)
    cancel_overdue_orders()
    assert [status for status, _, _ in ends()] == ["pending", "cancelled", "cancelled"]
