"""The command that gives an invoice to the buyer who took over its order."""

from billing.models import Invoice, invoice_of
from integration.aggregates.unit_of_work import unit_of_work
from integration.domain.errors import NotYet
from integration.domain.identifiers import BuyerId, OrderNumber


def change_payer(order: OrderNumber, payer: BuyerId) -> None:
    """Give the invoice of an order to another buyer; raises `NotYet` if there is none yet."""
    with unit_of_work() as work:
        invoice = work.find(Invoice, invoice_of(order))
        if invoice is None:
            raise NotYet(f"order {order} has no invoice yet")
        invoice.change_payer(payer)
