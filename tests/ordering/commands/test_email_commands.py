"""Buyers get letters about their orders."""

from collections.abc import Callable

import pytest
from django.core import mail

from integration.contracts import billing as from_billing
from integration.contracts import inventory as from_inventory
from integration.domain.identifiers import BuyerId, OrderNumber
from integration.domain.money import Money
from ordering import commands
from ordering.models import Buyer, CancellationReason, Order
from tests.ordering.commands.shared import PAYMENT, REFUND, PublishAll, dispatched

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada(place: Callable[..., Order]) -> OrderNumber:
    """An order of somebody who left an address for letters."""
    commands.register_customer("ada", "correct horse battery", "Ada", "ada@example.org")
    return OrderNumber(place(buyer=Buyer.objects.get().id).number)


def _subjects() -> list[str]:
    return [letter.subject for letter in mail.outbox]


def test_a_buyer_is_told_what_becomes_of_their_order(ada: OrderNumber, hear: PublishAll) -> None:
    hear(from_inventory.StockReserved(ada), from_billing.PaymentSucceeded(ada, PAYMENT, Money("105", "USD")))
    hear(dispatched(ada))

    assert _subjects() == [f"Your order {ada} is confirmed", f"Your order {ada} is on its way (S-1-1)"]
    assert {tuple(letter.to) for letter in mail.outbox} == {("ada@example.org",)}
    assert "JD0143" in mail.outbox[1].body


def test_a_buyer_is_told_why_an_order_was_cancelled_and_of_the_refund(
    ada: OrderNumber, hear: PublishAll, drain: Callable[..., int]
) -> None:
    commands.cancel_order(ada, CancellationReason.BY_BUYER)
    hear(from_billing.PaymentSucceeded(ada, PAYMENT, Money("105", "USD")))
    hear(from_billing.RefundIssued(ada, REFUND, Money("105", "USD"), Money("105", "USD")))

    assert _subjects() == [f"Your order {ada} is cancelled", f"Your order {ada} is refunded (F-1-1)"]
    assert "you asked us to" in mail.outbox[0].body


def test_a_letter_sent_twice_is_recognised_as_the_same(ada: OrderNumber) -> None:
    with commands.letters_about([ada]) as letters:
        commands.write_to_buyer(letters, ada, "Your order", "It is there.")
        commands.write_to_buyer(letters, ada, "Your order", "It is there.")
        commands.write_to_buyer(letters, ada, "Your other letter", "It is there.")

    keys = [letter.extra_headers["Message-ID"] for letter in mail.outbox]
    assert keys[0] == keys[1] != keys[2]


def test_whoever_wants_no_letters_gets_none(ada: OrderNumber, hear: PublishAll) -> None:
    commands.change_profile(BuyerId(Buyer.objects.get().id), {"email_notifications": False})
    commands.cancel_order(ada, CancellationReason.BY_BUYER)
    hear()

    assert _subjects() == []


def test_whoever_left_no_address_gets_no_letters(confirmed: OrderNumber) -> None:
    assert _subjects() == []
