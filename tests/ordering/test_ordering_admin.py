"""The operators' pages of ordering: an order is cancelled by its command, after a question, by those who may."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import Client

from integration.domain.identifiers import BuyerId, OrderNumber
from ordering.commands import change_profile
from ordering.models import CancellationReason, History, Order

ORDERS = "/admin/ordering/order/"


def cancel(client: Client, *numbers: str, **answers: str) -> Any:
    chosen = {"action": "cancel_as_operator", "_selected_action": numbers}
    return client.post(ORDERS, {**chosen, **answers}, follow=True)


def told(answer: Any) -> list[tuple[str, str]]:
    return [(message.level_tag, message.message) for message in answer.context["messages"]]


@pytest.fixture
def orders(placed: Callable[..., OrderNumber], drain: Callable[..., int]) -> tuple[str, str, str]:
    """One that was only just placed, one that is confirmed, and one that is cancelled already."""
    confirmed, cancelled = placed(), placed(method="pm_card_chargeDeclined")
    drain()
    return placed(), confirmed, cancelled


@pytest.fixture
def clerk(db: None) -> Client:
    """Staff who may see orders, and no more."""
    user = get_user_model().objects.create_user("clerk", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_order"))
    client = Client()
    client.force_login(user)
    return client


def test_cancelling_asks_before_it_acts(orders: tuple[str, str, str], admin_client: Client) -> None:
    asked = cancel(admin_client, *orders)
    assert asked.status_code == 200
    assert all(f"order {number}" in asked.content.decode() for number in orders)
    assert not Order.objects.filter(cancellation_reason=CancellationReason.BY_OPERATOR).exists()


def test_each_order_is_cancelled_for_itself_and_tells_what_became_of_it(
    orders: tuple[str, str, str], admin_client: Client, admin_user: Any, drain: Callable[..., int]
) -> None:
    placed, confirmed, cancelled = orders
    answer = cancel(admin_client, *orders, answered="yes", note="asked by telephone")
    assert sorted(told(answer)) == [
        ("success", f"Order {confirmed}: fulfillment is asked to stop its shipment"),
        ("success", f"Order {placed} is cancelled"),
        ("warning", f"Order {cancelled} is cancelled: cannot cancel"),
    ]
    drain()
    for number in (placed, confirmed):
        order = Order.objects.get(pk=number)
        assert (order.status, order.cancellation_reason, order.note) == (
            "cancelled",
            CancellationReason.BY_OPERATOR,
            "asked by telephone",
        )
        asked = History.objects.filter(stream_id=number, data__reason="by_operator").order_by("version").first()
        assert asked.actor == f"user:{admin_user.pk}"
        assert asked.correlation_id == order.correlation_id


def test_a_note_that_is_too_long_changes_nothing(orders: tuple[str, str, str], admin_client: Client) -> None:
    answer = cancel(admin_client, orders[0], answered="yes", note="x" * 501)
    assert "at most 500 characters" in answer.content.decode()
    assert Order.objects.get(pk=orders[0]).status == "pending"


def test_who_may_only_look_cannot_cancel(orders: tuple[str, str, str], clerk: Client) -> None:
    assert "cancel_as_operator" not in clerk.get(ORDERS).content.decode()
    cancel(clerk, *orders, answered="yes")
    assert Order.objects.get(pk=orders[0]).status == "pending"


def test_only_what_can_be_cancelled_offers_it(orders: tuple[str, str, str], admin_client: Client) -> None:
    offers = ["cancel_as_operator" in admin_client.get(f"{ORDERS}{n}/change/").content.decode() for n in orders]
    assert offers == [True, True, False]


def test_too_many_at_once_are_left_alone(
    orders: tuple[str, str, str], admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("integration.admin.pages.MOST_AT_ONCE", 2)
    assert told(cancel(admin_client, *orders, answered="yes")) == [("error", "Choose at most 2 at a time.")]
    assert Order.objects.get(pk=orders[0]).status == "pending"


def test_an_order_is_found_by_number_buyer_and_sku(
    orders: tuple[str, str, str], placed: Callable[..., OrderNumber], admin_client: Client
) -> None:
    other = placed({"ATLAS": 1}, buyer="B-2")
    change_profile(BuyerId("B-2"), {"name": "Grace Hopper", "email": "grace@example.com"})
    for term in (other, other.lower(), other.removeprefix("R-"), "B-2", "ATLAS", "atlas", "hopper", "GRACE@example"):
        found = admin_client.get(ORDERS, {"q": term}).context["cl"].queryset
        assert [order.number for order in found] == [other], term
    assert admin_client.get(ORDERS, {"q": "nobody"}).context["cl"].result_count == 0


def test_money_and_names_are_shown_as_people_write_them(orders: tuple[str, str, str], admin_client: Client) -> None:
    listed = admin_client.get(ORDERS).content.decode()
    assert "105.00 USD" in listed
    assert '<a href="/admin/ordering/buyer/B-1/change/">B-1</a>' in listed
    shown = admin_client.get(f"{ORDERS}{orders[1]}/change/").content.decode()
    assert "12 St James&#x27;s Square<br>SW1Y 4JH London<br>GB" in shown
    assert '<a href="/admin/ordering/product/LAMP/change/">LAMP</a>' in shown
    assert "80.00 USD" in shown


def test_products_and_buyers_lead_to_their_orders(orders: tuple[str, str, str], admin_client: Client) -> None:
    for page in ("product/MUG", "buyer/B-1"):
        tools = dict(admin_client.get(f"/admin/ordering/{page}/change/").context["tools"])
        assert admin_client.get(tools["Orders"]).context["cl"].result_count == 3
