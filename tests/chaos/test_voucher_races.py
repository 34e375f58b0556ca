"""Many orders at once claim a voucher: its limit holds, and a cancellation frees it."""

from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from at_once import at_once
from django.db import connection

from config.verification import verify
from integration.domain.identifiers import OrderNumber
from integration.messaging.deliver import deliver_due
from integration.messaging.wakeups import DeliveryQueue
from ordering.commands import cancel_order, create_voucher
from ordering.commands.vouchers import VoucherNotApplied
from ordering.models import CancellationReason, Order, Voucher, VoucherClaim

ORDERS = 200
THREADS = 50 if connection.vendor == "postgresql" else 8
"""At the same moment; each places its part of the orders."""

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def place_many(for_threads: None, placed: Callable[..., OrderNumber]) -> Callable[..., list[Any]]:
    """A function that places orders with vouchers from many threads; returns the numbers and the refusals."""

    def place(code: str, orders: int = ORDERS) -> list[Any]:
        def one(i: int) -> Any:
            try:
                return placed({"MUG": 1}, buyer=f"B-{code}-{i}", vouchers=[code])
            except VoucherNotApplied as refused:
                return refused

        def several(first: int) -> list[Any]:
            return [one(i) for i in range(first, orders, THREADS)]

        results = at_once(*(partial(several, first) for first in range(THREADS)))
        assert [each for each in results if isinstance(each, BaseException)] == []
        return [each for several_results in results for each in several_results]

    return place


def test_one_of_many_orders_at_once_has_a_voucher_of_one_use(
    place_many: Callable[..., list[Any]], placed: Callable[..., OrderNumber], drain: Callable[..., int]
) -> None:
    create_voucher("ONCE", {"kind": "percent", "value": Decimal(10), "limit": 1})
    results = place_many("ONCE")
    winners = [each for each in results if isinstance(each, str)]
    assert (len(results), len(winners), Order.objects.count()) == (ORDERS, 1, 1)
    assert VoucherClaim.objects.get().order == winners[0]
    cancel_order(OrderNumber(winners[0]), CancellationReason.BY_BUYER)
    assert Voucher.objects.get().claims == 0
    again = [each for each in place_many("ONCE", THREADS) if isinstance(each, str)]
    assert len(again) == 1
    drain()
    assert (Voucher.objects.get().held, Voucher.objects.get().redeemed) == (0, 1)
    assert [what for finding in verify().values() for what in finding.complaints] == []


@pytest.mark.parametrize("first", ["confirm", "cancel", "both at once"])
def test_a_late_payment_and_the_release_of_a_voucher_end_in_one_state(
    for_threads: None, placed: Callable[..., OrderNumber], drain: Callable[..., int], first: str
) -> None:
    create_voucher("FEW", {"kind": "percent", "value": Decimal(10), "limit": 20})
    orders = [placed({"MUG": 1}, buyer=f"B-{i}", vouchers=["FEW"]) for i in range(6)]
    drain("inventory")
    while deliver_due(DeliveryQueue("billing", False)) or deliver_due(DeliveryQueue("billing", True)):
        drain("inventory")
    deliver = partial(drain, "ordering")  # now the payments are confirmed, unless the orders are cancelled first
    cancel = [partial(_cancel, order) for order in orders]
    if first == "both at once":
        assert [each for each in at_once(deliver, *cancel) if isinstance(each, BaseException)] == []
    else:
        for step in [deliver, *cancel] if first == "confirm" else [*cancel, deliver]:
            step()
    drain()
    assert set(Order.objects.values_list("status", flat=True)) == {"cancelled"}
    assert set(VoucherClaim.objects.values_list("status", flat=True)) == {"released"}
    assert Voucher.objects.get().claims == 0
    assert [what for finding in verify().values() for what in finding.complaints] == []


def _cancel(order: OrderNumber) -> None:
    cancel_order(order, CancellationReason.BY_BUYER)


def test_orders_that_claim_the_same_vouchers_in_another_order_do_not_deadlock(
    for_threads: None, placed: Callable[..., OrderNumber], drain: Callable[..., int]
) -> None:
    codes = ["ONE", "TWO"]
    for code in codes:
        create_voucher(code, {"kind": "percent", "value": Decimal(10), "limit": 99})

    def place(i: int) -> OrderNumber:
        return placed({"MUG": 1}, buyer=f"B-{i}", vouchers=codes if i % 2 else codes[::-1])

    orders = at_once(*(partial(place, i) for i in range(8)))
    assert [each for each in orders if isinstance(each, BaseException)] == []
    results = at_once(
        partial(drain, "inventory", "billing", "ordering"), *(partial(_cancel, each) for each in orders[:4])
    )
    assert [each for each in results if isinstance(each, BaseException)] == []
    drain()
    assert [(voucher.held, voucher.redeemed) for voucher in Voucher.objects.all()] == [(0, 4)] * 2
    assert [what for finding in verify().values() for what in finding.complaints] == []


def test_a_voucher_without_a_limit_is_in_all_orders(place_many: Callable[..., list[Any]]) -> None:
    create_voucher("ALL", {"kind": "percent", "value": Decimal(10)})
    assert len({each for each in place_many("ALL", THREADS) if isinstance(each, str)}) == THREADS
    assert VoucherClaim.objects.filter(status="held", is_counted=False).count() == THREADS
