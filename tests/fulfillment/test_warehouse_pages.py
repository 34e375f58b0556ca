"""The warehouse prints pick lists and packing slips, and finds what it scans."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from fulfillment import commands
from fulfillment.models import Shipment
from fulfillment.queries.picking import pick_list
from integration.domain.identifiers import OrderNumber, ShipmentId
from integration.rest.middleware import POLICY
from ordering.commands import hold_order
from ordering.models import HoldReason

LIST = "/admin/fulfillment/shipment/"


@pytest.fixture
def shipments(placed: Callable[..., OrderNumber], drain: Callable[..., int]) -> list[str]:
    """Three shipments, ready to be packed; the order of the third is on hold."""
    numbers = [placed({"MUG": 2, "LAMP": 1}), placed({"MUG": 3}), placed({"MUG": 1})]
    drain()
    hold_order(numbers[2], HoldReason.OTHER)
    drain()
    return [f"S{number[1:]}-1" for number in numbers]


def allowed(client: Client, *permissions: str) -> Client:
    user = get_user_model().objects.create_user("picker", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client.force_login(user)
    return client


def test_goods_are_picked_by_sku_without_what_is_held(shipments: list[str]) -> None:
    found = pick_list()
    assert [(pick.sku, pick.units, pick.shipments) for pick in found.by_sku] == [
        ("LAMP", 1, [(shipments[0], 1)]),
        ("MUG", 5, [(shipments[0], 2), (shipments[1], 3)]),
    ]
    assert [(shipment.id, "other" in holds) for shipment, holds in found.held] == [(shipments[2], True)]
    assert (found.units, found.passed_over, found.left_out) == (6, [], 0)


def test_what_has_left_is_passed_over_and_the_rest_is_counted(
    shipments: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    commands.dispatch_shipment(ShipmentId(shipments[0]), "DHL", "JD1")
    found = pick_list(shipments[:2])
    assert ([shipment.id for shipment in found.shipments], found.passed_over) == ([shipments[1]], [shipments[0]])
    monkeypatch.setattr("fulfillment.queries.picking.MOST", 1)
    assert pick_list().left_out == 1


def test_a_pick_list_is_printed_by_sku_or_by_order(admin_client: Client, shipments: list[str]) -> None:
    assert f"{LIST}pick-list/" in admin_client.get(LIST).content.decode()
    page = admin_client.get(f"{LIST}pick-list/")
    assert "unsafe-inline" in page.headers[POLICY]
    text = page.content.decode()
    assert "6 units for 2 shipments" in text
    assert f"2 × {shipments[0]}, 3 × {shipments[1]}" in text
    assert f"{shipments[2]}, order" in text
    by_order = admin_client.get(f"{LIST}pick-list/?by=order&id={shipments[1]}").content.decode()
    assert shipments[1] in by_order
    assert shipments[0] not in by_order
    assert "nothing to pick" in admin_client.get(f"{LIST}pick-list/?id=S-0").content.decode()


def test_a_pick_list_takes_the_same_number_of_statements_however_long_it_is(
    admin_client: Client, shipments: list[str]
) -> None:
    with CaptureQueriesContext(connection) as one:
        admin_client.get(f"{LIST}pick-list/?id={shipments[0]}")
    with CaptureQueriesContext(connection) as all_of_them:
        admin_client.get(f"{LIST}pick-list/")
    assert len(one) == len(all_of_them) < 10


def test_chosen_shipments_are_picked(admin_client: Client, shipments: list[str]) -> None:
    form = {"action": "print_pick_list", "_selected_action": [shipments[1]]}
    text = admin_client.post(LIST, form).content.decode()
    assert "3 units for 1 shipment " in text
    assert f"id={shipments[1]}" in text


def test_a_packing_slip_and_a_label_are_printed(admin_client: Client, shipments: list[str]) -> None:
    page = admin_client.get(f"{LIST}{shipments[0]}/change/").content.decode()
    assert f"{LIST}{shipments[0]}/packing-slip/" in page
    assert "/label/" not in page
    slip = admin_client.get(f"{LIST}{shipments[0]}/packing-slip/").content.decode()
    assert f"Packing slip {shipments[0]}" in slip
    assert admin_client.get(f"{LIST}{shipments[0]}/label/").status_code == 409
    commands.dispatch_shipment(ShipmentId(shipments[0]), "DHL", "JD1")
    assert "JD1" in admin_client.get(f"{LIST}{shipments[0]}/label/").content.decode()
    assert admin_client.get(f"{LIST}S-0/packing-slip/").status_code == 404


def test_the_warehouses_pages_need_the_permission_to_view_shipments(client: Client, shipments: list[str]) -> None:
    allowed(client, "view_stockitem")
    for page in ("pick-list/", f"{shipments[0]}/packing-slip/", f"{shipments[0]}/label/"):
        assert client.get(LIST + page).status_code == 403


def scanned(client: Client, what: str) -> Any:
    return client.get("/admin/scan/", {"q": what})


def test_what_is_scanned_is_opened(admin_client: Client, shipments: list[str]) -> None:
    commands.dispatch_shipment(ShipmentId(shipments[0]), "DHL", "JD0143")
    assert "autofocus" in admin_client.get("/admin/scan/").content.decode()
    for what, page in (
        (shipments[1], f"{LIST}{shipments[1].replace('-', '_2D')}/change/"),
        (" jd0143 ", f"{LIST}{shipments[0].replace('-', '_2D')}/change/"),
        ("mug", "/admin/inventory/stockitem/MUG/change/"),
    ):
        assert admin_client.get(scanned(admin_client, what).url).status_code == 200, what
        assert scanned(admin_client, what).url.replace("_2D", "-") == page.replace("_2D", "-")
    order = Shipment.objects.get(pk=shipments[1]).order
    found = scanned(admin_client, order).content.decode()
    assert shipments[1] in found
    assert f">{order}<" in found
    assert "Nothing has the number" in scanned(admin_client, "S-0").content.decode()
    assert "&lt;b&gt;" in scanned(admin_client, "<b>").content.decode()
    with CaptureQueriesContext(connection) as seen:
        scanned(admin_client, order)
    assert len(seen) < 15


def test_who_may_only_view_shipments_finds_the_shipment_of_an_order(client: Client, shipments: list[str]) -> None:
    allowed(client, "view_shipment")
    order = Shipment.objects.get(pk=shipments[1]).order
    assert scanned(client, order).url.replace("_2D", "-") == f"{LIST}{shipments[1]}/change/"
    assert "Nothing has the number" in scanned(client, "MUG").content.decode()
    client.logout()
    assert "/login/" in scanned(client, "MUG").url
