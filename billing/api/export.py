"""What billing holds on a buyer: their invoices, with payments and refunds."""

from collections.abc import Sequence
from typing import Any

from billing import queries
from billing.api.outputs import InvoiceOutput
from integration.domain.identifiers import BuyerId, OrderNumber
from integration.rest.export import exports


@exports("invoices")
def invoices(buyer: BuyerId, orders: Sequence[OrderNumber]) -> Any:
    found = list(queries.invoices_of(buyer).order_by("created_at"))
    return InvoiceOutput(queries.with_details(found), many=True).data
