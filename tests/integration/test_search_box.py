"""The search box finds everything by its number and people by their names, and only what the user may view."""

import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import Client

from billing.commands import number_documents
from billing.models import Payment
from fulfillment.commands import dispatch_shipment, shipment_of
from integration.domain.address import Address
from integration.domain.identifiers import BuyerId, OrderNumber, PaymentMethodId, Sku
from integration.messaging.models import Message
from integration.read_models.catch_up import catch_up_all
from ordering.commands import change_profile, create_voucher, place_order, register_buyer_if_new
from ordering.models import Order


@pytest.fixture
def staff(db: None) -> Callable[..., Client]:
    """Creates a staff user with these permissions, or with all, and a client that is logged in."""

    def log_in(*permissions: str) -> Client:
        user = get_user_model().objects.create_user(f"u-{uuid4().hex[:8]}", is_staff=True, is_superuser=not permissions)
        for permission in permissions:
            label, _, codename = permission.partition(".")
            user.user_permissions.add(Permission.objects.get(content_type__app_label=label, codename=codename))
        client = Client()
        client.force_login(user)
        return client

    return log_in


@pytest.fixture
def orders(shop: object, drain: Callable[..., int]) -> list[OrderNumber]:
    """An order that is dispatched and numbered, and two of another buyer, one of them with another recipient."""
    placed = []
    for buyer, name, recipient in (("B-1", "Ada", "Ada King"), ("B-2", "Bob", "Bob"), ("B-2", "Bob", "Zoë Bobson")):
        register_buyer_if_new(BuyerId(buyer))
        change_profile(BuyerId(buyer), {"name": name, "email": f"{name.lower()}@example.com"})
        home = Address(recipient, "1 Row", "London", "W1A 1AA", "GB")
        placed.append(place_order(BuyerId(buyer), [(Sku("MUG"), 1)], home, PaymentMethodId("pm_card_visa")).number)
        drain()
    dispatch_shipment(shipment_of(placed[0]), "DHL", "jd0146")
    create_voucher("SUMMER", {"kind": "percent", "value": 5})
    number_documents()
    drain()
    catch_up_all()
    return placed


def opened(client: Client, term: str) -> str:
    """The page that opens at once for a term; empty if there are several results."""
    response = client.get("/admin/search/", {"q": term})
    return response.headers.get("Location", "")


def listed(client: Client, term: str) -> list[str]:
    """The pages that the results lead to, in their order."""
    page = client.get("/admin/search/", {"q": term}).content.decode()
    return re.findall(r'<li><a href="/admin/([^"]+?)/(?:change/)?"', page)


def test_a_number_opens_its_page(orders: list[OrderNumber], staff: Callable[..., Client]) -> None:
    operator, number = staff(), orders[0]
    digits = number.removeprefix("R-")
    paid = Payment.objects.get(order=number)
    expected = {
        number: f"ordering/order/{number}",
        number.lower(): f"ordering/order/{number}",
        f" {digits} ": f"ordering/order/{number}",
        f"S-{digits}-1": f"fulfillment/shipment/S-{digits}-1",
        "jd0146": f"fulfillment/shipment/S-{digits}-1",
        f"I-{digits}": f"billing/invoice/I-{digits}",
        "si-000001": f"billing/invoice/I-{digits}",
        f"P-{digits}-1": f"billing/payment/P-{digits}-1",
        paid.reference: f"billing/payment/P-{digits}-1",
        "summer": "ordering/voucher/SUMMER",
    }
    assert {term: opened(operator, term) for term in expected} == {
        term: f"/admin/{page}/change/" for term, page in expected.items()
    }


def test_a_story_and_a_message_open_the_story(orders: list[OrderNumber], staff: Callable[..., Client]) -> None:
    story = Order.objects.get(pk=orders[0]).correlation_id
    message = Message.objects.filter(correlation_id=story).first()
    assert message
    for term in (str(story), story.hex, str(story).upper(), str(message.pk)):
        assert opened(staff(), term) == f"/admin/integration/message/story/{story}/"
    assert listed(staff(), str(uuid4())) == []


def test_people_are_found_in_all_contexts(orders: list[OrderNumber], staff: Callable[..., Client]) -> None:
    first, second, third = orders
    digits = first.removeprefix("R-")
    assert listed(staff(), "ada") == [
        f"ordering/order/{first}",
        "ordering/buyer/B-1",
        f"fulfillment/shipment/S-{digits}-1",
    ]
    assert listed(staff(), "bob@example.com") == [
        f"ordering/order/{third}",
        f"ordering/order/{second}",
        "ordering/buyer/B-2",
    ]
    assert listed(staff(), "zoe")[:1] == [f"ordering/order/{third}"]
    assert listed(staff(), "nobody") == []


def test_a_sku_is_found_in_both_contexts(orders: list[OrderNumber], staff: Callable[..., Client]) -> None:
    assert listed(staff(), "mug") == ["ordering/product/MUG", "inventory/stockitem/MUG"]


def test_who_may_not_view_a_row_does_not_find_it(orders: list[OrderNumber], staff: Callable[..., Client]) -> None:
    number = orders[0]
    packer = staff("fulfillment.view_shipment")
    assert opened(packer, number).startswith("/admin/fulfillment/shipment/")
    assert listed(packer, "bob") == [f"fulfillment/shipment/S-{order.removeprefix('R-')}-1" for order in orders[:0:-1]]
    assert opened(packer, "ada").startswith("/admin/fulfillment/shipment/")
    for term in (
        "MUG",
        "SUMMER",
        "B-1",
        f"I-{number.removeprefix('R-')}",
        str(Order.objects.get(pk=number).correlation_id),
    ):
        assert (opened(packer, term), listed(packer, term)) == ("", [])


def test_nobody_else_may_search(db: None) -> None:
    assert "/admin/login/" in Client().get("/admin/search/", {"q": "ada"}).headers["Location"]


@pytest.mark.parametrize(
    "term", ["", " ", "a", "'", '"', "%", "\\", "\x00", "🙂", "9" * 40, "x" * 10_000, "a " * 2_000, "-1"]
)
def test_any_term_gets_a_page(orders: list[OrderNumber], staff: Callable[..., Client], term: str) -> None:
    response = staff().get("/admin/search/", {"q": term})
    assert response.status_code == 200


def test_a_search_takes_few_statements(
    orders: list[OrderNumber], staff: Callable[..., Client], statements: Callable[[], AbstractContextManager[list[str]]]
) -> None:
    operator: Any = staff()
    for term in ("ada", "bob@example.com", orders[0], "MUG", str(uuid4())):
        with statements() as run:
            operator.get("/admin/search/", {"q": term})
        assert len(run) < 30, term
