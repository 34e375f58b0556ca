"""The buyer learns which units were cancelled, and which could not be because they had left."""

from collections.abc import Callable

import pytest
from django.core import mail

from fulfillment.commands import dispatch_shipment, shipment_of
from integration.domain.identifiers import BuyerId, OrderNumber, Sku
from ordering.commands import cancel_lines, change_profile
from ordering.models import CancellationReason

pytestmark = pytest.mark.django_db

CANCELLED = "Cancelled: 1 × MUG. If you have already paid, we will refund you."
NOT_CANCELLED = "Not cancelled, because it had already left our warehouse: "


@pytest.mark.parametrize(
    ("dispatched", "what", "sentences"),
    [
        ({}, "changed", [CANCELLED]),
        ({"MUG": 1}, "changed", [CANCELLED, f"{NOT_CANCELLED}1 × MUG."]),
        ({"MUG": 2}, "not changed", [f"{NOT_CANCELLED}2 × MUG."]),
    ],
)
def test_a_buyer_learns_what_was_cancelled(
    placed: Callable[..., OrderNumber],
    drain: Callable[..., int],
    dispatched: dict[str, int],
    what: str,
    sentences: list[str],
) -> None:
    order = placed({"MUG": 2, "LAMP": 1})
    change_profile(BuyerId("B-1"), {"email": "ada@example.org"})
    drain()
    if dispatched:
        dispatch_shipment(shipment_of(order), "DHL", "1", [(Sku(sku), n) for sku, n in dispatched.items()])
    cancel_lines(order, [(Sku("MUG"), 2 if dispatched else 1)], CancellationReason.BY_BUYER)
    drain()

    [letter] = [each for each in mail.outbox if "changed" in each.subject]
    assert letter.subject == f"Your order {order} is {what} (C{order[1:]}-1)"
    assert [line for line in letter.body.splitlines() if line][-len(sentences) :] == sentences
