"""What can be done in billing: one function a use case.

Most are one unit of work. Those that talk to the payment provider do so outside of any transaction, between two.
"""

from collections.abc import Sequence

from billing.events import InvoicedLine
from billing.gateways import Charged, Declined, provider
from billing.models import Invoice, InvoiceStatus, Payment, Refund, invoice_of, payment_of
from integration.domain.errors import NotYet
from integration.domain.identifiers import (
    BuyerId,
    InvoiceNumber,
    OrderNumber,
    PaymentId,
    PaymentMethodId,
    RefundId,
)
from integration.domain.money import Money
from integration.domain.unit_of_work import UnitOfWork, unit_of_work


def issue_invoice(
    order: OrderNumber,
    *,
    payer: BuyerId,
    payment_method: PaymentMethodId,
    lines: Sequence[InvoicedLine],
    discount: Money,
    total: Money,
) -> None:
    """Write down what is owed for an order; nothing if that was done before."""
    with unit_of_work() as work:
        if work.find(Invoice, invoice_of(order)) is None:
            work.add(
                Invoice.issue(
                    order, payer=payer, payment_method=payment_method, lines=lines, discount=discount, total=total
                )
            )


def request_payment(order: OrderNumber) -> None:
    """The order's goods are set aside: ask for its money, once. Raises `NotYet` before the invoice is issued."""
    with unit_of_work() as work:
        invoice = _invoice(work, order)
        if invoice.accepts("ask_for_money") and work.find(Payment, payment_of(order)) is None:
            work.add(Payment.request(invoice))


def collect_payment(id: PaymentId) -> None:
    """Have the provider take the money, and write down what came of it.

    If the order was cancelled in the meantime, the provider is only asked whether it took the money already.

    Raises:
        OutcomeUnknown: the line was cut; to be tried again, under the same key.
    """
    payment = Payment.objects.select_related("invoice").get(pk=id)
    outcome: Charged | Declined | None
    if payment.invoice.status == InvoiceStatus.OPEN:
        outcome = provider().charge(payment.id, PaymentMethodId(payment.method), payment.amount)
    else:
        outcome = provider().find_charge(payment.id)
    with unit_of_work() as work:
        payment = work.get(Payment, id)
        if outcome is None:
            payment.abandon()
        elif isinstance(outcome, Charged):
            payment.succeed(outcome.reference)
        else:
            payment.fail(outcome.code)


def settle_invoice(number: InvoiceNumber, payment: PaymentId, amount: Money) -> None:
    """The invoice's money came in; raises `AmountMismatch`."""
    with unit_of_work() as work:
        work.get(Invoice, number).be_paid(payment, amount)


def call_off_invoice(order: OrderNumber, reason: str) -> None:
    """The order is cancelled: void its invoice, or give back what was paid. Raises `NotYet` before it is issued."""
    with unit_of_work() as work:
        _invoice(work, order).be_called_off(reason)


def request_refund(
    refund: RefundId, invoice: InvoiceNumber, payment: PaymentId, order: OrderNumber, amount: Money, reason: str
) -> None:
    """Have money given back."""
    with unit_of_work() as work:
        work.add(Refund.request(refund, invoice, payment, order, amount, reason))


def issue_refund(id: RefundId) -> None:
    """Have the provider give money back, and write down that it did.

    Raises:
        OutcomeUnknown: the line was cut; to be tried again, under the same key.
    """
    refund = Refund.objects.select_related("payment").get(pk=id)
    reference = provider().refund(refund.id, refund.payment.reference, refund.amount)
    with unit_of_work() as work:
        work.get(Refund, id).be_issued(reference)


def note_refund(invoice: InvoiceNumber, refund: RefundId, amount: Money) -> None:
    """Money went back for the invoice."""
    with unit_of_work() as work:
        work.get(Invoice, invoice).be_refunded(refund, amount)


def _invoice(work: UnitOfWork, order: OrderNumber) -> Invoice:
    invoice = work.find(Invoice, invoice_of(order))
    if invoice is None:
        raise NotYet(f"order {order} has no invoice yet")
    return invoice
