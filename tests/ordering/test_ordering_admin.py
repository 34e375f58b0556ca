"""The admin pages of ordering: operators with the permission cancel orders."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import Client

from integration.domain.identifiers import BuyerId, OrderNumber
from ordering.commands import change_profile
from ordering.models import CancellationReason, History, Order
from tests.questions import submit

ORDERS = "/admin/ordering/order/"


def open_cancel_form(client: Client, *numbers: str) -> Any:
    return client.post(ORDERS, {"action": "cancel_as_operator", "_selected_action": numbers}, follow=True)


def cancel(client: Client, *numbers: str, note: str = "") -> Any:
    data = {"action": "cancel_as_operator", "_selected_action": numbers, "note": note}
    return submit(client, ORDERS, data)


def messages_of(response: Any) -> list[tuple[str, str]]:
    return [(message.level_tag, message.message) for message in response.context["messages"]]


@pytest.fixture
def orders(placed: Callable[..., OrderNumber], drain: Callable[..., int]) -> tuple[str, str, str]:
    """Three orders: a pending one, a confirmed one and a cancelled one."""
    confirmed, cancelled = placed(), placed(method="pm_card_chargeDeclined")
    drain()
    return placed(), confirmed, cancelled


@pytest.fixture
def clerk(db: None) -> Client:
    """A client of a staff user who may only view orders."""
    user = get_user_model().objects.create_user("clerk", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_order"))
    client = Client()
    client.force_login(user)
    return client


def test_the_cancel_action_shows_a_form_before_it_cancels(orders: tuple[str, str, str], admin_client: Client) -> None:
    form = open_cancel_form(admin_client, *orders)
    assert form.status_code == 200
    assert all(f"order {number}" in form.content.decode() for number in orders)
    assert not Order.objects.filter(cancellation_reason=CancellationReason.BY_OPERATOR).exists()


def test_each_order_is_cancelled_on_its_own_and_has_its_own_message(
    orders: tuple[str, str, str], admin_client: Client, admin_user: Any, drain: Callable[..., int]
) -> None:
    placed, confirmed, cancelled = orders
    response = cancel(admin_client, *orders, note="asked by telephone")
    assert sorted(messages_of(response)) == [
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
        entry = History.objects.filter(stream_id=number, data__reason="by_operator").order_by("version").first()
        assert entry.actor == f"user:{admin_user.pk}"
        assert entry.correlation_id == order.correlation_id


def test_a_note_that_is_too_long_changes_nothing(orders: tuple[str, str, str], admin_client: Client) -> None:
    response = cancel(admin_client, orders[0], note="x" * 501)
    assert "at most 500 characters" in response.content.decode()
    assert Order.objects.get(pk=orders[0]).status == "pending"


def test_staff_with_only_view_permission_cannot_cancel(orders: tuple[str, str, str], clerk: Client) -> None:
    assert "cancel_as_operator" not in clerk.get(ORDERS).content.decode()
    cancel(clerk, *orders)
    assert Order.objects.get(pk=orders[0]).status == "pending"


def test_only_an_order_that_can_be_cancelled_offers_the_action(
    orders: tuple[str, str, str], admin_client: Client
) -> None:
    offers = ["cancel_as_operator" in admin_client.get(f"{ORDERS}{n}/change/").content.decode() for n in orders]
    assert offers == [True, True, False]


def test_too_many_chosen_orders_are_refused(
    orders: tuple[str, str, str], admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("integration.admin.pages.MOST_AT_ONCE", 2)
    assert messages_of(cancel(admin_client, *orders)) == [("error", "Choose at most 2 at a time.")]
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


def test_amounts_addresses_and_links_are_formatted(orders: tuple[str, str, str], admin_client: Client) -> None:
    listed = admin_client.get(ORDERS).content.decode()
    assert "105.00 USD" in listed
    assert '<a href="/admin/ordering/buyer/B-1/change/">B-1</a>' in listed
    shown = admin_client.get(f"{ORDERS}{orders[1]}/change/").content.decode()
    assert "12 St James&#x27;s Square<br>SW1Y 4JH London<br>GB" in shown
    assert '<a href="/admin/ordering/product/LAMP/change/">LAMP</a>' in shown
    assert "80.00 USD" in shown


def test_products_and_buyers_link_to_their_orders(orders: tuple[str, str, str], admin_client: Client) -> None:
    for page in ("product/MUG", "buyer/B-1"):
        tools = dict(admin_client.get(f"/admin/ordering/{page}/change/").context["tools"])
        assert admin_client.get(tools["Orders"]).context["cl"].result_count == 3
