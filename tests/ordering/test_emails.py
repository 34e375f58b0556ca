"""E-mails about many orders share one connection to the mail server, and each fails on its own."""

import smtplib
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest
from django.core import mail
from django.core.mail.backends.locmem import EmailBackend
from pytest_django import Settings

from integration.aggregates.direct_writes import bypassing_history
from integration.contracts.ordering import OrderCancelled
from integration.domain.identifiers import BuyerId, OrderNumber
from integration.messaging.deliver import deliver_due
from integration.messaging.models import Delivery
from integration.messaging.wakeups import DeliveryQueue
from ordering import commands
from ordering.models import Buyer

pytestmark = pytest.mark.django_db

DELIVERY_QUEUE = DeliveryQueue("ordering", True)

Placed = Callable[..., OrderNumber]
PublishAll = Callable[..., None]
Statements = Callable[[], AbstractContextManager[list[str]]]


class RecordingBackend(EmailBackend):
    """Records connections and recipients, and breaks the connection on an e-mail to an address with `bad@`."""

    recorded: list[str]
    connected = False

    def open(self) -> bool:
        if self.connected:
            return False
        self.connected = True
        self.recorded.append("connect")
        return True

    def close(self) -> None:
        if self.connected:
            self.recorded.append("disconnect")
        self.connected = False

    def send_messages(self, messages: Any) -> int:
        for message in messages:
            if "bad@" in message.to[0]:
                raise smtplib.SMTPServerDisconnected("not this one")
            self.recorded.append(message.to[0])
        return super().send_messages(messages)


@pytest.fixture
def recorded(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the mail server recorded: connections opened and closed, and the recipients of e-mails."""
    settings.EMAIL_BACKEND = f"{__name__}.RecordingBackend"
    monkeypatch.setattr(RecordingBackend, "recorded", [], raising=False)
    return RecordingBackend.recorded


@pytest.fixture
def cancelled(placed: Placed, publish_all: PublishAll) -> Callable[..., None]:
    """Cancel an order for each e-mail address; only the notifications of the buyers are left to deliver."""

    def cancel(*addresses: str) -> None:
        orders = [placed({"MUG": 1}, buyer=f"B-{address}") for address in addresses]
        for address in addresses:
            commands.change_profile(BuyerId(f"B-{address}"), {"email": address})
        Delivery.objects.all().delete()
        publish_all(*(OrderCancelled(order=order, reason="by_buyer") for order in orders))
        Delivery.objects.exclude(context="ordering").delete()

    return cancel


def test_many_emails_take_as_many_statements_as_one(
    cancelled: Callable[..., None], recorded: list[str], statements: Statements
) -> None:
    counts = []
    for number in (1, 20):
        cancelled(*(f"b{n}@example.org" for n in range(number)))
        with statements() as seen:
            assert deliver_due(DELIVERY_QUEUE) == number
        counts.append(len(seen))

    # The four statements: claim, read the deliveries, read the addresses, mark done and note what was sent.
    assert counts == [4, 4]
    assert len(mail.outbox) == 21


def test_many_emails_take_one_connection_and_unwanted_ones_take_none(
    cancelled: Callable[..., None], recorded: list[str]
) -> None:
    cancelled("", "ada@example.org", "bob@example.org")
    with bypassing_history():
        Buyer.objects.filter(email="").update(email_notifications=True)
    deliver_due(DELIVERY_QUEUE)
    assert recorded == ["connect", "ada@example.org", "bob@example.org", "disconnect"]

    cancelled("", "no@example.org")
    with bypassing_history():
        Buyer.objects.update(email_notifications=False)
    deliver_due(DELIVERY_QUEUE)
    assert recorded[4:] == []
    assert set(Delivery.objects.values_list("status", "attempts")) == {("done", 1)}


def test_an_email_that_breaks_the_connection_does_not_affect_others(
    cancelled: Callable[..., None], recorded: list[str]
) -> None:
    cancelled("ada@example.org", "bad@example.org", "bob@example.org")
    deliver_due(DELIVERY_QUEUE)

    assert recorded == ["connect", "ada@example.org", "disconnect", "connect", "bob@example.org", "disconnect"]
    assert sorted(Delivery.objects.values_list("status", flat=True)) == ["done", "done", "pending"]
    assert Delivery.objects.get(status="pending").error == "SMTPServerDisconnected: not this one"


def test_two_orders_of_one_buyer_get_two_emails(placed: Placed, publish_all: PublishAll, recorded: list[str]) -> None:
    orders = [placed({"MUG": 1}), placed({"MUG": 2})]
    commands.change_profile(BuyerId("B-1"), {"email": "ada@example.org"})
    publish_all(*(OrderCancelled(order=order, reason="by_buyer") for order in orders))

    deliver_due(DELIVERY_QUEUE)

    about = [email.subject for email in mail.outbox if "cancelled" in email.subject]
    assert about == [f"Your order {order} is cancelled" for order in orders]
