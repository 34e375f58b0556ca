"""When a buyer is erased, billing removes the payment methods of their orders.

Amounts stay, because the books must stay complete.
"""

from billing import commands
from integration import contracts
from integration.policies import whenever


@whenever(contracts.ordering.BuyerErased, name="billing.forget-payment-method")
def forget_payment_method(event: contracts.ordering.BuyerErased) -> None:
    commands.anonymize_invoices(event.orders)
