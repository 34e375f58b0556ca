"""Letters are written for many orders at a time, over one connection to the mail server, and each fails for itself."""

import smtplib
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest
from django.core import mail
from django.core.mail.backends.locmem import EmailBackend
from pytest_django import Settings

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


class Line(EmailBackend):
    """A mail server that counts connections, and breaks one when it is given a letter it does not like."""

    said: list[str]
    connected = False

    def open(self) -> bool:
        if self.connected:
            return False
        self.connected = True
        self.said.append("connect")
        return True

    def close(self) -> None:
        if self.connected:
            self.said.append("hang up")
        self.connected = False

    def send_messages(self, messages: Any) -> int:
        for message in messages:
            if "bad@" in message.to[0]:
                raise smtplib.SMTPServerDisconnected("not this one")
            self.said.append(message.to[0])
        return super().send_messages(messages)


@pytest.fixture
def said(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What happened between us and the mail server."""
    settings.EMAIL_BACKEND = f"{__name__}.Line"
    monkeypatch.setattr(Line, "said", [], raising=False)
    return Line.said


@pytest.fixture
def cancelled(placed: Placed, publish_all: PublishAll) -> Callable[..., None]:
    """Orders that were cancelled, of buyers with these addresses, who are to hear of it."""

    def cancel(*addresses: str) -> None:
        orders = [placed({"MUG": 1}, buyer=f"B-{address}") for address in addresses]
        for address in addresses:
            commands.change_profile(BuyerId(f"B-{address}"), {"email": address})
        Delivery.objects.all().delete()
        publish_all(*(OrderCancelled(order, "by_buyer") for order in orders))
        Delivery.objects.exclude(context="ordering").delete()

    return cancel


def test_many_letters_take_as_many_statements_as_one(
    cancelled: Callable[..., None], said: list[str], statements: Statements
) -> None:
    counts = []
    for number in (1, 20):
        cancelled(*(f"b{n}@example.org" for n in range(number)))
        with statements() as seen:
            assert deliver_due(DELIVERY_QUEUE) == number
        counts.append(len(seen))

    # claim, read the deliveries, read the addresses, mark done
    assert counts == [4, 4]
    assert len(mail.outbox) == 21


def test_many_letters_take_one_connection_and_those_nobody_wants_take_none(
    cancelled: Callable[..., None], said: list[str]
) -> None:
    cancelled("", "ada@example.org", "bob@example.org")
    Buyer.objects.filter(email="").update(email_notifications=True)
    deliver_due(DELIVERY_QUEUE)
    assert said == ["connect", "ada@example.org", "bob@example.org", "hang up"]

    cancelled("", "no@example.org")
    Buyer.objects.update(email_notifications=False)
    deliver_due(DELIVERY_QUEUE)
    assert said[4:] == []
    assert set(Delivery.objects.values_list("status", "attempts")) == {("done", 1)}


def test_a_letter_that_breaks_the_connection_breaks_no_other(cancelled: Callable[..., None], said: list[str]) -> None:
    cancelled("ada@example.org", "bad@example.org", "bob@example.org")
    deliver_due(DELIVERY_QUEUE)

    assert said == ["connect", "ada@example.org", "hang up", "connect", "bob@example.org", "hang up"]
    assert sorted(Delivery.objects.values_list("status", flat=True)) == ["done", "done", "pending"]
    assert Delivery.objects.get(status="pending").error == "SMTPServerDisconnected: not this one"


def test_two_orders_of_one_buyer_are_two_letters(placed: Placed, publish_all: PublishAll, said: list[str]) -> None:
    orders = [placed({"MUG": 1}), placed({"MUG": 2})]
    commands.change_profile(BuyerId("B-1"), {"email": "ada@example.org"})
    publish_all(*(OrderCancelled(order, "by_buyer") for order in orders))

    deliver_due(DELIVERY_QUEUE)

    assert [letter.subject for letter in mail.outbox] == [f"Your order {order} is cancelled" for order in orders]
