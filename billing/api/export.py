"""What billing holds on a buyer: their payment methods, and their invoices with payments and refunds."""

from collections.abc import Sequence
from typing import Any

from billing import queries
from billing.api.outputs import InvoiceOutput
from billing.api.payment_methods import PaymentMethodOutput
from integration.domain.identifiers import BuyerId, OrderNumber
from integration.rest.export import exports


@exports("payment_methods")
def payment_methods(buyer: BuyerId, orders: Sequence[OrderNumber]) -> Any:
    return PaymentMethodOutput(queries.payment_methods_of(buyer).order_by("created_at"), many=True).data


@exports("invoices")
def invoices(buyer: BuyerId, orders: Sequence[OrderNumber]) -> Any:
    found = list(queries.invoices_of(buyer).order_by("created_at"))
    return InvoiceOutput(queries.with_details(found), many=True).data
