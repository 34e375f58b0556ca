"""Buyers get e-mails about their orders."""

from collections.abc import Callable
from functools import partial

import pytest
from django.core import mail

from integration.contracts import billing as billing_contracts
from integration.contracts import inventory as inventory_contracts
from integration.domain.identifiers import BuyerId, OrderNumber
from integration.domain.money import Money
from ordering import commands, letters
from ordering.models import Buyer, CancellationReason, Order
from tests.ordering.commands.shared import PAYMENT, REFUND, PublishAll, dispatched

pytestmark = pytest.mark.django_db


@pytest.fixture
def order_of_ada(place: Callable[..., Order]) -> OrderNumber:
    """An order of a registered buyer, who has an e-mail address."""
    commands.register_customer("ada", "correct horse battery", "Ada", "ada@example.org")
    return OrderNumber(place(buyer=Buyer.objects.get().id).number)


def _subjects() -> list[str]:
    """The subjects of all letters but the acknowledgements of receipt."""
    return [email.subject for email in mail.outbox if "have received" not in email.subject]


def test_a_buyer_gets_an_email_about_each_step_of_their_order(order_of_ada: OrderNumber, consume: PublishAll) -> None:
    consume(
        inventory_contracts.StockReserved(order=order_of_ada),
        billing_contracts.PaymentSucceeded(order=order_of_ada, payment=PAYMENT, amount=Money("105", "USD")),
    )
    consume(dispatched(order_of_ada))

    assert _subjects() == [
        f"Your order {order_of_ada} is confirmed",
        f"Your order {order_of_ada} is on its way (S-1-1)",
    ]
    assert {tuple(email.to) for email in mail.outbox} == {("ada@example.org",)}
    assert "JD0143" in mail.outbox[-1].body


def test_a_buyer_gets_emails_about_the_cancellation_and_the_refund(
    order_of_ada: OrderNumber, consume: PublishAll, drain: Callable[..., int]
) -> None:
    commands.cancel_order(order_of_ada, CancellationReason.BY_BUYER)
    consume(billing_contracts.PaymentSucceeded(order=order_of_ada, payment=PAYMENT, amount=Money("105", "USD")))
    consume(
        billing_contracts.RefundIssued(
            order=order_of_ada, refund=REFUND, amount=Money("105", "USD"), refunded=Money("105", "USD")
        )
    )

    assert _subjects() == [f"Your order {order_of_ada} is cancelled", f"Your order {order_of_ada} is refunded (F-1-1)"]
    assert any("you asked us to" in email.body for email in mail.outbox)


def test_an_email_sent_twice_has_the_same_message_id(order_of_ada: OrderNumber) -> None:
    with commands.email_batch([order_of_ada]) as batch:
        for key in ("Your order", "Your order", "Your other order"):
            commands.write_to_buyer(batch, order_of_ada, key, partial(letters.orders.confirmed, order_of_ada))

    keys = [email.extra_headers["Message-ID"] for email in mail.outbox]
    assert keys[0] == keys[1] != keys[2]


def test_a_buyer_without_email_notifications_gets_none(order_of_ada: OrderNumber, consume: PublishAll) -> None:
    commands.change_profile(BuyerId(Buyer.objects.get().id), {"email_notifications": False})
    commands.cancel_order(order_of_ada, CancellationReason.BY_BUYER)
    consume()

    assert _subjects() == []


def test_a_buyer_without_an_email_address_gets_none(confirmed: OrderNumber) -> None:
    assert _subjects() == []
