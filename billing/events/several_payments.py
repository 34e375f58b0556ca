"""What happened to invoices that have several payments: the buyer tried again, or paid twice."""

from integration.domain.events import DomainEvent, domain_event
from integration.domain.identifiers import InvoiceNumber, OrderNumber, PaymentId, RefundId
from integration.domain.money import Money
from integration.domain.personal import PersonalPaymentMethod


@domain_event("billing.invoice_payment_retried", says="another payment was tried for invoice {invoice} ({attempt})")
class InvoicePaymentRetried(DomainEvent, kw_only=True):
    """The buyer tries another payment method, because the last payment failed; `attempt` counts from 1."""

    invoice: InvoiceNumber
    order: OrderNumber
    method: PersonalPaymentMethod
    attempt: int


@domain_event("billing.invoice_surplus_received", says="{amount} arrived for invoice {invoice}, which was paid before")
class InvoiceSurplusReceived(DomainEvent, kw_only=True):
    """Another payment brought money for an invoice that was paid before; `refund` returns all of it."""

    invoice: InvoiceNumber
    order: OrderNumber
    refund: RefundId
    payment: PaymentId
    amount: Money


@domain_event("billing.invoice_surplus_returned", says="the surplus of {amount} of invoice {invoice} was refunded")
class InvoiceSurplusReturned(DomainEvent, kw_only=True):
    invoice: InvoiceNumber
    order: OrderNumber
    refund: RefundId
    amount: Money


@domain_event("billing.invoice_surplus_came_back", says="the refunded surplus of {amount} of {invoice} came back")
class InvoiceSurplusCameBack(DomainEvent, kw_only=True):
    """The refund of a surplus was issued, and failed later; the money is with us again, and still owed."""

    invoice: InvoiceNumber
    order: OrderNumber
    refund: RefundId
    amount: Money
