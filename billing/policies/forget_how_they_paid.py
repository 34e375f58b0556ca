"""When a buyer is erased, billing forgets how they paid; what they owed, paid and were given back are the books."""

from billing import commands
from integration import contracts
from integration.policies import whenever


@whenever(contracts.ordering.BuyerErased, name="billing.forget-payment-method")
def forget_payment_method(event: contracts.ordering.BuyerErased) -> None:
    commands.anonymize_invoices(event.orders)
