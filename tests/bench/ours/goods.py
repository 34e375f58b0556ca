"""The goods and buyers of the measured shop. Stock never runs out, so every order succeeds."""

from integration.domain.address import Address
from integration.domain.identifiers import BuyerId, PaymentMethodId, Sku
from tests.system.running_system import ADDRESS as WHERE

BUYERS = 500
"""The number of buyers. With a single buyer, each order would wait for the row lock of the order before."""
STOCK = 1_000_000
ADDRESS = Address(**WHERE)
METHOD = PaymentMethodId("pm_card_visa")


def sku(i: int) -> Sku:
    """Return the SKU of the i-th product."""
    return Sku(f"BENCH-{i:04}")


def buyer(i: int) -> BuyerId:
    """Return the ID of the i-th buyer."""
    return BuyerId(f"B-{i}")
