"""What the measured shop sells, and to whom: goods without end, so that every order comes to a good end."""

from integration.domain.address import Address
from integration.domain.identifiers import BuyerId, PaymentMethodId, Sku
from tests.system.running_system import ADDRESS as WHERE

BUYERS = 500
"""Over so many buyers orders are spread: the same one all the time would have each wait for the one before."""
STOCK = 1_000_000
ADDRESS = Address(**WHERE)
METHOD = PaymentMethodId("pm_card_visa")


def sku(i: int) -> Sku:
    """The sku of the i-th of the goods."""
    return Sku(f"BENCH-{i:04}")


def buyer(i: int) -> BuyerId:
    """The i-th buyer."""
    return BuyerId(f"B-{i}")
