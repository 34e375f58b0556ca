"""Orders taken by phone: an operator fills a cart on behalf of a buyer, and orders it at the agreed total."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import Client
from django.utils.html import strip_tags

from integration.domain.identifiers import OrderNumber
from ordering.models import Buyer, Cart, CartStatus, History, Order
from tests.once import one_database
from tests.questions import offered, submit

pytestmark = one_database

CARTS = "/admin/ordering/cart/"
ADDRESS = {
    "recipient": "Ada Lovelace",
    "street": "12 St James's Square",
    "city": "London",
    "postal_code": "SW1Y 4JH",
    "country": "GB",
}


def begin(client: Client, buyer: str = "") -> str:
    """Begin an order by phone; returns the draft's identifier."""
    response = client.post(f"{CARTS}phone/", {"buyer": buyer})
    assert response.status_code == 302, strip_tags(response.content.decode())
    return str(Cart.objects.get(status=CartStatus.OPEN).pk)


def act(client: Client, draft: str, action: str, **values: str) -> list[str]:
    """Run an action on the draft; returns the messages that the operator reads."""
    response = submit(client, CARTS, {"action": action, "_selected_action": draft, **values})
    return [message.message for message in response.context["messages"]]


@pytest.fixture
def known_buyer(placed: Callable[..., OrderNumber], drain: Callable[..., int]) -> str:
    placed()
    drain()
    return "B-1"


def test_an_order_by_phone_is_a_cart_that_an_operator_fills_and_orders_under_their_name(
    known_buyer: str, admin_client: Client, admin_user: Any, drain: Callable[..., int]
) -> None:
    draft = begin(admin_client, known_buyer)
    page = f"{CARTS}{draft}/change/"
    assert "order_draft" not in offered(admin_client, page)
    act(admin_client, draft, "put_in", sku="MUG", quantity="2")
    act(admin_client, draft, "ship_to", **ADDRESS)
    shown = admin_client.get(page)
    assert shown.context["draft_money"][-1] == ("Total", "25.00 USD")
    assert "order_draft" in offered(admin_client, page)

    [said] = act(admin_client, draft, "order_draft", agreed="25.00", pays_with="pm_bank_transfer")
    order = Order.objects.latest("created_at")
    assert said == f"Cart {draft}: order {order.number} is placed for 25.00 USD"
    drain()
    order.refresh_from_db()
    assert (order.buyer_id, order.status, order.payment_status) == (known_buyer, "payment_pending", "pending")
    placing = History.objects.get(stream_id=order.number, name="ordering.order_placed")
    assert placing.actor == f"user:{admin_user.pk}"
    assert Cart.objects.get(pk=draft).became == order.number


def test_a_agreed_total_is_charged_or_nothing_is_ordered(known_buyer: str, admin_client: Client) -> None:
    before = Order.objects.count()
    draft = begin(admin_client, known_buyer)
    act(admin_client, draft, "put_in", sku="MUG", quantity="2")
    act(admin_client, draft, "ship_to", **ADDRESS)
    said = act(admin_client, draft, "order_draft", agreed="20.00", pays_with="pm_bank_transfer")
    assert said == [f"Cart {draft}: the order costs 25.00 USD, not 20.00 USD"]
    assert Order.objects.count() == before


def test_somebody_without_an_account_orders_by_phone_with_an_e_mail_address(
    known_buyer: str, admin_client: Client, drain: Callable[..., int]
) -> None:
    draft = begin(admin_client)
    act(admin_client, draft, "put_in", sku="LAMP", quantity="1")
    act(admin_client, draft, "put_in", sku="MUG", quantity="3")
    act(admin_client, draft, "put_in", sku="MUG", quantity="0")
    act(admin_client, draft, "ship_to", **ADDRESS)
    values = {"agreed": "80.00", "pays_with": "pm_card_authenticationRequired"}
    form = submit(admin_client, CARTS, {"action": "order_draft", "_selected_action": draft, **values})
    assert "needs an e-mail address" in form.content.decode()
    act(admin_client, draft, "order_draft", **values, email="grace@example.com")
    drain()
    order = Order.objects.latest("created_at")
    assert (order.payment_status, [line.sku for line in order.line_rows.all()]) == ("action_required", ["LAMP"])
    assert Buyer.objects.get(pk=order.buyer_id).email == "grace@example.com"


def test_wrong_input_names_the_field_and_orders_nothing(known_buyer: str, admin_client: Client) -> None:
    unknown = admin_client.post(f"{CARTS}phone/", {"buyer": "nobody@example.com"})
    assert "there is no buyer nobody@example.com" in unknown.content.decode()
    draft = begin(admin_client, known_buyer)
    assert act(admin_client, draft, "put_in", sku="NONSENSE", quantity="1") == [
        f"Cart {draft}: there is no product 'NONSENSE'"
    ]
    assert act(admin_client, draft, "use_voucher", code="nonsense") == [f"Cart {draft} names voucher NONSENSE"]
    shown = admin_client.get(f"{CARTS}{draft}/change/").content.decode()
    assert "Voucher NONSENSE does not apply" in shown


def test_only_staff_who_may_change_carts_take_orders_by_phone(known_buyer: str) -> None:
    user = get_user_model().objects.create_user("clerk", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_cart"))
    clerk = Client()
    clerk.force_login(user)
    assert clerk.post(f"{CARTS}phone/", {"buyer": known_buyer}).status_code == 403
    assert not Cart.objects.exists()
