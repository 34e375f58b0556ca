"""The admin's "Through time" page shows an aggregate after each of its events, and what each event changed."""

import re
from collections.abc import Callable
from html import unescape
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import Client

from fulfillment.commands import dispatch_shipment, shipment_of
from integration.admin.life import NEIGHBOURS
from integration.aggregates.snapshots import EVERY
from integration.aggregates.unit_of_work import unit_of_work
from integration.domain.identifiers import OrderNumber
from inventory.models import StockItem
from ordering.models import History

Page = Callable[..., str]


@pytest.fixture
def order(placed: Callable[..., OrderNumber], drain: Callable[..., int]) -> OrderNumber:
    number = placed({"MUG": 2})
    drain()
    return number


@pytest.fixture
def page(admin_client: Client) -> Page:
    """Gets the content of the page of an aggregate at a version."""

    def get(path: str, version: Any = "") -> str:
        response = admin_client.get(f"/admin/{path}/life/", {"version": version} if version else {})
        assert response.status_code == 200
        return response.content.decode().partition('<div id="content-main">')[2]

    return get


def changed(page: str) -> dict[str, tuple[str, str]]:
    """The values of the highlighted fields before and after the event, by label."""
    rows = re.findall(r'<tr class="changed">(.*?)</tr>', page, re.S)
    cells = [[text(cell) for cell in re.findall(r"<t[hd].*?>(.*?)</t[hd]>", row, re.S)] for row in rows]
    return {label: (before, after) for label, before, after in cells}


def text(html: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).split())


def links(page: str) -> list[int]:
    return [int(version) for version in re.findall(r'href="\?version=(\d+)"', page)]


def test_each_event_shows_what_it_changed(order: OrderNumber, page: Page) -> None:
    born, reserved, confirmed = (page(f"ordering/order/{order}", version) for version in (1, 2, 3))

    assert changed(born)["Total"] == ("–", "25.00 USD")
    assert changed(reserved) == {"Status": ("Pending", "Payment Pending")}
    assert changed(confirmed) == {"Status": ("Payment Pending", "Confirmed"), "Paid": ("0.00 USD", "25.00 USD")}
    assert f"2 of 4: The goods of order {order} were reserved" in text(reserved)


def test_the_page_shows_the_last_version_by_default(order: OrderNumber, page: Page) -> None:
    assert page(f"ordering/order/{order}") == page(f"ordering/order/{order}", 4)


def test_the_page_works_without_javascript(order: OrderNumber, page: Page) -> None:
    assert links(page(f"ordering/order/{order}", 1)) == [2, 1, 2, 3, 4]
    assert links(page(f"ordering/order/{order}", 2)) == [1, 3, 1, 2, 3, 4]
    assert links(page(f"ordering/order/{order}", 4)) == [3, 1, 2, 3, 4]


def test_parts_are_shown_as_they_were(order: OrderNumber, page: Page, drain: Callable[..., int]) -> None:
    dispatch_shipment(shipment_of(order), "DHL", "1")
    drain()
    shipped = page(f"ordering/order/{order}", 5)
    assert re.search(r'<td class="changed">2</td>', shipped)
    assert not re.search(r'<td class="changed">', page(f"ordering/order/{order}", 3))


@pytest.mark.parametrize(("requested", "shown"), [("0", 1), ("5", 4), ("9" * 40, 4), ("-1", 4), ("x", 4), ("²", 4)])
def test_an_unknown_version_shows_the_nearest_one(order: OrderNumber, page: Page, requested: str, shown: int) -> None:
    assert page(f"ordering/order/{order}", requested) == page(f"ordering/order/{order}", shown)


def test_every_kind_of_aggregate_has_the_page(order: OrderNumber, page: Page) -> None:
    digits = order.partition("-")[2]
    with_the_orders_digits = [
        "billing/invoice/I-{}",
        "billing/payment/P-{}-1",
        "fulfillment/shipment/S-{}-1",
        "inventory/reservation/R-{}",
    ]
    others = ["ordering/buyer/B-1", "ordering/product/MUG", "inventory/stockitem/MUG"]
    for path in [*others, *with_the_orders_digits]:
        assert "1 of " in page(path.format(digits), 1)


def test_an_aggregate_links_to_the_page(order: OrderNumber, admin_client: Client) -> None:
    assert f"/admin/ordering/order/{order}/life/" in admin_client.get(f"/admin/ordering/order/{order}/change/").text


def test_the_page_of_an_unknown_aggregate_is_a_404(db: None, admin_client: Client) -> None:
    assert admin_client.get("/admin/ordering/order/R-9/life/").status_code == 404


def test_the_number_of_statements_does_not_depend_on_the_number_of_events(
    order: OrderNumber, page: Page, statements: Any, shop: object
) -> None:
    def count(version: int) -> int:
        with statements() as seen:
            content = page("inventory/stockitem/MUG", version)
        assert len(links(content)) <= 2 * NEIGHBOURS + 3
        return len(seen)

    page("inventory/stockitem/MUG", 2)
    short = count(2)
    with unit_of_work() as work:
        item = work.get(StockItem, "MUG")
        for _ in range(3 * EVERY):
            item.receive(1, "")
    assert count(2) == count(2 * EVERY + 50) == short <= 10
    assert changed(page("inventory/stockitem/MUG", EVERY)) == {"On hand": ("295", "296")}


def test_the_page_requires_the_permissions_for_the_row_and_its_history(order: OrderNumber) -> None:
    def status_with(*permissions: str) -> int:
        user = get_user_model().objects.create(username="-".join(permissions), is_staff=True)
        user.user_permissions.set(
            Permission.objects.filter(codename__in=permissions, content_type__app_label="ordering")
        )
        client = Client()
        client.force_login(user)
        return client.get(f"/admin/ordering/order/{order}/life/").status_code

    assert Client().get(f"/admin/ordering/order/{order}/life/").status_code == 302
    assert [status_with("view_order"), status_with("view_history")] == [403, 403]
    assert status_with("view_order", "view_history") == 200


@pytest.mark.usefixtures("unprotected_history")
def test_an_unknown_event_redirects_to_the_history(order: OrderNumber, admin_client: Client) -> None:
    History.objects.filter(stream="order", version=2).update(name="ordering.order_dreamt_of")
    response = admin_client.get(f"/admin/ordering/order/{order}/life/", follow=True)
    assert response.redirect_chain[0][0].startswith("/admin/ordering/history/")
    assert "no domain event is named &#x27;ordering.order_dreamt_of&#x27;" in response.content.decode()
