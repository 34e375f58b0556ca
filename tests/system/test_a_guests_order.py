"""A guest's way from a cart to a refund over REST, on real processes."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from running_system import Client, System

from tests.guest_walk import Plain, waiting, walk_from_cart_to_refund

pytestmark = pytest.mark.system

ROOT = Path(__file__).resolve().parents[2]
DUBLIN = {
    "recipient": "Ada Lovelace",
    "street": "12 Fitzwilliam Square",
    "city": "Dublin",
    "postal_code": "D02 AX01",
    "country": "IE",
}
OFFER = """
from datetime import date
from ordering.models import ShippingRate, TaxRate
ShippingRate.objects.create(option="standard", name="Standard", countries="IE", currency="USD", price_minor=490)
TaxRate.objects.create(country="IE", tax_class="standard", percent_thousandths=23_000, valid_from=date(2026, 1, 1))
"""
WITHDRAW_THE_OFFER = """
from ordering.models import ShippingRate, TaxRate
ShippingRate.objects.filter(countries="IE").delete()
TaxRate.objects.filter(country="IE", tax_class="standard", valid_from="2026-01-01").delete()
"""


@pytest.fixture
def shipping_to_ireland(system: System) -> Iterator[None]:
    """Shipping and its tax for one country. A shop that ships sends nowhere else, so they are removed afterwards."""
    system.run(ROOT, "shell", "-c", OFFER)
    yield
    system.run(ROOT, "shell", "-c", WITHDRAW_THE_OFFER)


@pytest.mark.usefixtures("shipping_to_ireland")
def test_a_guest_orders_from_a_cart_and_sends_a_part_back(system: System) -> None:
    staff = system.visitor.log_in("operator", "operator")
    voucher = {"code": "GUESTS", "kind": "percent", "value": "10", "limit": 5}
    assert staff.post("/vouchers", voucher).status == 201

    walk_from_cart_to_refund(
        Plain(system.visitor),
        Plain(staff),
        lambda token: Plain(Client(system.port, token)),
        waiting,
        skus=("MUG-ENAMEL-CREAM", "TROWEL-ASH"),
        address=DUBLIN,
        voucher="GUESTS",
    )

    assert staff.get("/vouchers/GUESTS").body["redeemed"] == 1
