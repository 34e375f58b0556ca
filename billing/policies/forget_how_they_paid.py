"""When a buyer is erased, billing removes their payment methods, and those of their orders.

Amounts stay, because the books must stay complete.
"""

from collections.abc import Sequence

from billing import commands
from integration import contracts
from integration.policies import whenever


def lock_payments_and_invoices(erased: Sequence[contracts.ordering.BuyerErased]) -> None:
    """Lock the payments of a whole batch at once, and then their invoices."""
    commands.lock_all_payments_and_invoices([order for event in erased for order in event.orders])


@whenever(contracts.ordering.BuyerErased, name="billing.forget-payment-method", prepare=lock_payments_and_invoices)
def forget_payment_method(event: contracts.ordering.BuyerErased) -> None:
    commands.anonymize_invoices(event.orders)
    commands.forget_payment_methods(event.buyer)
