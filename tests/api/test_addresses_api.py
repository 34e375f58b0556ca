"""Addresses over the API: what is refused, what is a warning, and what of an address is erased."""

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from api_calls import Call, errors_of

from billing.models import Invoice
from fulfillment.models import Shipment
from integration.domain.identifiers import BuyerId
from ordering.commands import erase_buyer
from ordering.models import Order, OrderBoard, TaxRate

ORDERS, ME = "/api/v1/orders", "/api/v1/me"
PORTLAND = {
    "recipient": "Sam Whitfield",
    "street": "905 Cedar Avenue",
    "city": "Portland",
    "postal_code": "97205",
    "country": "US",
}
FULL = {**PORTLAND, "company": "Cedar & Co", "street2": "Unit 5", "region": "Oregon", "phone": "+1 503 555 0100"}


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"postal_code": "00000"}, ("region", "required")),
        ({"postal_code": "00000", "region": ""}, ("region", "blank")),
        ({"postal_code": "00000", "region": "x" * 101}, ("region", "max_length")),
        ({"region": 5}, ("region", "invalid")),
        ({"company": None}, ("company", "null")),
        ({"street2": ["a"]}, ("street2", "invalid")),
        ({"phone": "1" * 41}, ("phone", "max_length")),
        ({"fax": "1"}, ("fax", "unknown_field")),
        ({"country": "CN", "postal_code": "100000"}, ("region", "required")),
        ({"country": "HK", "city": "", "region": ""}, ("city", "blank")),
    ],
)
def test_what_a_carrier_cannot_do_without_is_refused(
    buyer: Any,
    shop: object,
    order_body: dict[str, Any],
    all_rows: Callable[[], object],
    change: dict[str, Any],
    error: tuple[str, str],
) -> None:
    before = all_rows()
    body = {**order_body, "shipping_address": {**PORTLAND, **change}}
    part, code = error
    assert errors_of(buyer.call(Call("POST", "orders", body))) == {(f"#/shipping_address/{part}", code)}
    profile = {"default_shipping_address": {**PORTLAND, **change}}
    assert errors_of(buyer.call(Call("PATCH", "me", profile))) == {(f"#/default_shipping_address/{part}", code)}
    assert all_rows() == before


def test_staff_accept_an_address_without_a_required_part_for_a_reason(
    buyer: Any, operator: Any, client_of: Callable[..., Any], shop: object, order_body: dict[str, Any]
) -> None:
    accepted = {**PORTLAND, "city": "", "postal_code": "", "accepted": "the driver knows the way"}
    body = {**order_body, "shipping_address": accepted}
    refused = {("#/shipping_address/accepted", "unknown_field")}
    for client in (buyer, client_of("sam", "inventory")):
        assert refused <= errors_of(client.post(ORDERS, body))
    without_reason = operator.post(ORDERS, {**order_body, "shipping_address": {**accepted, "accepted": ""}})
    assert errors_of(without_reason) == {(f"#/shipping_address/{part}", "blank") for part in ("city", "postal_code")}
    placed = operator.post(ORDERS, body)
    assert placed.status_code == 201
    assert placed.json()["shipping_address"] == accepted
    assert [hold["reason"] for hold in placed.json()["holds"]] == ["incorrect_address"]
    assert [(warning["pointer"], warning["code"], warning["detail"]) for warning in placed.json()["warnings"]] == [
        (
            f"#/shipping_address/{part}",
            "accepted_without",
            "It is missing, and staff accepted the address without it: the driver knows the way",
        )
        for part in ("city", "postal_code")
    ]


def test_what_looks_wrong_is_a_warning_on_the_order_and_stops_nobody(
    buyer: Any, shop: object, order_body: dict[str, Any]
) -> None:
    placed = buyer.post(ORDERS, {**order_body, "shipping_address": PORTLAND})
    assert placed.status_code == 201
    assert placed.json()["warnings"] == [
        {
            "pointer": "#/shipping_address/region",
            "code": "region_missing",
            "detail": "Addresses in US have a region (state).",
            "suggestion": "Oregon",
        }
    ]
    number = placed.json()["number"]
    assert buyer.get(f"{ORDERS}/{number}").json()["warnings"] == placed.json()["warnings"]
    assert buyer.get(ORDERS).json()["results"][0]["warnings"] == placed.json()["warnings"]


def test_a_profile_shows_warnings_about_its_address(buyer: Any) -> None:
    address = {**FULL, "phone": "ask"}
    changed = buyer.patch(ME, {"default_shipping_address": address}).json()
    assert changed["default_shipping_address"] == address
    assert [(warning["pointer"], warning["code"]) for warning in changed["warnings"]] == [
        ("#/default_shipping_address/phone", "odd_phone")
    ]
    assert "suggestion" not in changed["warnings"][0]


def test_hong_kong_needs_a_region_and_no_city(buyer: Any, shop: object, order_body: dict[str, Any]) -> None:
    address = {"recipient": "Ada", "street": "1 Nathan Road", "region": "Kowloon", "country": "HK"}
    placed = buyer.post(ORDERS, {**order_body, "shipping_address": address})
    assert (placed.status_code, placed.json()["warnings"]) == (201, [])
    assert placed.json()["shipping_address"] == {**address, "city": "", "postal_code": ""}


def test_optional_parts_reach_the_shipment_and_are_erased(
    buyer: Any, operator: Any, shop: object, order_body: dict[str, Any], drain: Callable[..., int]
) -> None:
    number = buyer.post(ORDERS, {**order_body, "shipping_address": FULL}).json()["number"]
    drain()
    shipment = Shipment.objects.get(order=number)
    assert shipment.recipient == FULL
    for step in ({"carrier": "DHL", "tracking_number": "1"}, None):
        operator.post(f"/api/v1/shipments/{shipment.id}/{'dispatch' if step else 'deliver'}", step or {})
        drain()
    buyer.get(ORDERS)
    erase_buyer(BuyerId(f"U-{buyer.user.pk}"))
    drain()
    buyer_gone = operator.get(f"{ORDERS}/{number}").json()
    assert buyer_gone["warnings"] == []
    erased = {**dict.fromkeys(("recipient", "street", "city", "postal_code"), "(erased)"), "country": "US"}
    rows = [Order.objects.get(pk=number).shipping_address, Shipment.objects.get().recipient]
    operator.get(ORDERS)
    assert [*rows, OrderBoard.objects.get(number=number).shipping_address] == [erased] * 3
    assert Invoice.objects.get(order=number).payment_method == ""


def test_a_region_with_its_own_tax_rate_is_taxed_at_it(buyer: Any, shop: object, order_body: dict[str, Any]) -> None:
    for region, percent in (("", 5), ("ON", 13)):
        day = date(2020, 1, 1)
        TaxRate.objects.create(
            country="CA", region=region, tax_class="standard", percent_thousandths=percent * 1_000, valid_from=day
        )
    toronto = {**PORTLAND, "city": "Toronto", "postal_code": "M5V 2T6", "country": "CA"}

    def rates(**region: str) -> list[str]:
        order = buyer.post(ORDERS, {**order_body, "shipping_address": {**toronto, **region}}).json()
        return [tax["rate"] for tax in order["taxes"]]

    assert rates(region="Ontario") == rates(region="on") == ["13"]
    assert rates(region="Quebec") == ["5"]
