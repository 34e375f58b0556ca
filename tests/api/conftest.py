"""Fixtures for tests of the API: clients of every kind, a shop with a confirmed order, and the rows of all tables."""

import json
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from api_calls import BASE, Call, System
from django.apps import apps
from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.core.cache import cache
from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.http import HttpResponse
from django.test import override_settings
from knox.models import get_token_model
from rest_framework.test import APIClient

from billing.commands import ask_for_refund, note_dispute
from billing.gateways import Disputed
from billing.models import Payment, invoice_of
from fulfillment.commands import dispatch_shipment, request_return, shipment_of
from fulfillment.models.return_policy import ReturnReason
from integration.domain.address import Address
from integration.domain.identifiers import BuyerId, CartId, OrderNumber, PaymentMethodId, Sku
from integration.domain.metadata import new_story
from integration.domain.money import Money
from integration.messaging.models import Delivery, Status
from integration.webhooks.endpoints import register
from inventory.commands import quarantine_stock
from ordering import commands

ADDRESS = {
    "recipient": "Ada Lovelace",
    "street": "12 St James's Square",
    "city": "London",
    "postal_code": "SW1Y 4JH",
    "country": "GB",
}


class Client(APIClient):
    """Sends JSON and adds the base path. An exception in a view is a 500, as for a real client."""

    default_format = "json"

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(raise_request_exception=False, **kwargs)

    def call(self, call: Call) -> HttpResponse:
        path, headers = BASE + call.path, dict(call.headers)
        if call.body is None:
            return self.generic(call.method, path, headers=headers)
        raw = call.body if isinstance(call.body, bytes) else json.dumps(call.body).encode()
        return self.generic(call.method, path, raw, "application/json", headers=headers)


@pytest.fixture(autouse=True)
def reset_throttles(settings: Any) -> None:
    cache.clear()
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # secure hashers are slow


@pytest.fixture
def requests_keep_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no request close the connection, whose transaction is the test's; Django's own test client does the same."""
    monkeypatch.setattr(BaseDatabaseWrapper, "close_if_unusable_or_obsolete", lambda self: None)


@pytest.fixture
def anonymous() -> Client:
    return Client()


@pytest.fixture
def client_of(db: None) -> Callable[..., Client]:
    """Creates a user and a client with their token; `groups` makes them staff of those contexts."""

    def log_in(name: str, *groups: str, staff: bool | None = None, **user: Any) -> Client:
        is_staff = bool(groups) if staff is None else staff
        account = get_user_model().objects.create(username=name, email=f"{name}@example.com", is_staff=is_staff, **user)
        account.groups.add(*Group.objects.filter(name__in=groups))
        _, token = get_token_model().objects.create(account)
        client = Client()
        client.user = account
        client.token = token
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
        return client

    return log_in


@pytest.fixture
def buyer(client_of: Callable[..., Client]) -> Client:
    return client_of("ada")


@pytest.fixture
def stranger(client_of: Callable[..., Client]) -> Client:
    return client_of("eve")


@pytest.fixture
def operator(client_of: Callable[..., Client]) -> Client:
    """Staff of every context."""
    return client_of("olga", *settings.CONTEXTS, "integration")


@pytest.fixture
def order_body() -> dict[str, Any]:
    return {
        "lines": [{"sku": "MUG", "quantity": 2}, {"sku": "LAMP", "quantity": 1}],
        "shipping_address": dict(ADDRESS),
        "payment_method": "pm_card_visa",
    }


@pytest.fixture
def system(
    shop: object,
    buyer: Client,
    order_body: dict[str, Any],
    placed: Callable[..., OrderNumber],
    drain: Callable[..., int],
) -> System:
    """A shop with a confirmed order, its shipment to be dispatched, a lamp in quarantine, a voucher, and dead letters.

    Another buyer has an order that was shipped, wants to return a part of it, and asked their bank about it. Two
    refunds of it wait for a second person.
    A guest has ordered, too, and the bank transfer for another order is on its way. There are two open carts: the
    buyer's, and a guest's. The buyer keeps a payment method.
    """
    quarantine_stock(Sku("LAMP"), 1, "box damaged")
    commands.create_voucher("WELCOME", {"kind": "percent", "value": Decimal(5)})
    number = buyer.post("/api/v1/orders", order_body).json()["number"]
    returned = placed({"LAMP": 1}, buyer="B-1")
    drain()
    dispatch_shipment(shipment_of(returned), "DHL", "JD1")
    payment = Payment.objects.get(order=returned)
    note_dispute(Disputed("dp_1", payment.reference, payment.amount, "inquiry", "warning"))
    requested = request_return(returned, [(Sku("LAMP"), 1, ReturnReason.DAMAGED)])
    cart, guests_cart = _filled(commands.buyer_of_user(buyer.user.pk)), _filled(None)
    ordered = commands.check_out(
        _filled(None),
        None,
        PaymentMethodId("pm_card_visa"),
        email="guest@example.com",
        shipping_address=Address(**ADDRESS),
    )
    drain()
    dead = list(Delivery.objects.order_by("pk").values_list("pk", flat=True)[:2])
    Delivery.objects.filter(pk__in=dead).update(
        status=Status.DEAD, attempts=8, done_at=None, error="OSError: no connection"
    )
    shipment = shipment_of(OrderNumber(number))
    hook = register({"url": "https://hooks.example/waybill", "events": ["*"]}, None)
    waiting = placed({"ATLAS": 1}, buyer="B-1", method="pm_bank_transfer")
    drain()
    with override_settings(PAYMENT_RETRY=timedelta(hours=1)):
        fails = {**order_body, "lines": [{"sku": "ATLAS", "quantity": 1}], "payment_method": "pm_card_chargeDeclined"}
        declined = buyer.post("/api/v1/orders", fails).json()["number"]
        drain()
    method = buyer.post("/api/v1/payment-methods", {"provider_token": "pm_card_visa"}).json()["id"]
    with override_settings(REFUND_APPROVAL_LIMIT=Decimal(0)), new_story("user:0"):
        for _ in range(2):
            ask_for_refund(invoice_of(returned), Money("1", "USD"), "scratched")
    orders = (ordered.number, str(hook.pk), waiting, declined)
    return System(
        number, shipment, order_body, dead, requested.id, cart, guests_cart, *orders, method, f"Q{returned[1:]}"
    )


def _filled(buyer: BuyerId | None) -> CartId:
    """A new cart with a mug."""
    cart = CartId(commands.open_cart(buyer)[0].id)
    commands.set_item(cart, buyer, Sku("MUG"), 1)
    return cart


@pytest.fixture
def all_rows() -> Callable[[], dict[str, list[Any]]]:
    """Reads every row of every table, for comparison before and after a request."""

    def read() -> dict[str, list[Any]]:
        tables: list[type[models.Model]] = apps.get_models()
        return {table._meta.db_table: sorted(map(repr, table._default_manager.values_list())) for table in tables}

    return read
