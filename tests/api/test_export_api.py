"""A buyer gets a copy of all that is stored about them, and of nothing else."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from api_calls import System
from conftest import ADDRESS
from pytest_django import Settings
from test_carts_api import Shopper

from ordering.commands import cancel_order
from ordering.models import CancellationReason

EXPORT = "/api/v1/me/export"


@pytest.fixture
def life(system: System, buyer: Any, drain: Callable[..., int], settings: Settings, tmp_path: Any) -> System:
    """The buyer has an order, a profile, letters and a cart with an address; an operator cancels the order."""
    settings.EMAIL_BACKEND = "integration.gateways.mail_files.EmailBackend"
    settings.EMAIL_FILE_PATH = tmp_path
    buyer.patch("/api/v1/me", {"preferences": {"email_notifications": True, "locale": "de"}})
    Shopper(buyer).put("shipping-address", ADDRESS)
    cancel_order(system.order, CancellationReason.BY_OPERATOR, "looks like fraud")
    drain()
    return system


def test_the_copy_has_all_of_the_callers_data(life: System, buyer: Any) -> None:
    response = buyer.get(EXPORT)
    assert (response.status_code, response.headers["Cache-Control"]) == (200, "no-store")
    copy = response.json()
    assert set(copy) == {
        *("account", "profile", "consents", "carts", "orders", "invoices", "shipments", "returns", "letters"),
        *("letters_sent", "payment_methods"),
    }
    assert copy["account"]["username"] == "ada"
    assert copy["profile"]["email"] == "ada@example.com"
    assert [(each["email_notifications"], each["locale"]) for each in copy["consents"]] == [(True, "de")]
    assert [(cart["id"], cart["shipping_address"]) for cart in copy["carts"]] == [(life.cart, ADDRESS)]
    assert {order["number"] for order in copy["orders"]} == {life.order, life.declined_order}
    order = next(order for order in copy["orders"] if order["number"] == life.order)
    assert (order["number"], order["shipping_address"], order["payment_method"]) == (
        life.order,
        ADDRESS,
        "pm_card_visa",
    )
    assert {event["context"] for event in order["events"]} >= {"ordering", "billing", "fulfillment"}
    invoice = next(invoice for invoice in copy["invoices"] if invoice["order"] == life.order)
    assert invoice["payments"]
    assert [shipment["recipient"] for shipment in copy["shipments"]] == [ADDRESS]
    assert [letter["to"] for letter in copy["letters"]] == ["ada@example.com"] * len(copy["letters"])
    assert any("storniert" in letter["subject"] for letter in copy["letters"])
    sent = [(each["order"], each["kind"], each["language"]) for each in copy["letters_sent"]]
    assert (life.order, "cancelled", "de") in sent
    assert len(sent) >= len(copy["letters"])  # some were sent before they were stored in files


def test_the_copy_has_nothing_of_others_and_of_staff(life: System, buyer: Any, stranger: Any) -> None:
    text = json.dumps(buyer.get(EXPORT).json())
    for of_others in ("looks like fraud", "olga", "guest@example.com", life.guests_order, life.guests_cart, "B-1"):
        assert of_others not in text.replace(life.order, ""), of_others
    others = stranger.get(EXPORT).json()
    assert {name: part for name, part in others.items() if name not in ("account", "profile") and part} == {}


def test_the_copy_costs_as_much_for_more_orders(
    life: System, buyer: Any, order_body: dict[str, Any], drain: Callable[..., int], statements: Callable[..., Any]
) -> None:
    with statements() as one:
        buyer.get(EXPORT)
    for _ in range(3):
        buyer.post("/api/v1/orders", order_body)
    drain()
    with statements() as four:
        assert len(buyer.get(EXPORT).json()["orders"]) == 5
    assert len(four) == len(one)


def test_odd_requests_are_refused(anonymous: Any, buyer: Any) -> None:
    assert anonymous.get(EXPORT).status_code == 401
    assert buyer.get(f"{EXPORT}?of=U-1").status_code == 422
    assert buyer.post(EXPORT, {}).status_code == 405
