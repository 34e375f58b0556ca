"""A transfer settles while its order is given up: whichever comes first, the order is confirmed, or refunded."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial

import pytest
from at_once import at_once

from billing.commands import note_call_back
from billing.gateways.sandbox import courses
from billing.gateways.sandbox.adapter import adapter
from billing.models import Payment
from config.verification import verify
from integration.domain.identifiers import OrderNumber
from integration.read_models.catch_up import catch_up_all
from ordering.commands import cancel_order
from ordering.models import CancellationReason, Order, OrderStatus
from ordering.policies.saga import cancel_overdue_orders

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]

ORDERS, HOUR = 3, timedelta(hours=1)


@pytest.mark.parametrize("given_up", ["at the deadline", "by its buyer"])
@pytest.mark.parametrize("first", ["settlement", "end", "both at once"])
def test_a_settlement_and_the_end_of_its_order_lead_to_one_state(
    for_threads: None,
    placed: Callable[..., OrderNumber],
    drain: Callable[..., int],
    later: Callable[[timedelta], None],
    monkeypatch: pytest.MonkeyPatch,
    first: str,
    given_up: str,
) -> None:
    monkeypatch.setattr(courses, "TRANSFER_EXPIRES", HOUR)
    monkeypatch.setattr(courses, "TRANSFER_SETTLES", 240 * HOUR)
    orders = [placed({"MUG": 1}, buyer=f"B-{i}", method="pm_bank_transfer") for i in range(ORDERS)]
    drain()
    assert set(Payment.objects.values_list("status", flat=True)) == {"pending"}
    if given_up == "at the deadline":
        later(2 * HOUR)
    keys = list(Payment.objects.values_list("key", flat=True))
    settlements = [partial(_settle, key) for key in keys]
    ends = [_be_overdue] if given_up == "at the deadline" else [partial(_cancel, order) for order in orders]
    if first == "both at once":
        results = at_once(*settlements, *ends, partial(drain, "billing"), partial(drain, "ordering"))
        assert [each for each in results if isinstance(each, BaseException)] == []
    else:
        for step in [*settlements, drain, *ends] if first == "settlement" else [*ends, drain, *settlements]:
            step()
    drain()
    found = {(order.status, order.payment_status) for order in Order.objects.all()}
    confirmed, refunded = ("confirmed", "paid"), ("cancelled", "refunded")
    if first == "both at once":
        assert found <= {confirmed, refunded}
    else:
        assert found == {confirmed if first == "settlement" and given_up == "at the deadline" else refunded}
    catch_up_all()
    assert [what for finding in verify(provider=240 * HOUR).values() for what in finding.complaints] == []


def _settle(key: str) -> None:
    adapter.play(key, "settle")
    body, headers = adapter.call_back(key)
    note_call_back("sandbox", adapter.read_call_back(body, headers))


def _be_overdue() -> None:
    cancel_overdue_orders()


def _cancel(order: OrderNumber) -> None:
    if Order.objects.get(pk=order).status != OrderStatus.CANCELLED:
        cancel_order(order, CancellationReason.BY_BUYER)
