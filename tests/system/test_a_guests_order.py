"""A guest's way from a cart to a refund over REST, on real processes."""

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
"""Other tests on the same system send to other countries, so the shipping of this one costs them nothing."""
OFFER = """
from datetime import date
from ordering.models import ShippingRate, TaxRate
ShippingRate.objects.create(option="standard", name="Standard", countries="IE", currency="USD", price_minor=490)
TaxRate.objects.create(country="IE", tax_class="standard", percent_thousandths=23_000, valid_from=date(2026, 1, 1))
"""


def test_a_guest_orders_from_a_cart_and_sends_a_part_back(system: System) -> None:
    system.run(ROOT, "shell", "-c", OFFER)
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
