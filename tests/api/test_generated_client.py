"""A client that a public generator makes from the OpenAPI document takes an order from placing to a refund.

The generator is `openapi-python-client`. Its client checks each response against the document as it reads it.
"""

import importlib
import json
import subprocess
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from api_calls import PASSWORD
from django.core.management import call_command

from config.wsgi import application
from integration.domain import clock
from ordering.commands import create_voucher
from ordering.models import ShippingRate, TaxRate
from tests.guest_walk import walk_from_cart_to_refund

PACKAGE = "waybill_client"

pytestmark = pytest.mark.usefixtures("requests_keep_the_connection")


class Generated:
    """The modules of a generated client, by their names below the package."""

    def __init__(self, token: str = "") -> None:
        client = importlib.import_module(f"{PACKAGE}.client")
        options = {"base_url": "http://testserver", "httpx_args": {"transport": httpx.WSGITransport(app=application)}}
        self._client = client.AuthenticatedClient(token=token, **options) if token else client.Client(**options)

    def __call__(
        self, operation: str, *path: str, body: dict[str, Any] | None = None, status: int = 200, **headers: str
    ) -> Any:
        """Call an operation such as `orders.orders_create`; returns what its response was read as."""
        call = importlib.import_module(f"{PACKAGE}.api.{operation}")
        options: dict[str, Any] = {"client": self._client, **headers}
        if body is not None:
            takes = call.sync_detailed.__annotations__["body"]
            kind = next(each for each in getattr(takes, "__args__", (takes,)) if hasattr(each, "from_dict"))
            options["body"] = kind.from_dict(body)
        response = call.sync_detailed(*path, **options)
        assert response.status_code == status, response.content
        return response.parsed


@pytest.fixture(scope="session")
def generated(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Generate the client, and make it importable."""
    folder = tmp_path_factory.mktemp("generated")
    call_command("spectacular", "--format", "openapi-json", "--file", str(folder / "schema.json"))
    (folder / "config.json").write_text(json.dumps({"post_hooks": []}))
    generate = [sys.executable, "-m", "openapi_python_client", "generate", "--fail-on-warning", "--meta", "none"]
    made = subprocess.run(
        [*generate, "--path", "schema.json", "--config", "config.json", "--output-path", PACKAGE],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stdout + made.stderr
    assert Path(folder, PACKAGE, "api", "orders").is_dir()
    sys.path.insert(0, str(folder))


@pytest.fixture
def operator_client(generated: None, operator: Any) -> Generated:
    return Generated(operator.token)


@pytest.mark.usefixtures("shop")
def test_a_generated_client_takes_an_order_to_its_refund(
    generated: None, operator_client: Generated, drain: Callable[..., int], order_body: dict[str, Any]
) -> None:
    anyone = Generated()
    anyone("customers.customers_create", body=_customer(), status=201)
    token = anyone("auth.auth_tokens_create", body={"username": "grace", "password": PASSWORD}, status=201).token
    buyer = Generated(token)
    order = {
        "lines": [{"sku": "MUG", "quantity": 3}, {"sku": "LAMP", "quantity": 1}],
        "shipping_address": order_body["shipping_address"],
        "payment_method": "pm_card_visa",
    }

    placed = buyer("orders.orders_create", body=order, status=201)
    drain()
    confirmed = buyer("orders.orders_retrieve", placed.number)
    assert (confirmed.status, confirmed.payment.status) == ("confirmed", "paid")

    part = {"carrier": "Royal Mail", "tracking_number": "RM1", "lines": [{"sku": "MUG", "quantity": 2}]}
    first = f"S{placed.number[1:]}-1"
    second = f"S{placed.number[1:]}-2"
    operator_client("shipments.shipments_dispatch_create", first, body=part)
    drain()
    assert buyer("orders.orders_retrieve", placed.number).status == "partially_shipped"
    rest = {"carrier": "Royal Mail", "tracking_number": "RM2"}
    operator_client("shipments.shipments_dispatch_create", second, body=rest)
    for shipment in (first, second):
        operator_client("shipments.shipments_deliver_create", shipment)
    drain()
    delivered = buyer("orders.orders_retrieve", placed.number)
    assert delivered.status == "delivered"
    assert [line.delivered for line in delivered.lines] == [3, 1]

    invoice = buyer("invoices.invoices_retrieve", f"I{placed.number[1:]}")
    mugs = next(line for line in invoice.lines if line.sku == "MUG")
    refund = {"lines": [{"sku": "MUG", "quantity": 3}], "reason": "all of them broken"}
    operator_client("invoices.invoices_refunds_create", invoice.number, body=refund, status=202)
    drain()
    refunded = buyer("orders.orders_retrieve", placed.number)
    assert refunded.payment.refunded.amount == mugs.total.amount
    assert refunded.payment.status == "partially_refunded"


def test_a_generated_client_takes_a_guests_cart_to_a_refund_of_what_came_back(
    generated: None,
    operator_client: Generated,
    operator: Any,
    shop: object,
    drain: Callable[..., int],
    order_body: dict[str, Any],
) -> None:
    """A cart with a voucher, two parcels, one line back in two conditions: all books agree to the cent."""
    TaxRate.objects.create(
        country="GB", tax_class="standard", percent_thousandths=20_000, valid_from=clock.now().date()
    )
    ShippingRate.objects.create(option="standard", name="Standard", currency="USD", price_minor=500)
    create_voucher("WELCOME", {"kind": "percent", "value": Decimal(10)})
    walk_from_cart_to_refund(
        Generated(),
        operator_client,
        Generated,
        lambda look, is_it, what: (drain(), look())[1],
        skus=("MUG", "LAMP"),
        address=order_body["shipping_address"],
        voucher="WELCOME",
        cart_key=lambda id: UUID(str(id)),
    )


def _customer() -> dict[str, str]:
    return {"username": "grace", "password": PASSWORD, "email": "grace@example.com", "name": "Grace Hopper"}


@pytest.mark.usefixtures("shop")
def test_a_problem_is_read_as_one(generated: None) -> None:
    problem = Generated()("products.products_retrieve", "NOTHING", status=404)
    assert (problem.status, problem.title) == (404, "Not found")
