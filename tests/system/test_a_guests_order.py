"""A guest's way from a cart to a refund over REST, on real processes, in the demo shop."""

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
TAX = """
from datetime import date
from ordering.models import TaxRate
TaxRate.objects.create(country="IE", tax_class="standard", percent_thousandths=23_000, valid_from=date(2026, 1, 1))
"""
NO_TAX = """
from ordering.models import TaxRate
TaxRate.objects.filter(country="IE", tax_class="standard", valid_from="2026-01-01").delete()
"""


@pytest.fixture
def irish_tax(system: System) -> Iterator[None]:
    """The tax of one country, which is removed afterwards."""
    system.run(ROOT, "shell", "-c", TAX)
    yield
    system.run(ROOT, "shell", "-c", NO_TAX)


@pytest.mark.usefixtures("irish_tax")
def test_a_guest_orders_from_a_cart_and_sends_a_part_back(system: System) -> None:
    staff = system.visitor.log_in("operator", "operator")

    walk_from_cart_to_refund(
        Plain(system.visitor),
        Plain(staff),
        lambda token: Plain(Client(system.port, token)),
        waiting,
        skus=("MUG-ENAMEL-CREAM", "TROWEL-ASH"),
        address=DUBLIN,
        voucher="WELCOME10",
    )

    assert staff.get("/vouchers/WELCOME10").body["redeemed"] == 1
