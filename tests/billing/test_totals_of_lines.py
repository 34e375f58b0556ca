"""An invoice knows what is due for each line and for shipping, also if it was issued before lines had totals."""

from typing import Any

from billing import events
from billing.events import InvoicedLine
from billing.models import Invoice
from integration.domain.identifiers import BuyerId, OrderNumber, PaymentMethodId, Sku
from integration.domain.money import Money
from integration.domain.versions import from_data
from tests.histories import assert_is_its_history


def usd(amount: str) -> Money:
    return Money(amount, "USD")


def test_lines_with_tax_and_shipping_store_their_totals() -> None:
    invoice = Invoice.issue(
        OrderNumber("R-1"),
        payer=BuyerId("B-1"),
        payment_method=PaymentMethodId("pm_card_visa"),
        lines=[
            InvoicedLine(Sku("MUG"), "Mug", 2, usd("12.50"), usd("30.00")),
            InvoicedLine(Sku("LAMP"), "Lamp", 1, usd("80.00"), usd("96.00")),
        ],
        discount=usd("0"),
        shipping=usd("6.00"),
        total=usd("132.00"),
    )

    assert [line.total_minor for line in invoice.lines] == [3000, 9600]
    assert invoice.line_totals() == {"MUG": usd("30.00"), "LAMP": usd("96.00")}
    assert invoice.shipping == usd("6.00")
    assert_is_its_history(invoice)


def test_an_invoice_of_version_1_shares_its_discount_over_its_lines() -> None:
    def line(sku: str, quantity: int, price: str) -> dict[str, Any]:
        return {"sku": sku, "name": sku, "quantity": quantity, "unit_price": {"amount": price, "currency": "USD"}}

    data = {
        "invoice": "I-1",
        "order": "R-1",
        "payer": "B-1",
        "payment_method": "pm_card_visa",
        "lines": [line("A", 1, "43.00"), line("B", 2, "7.00"), line("C", 1, "23.00")],
        "discount": {"amount": "2.99", "currency": "USD"},
        "total": {"amount": "77.01", "currency": "USD"},
    }
    invoice = Invoice()
    invoice.apply(from_data(events.InvoiceIssued, data, version=1))

    assert {line.total_minor for line in invoice.lines} == {None}
    assert invoice.line_totals() == {"A": usd("41.39"), "B": usd("13.48"), "C": usd("22.14")}
    assert invoice.shipping == usd("0")
