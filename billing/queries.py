"""Billing's queries: functions that read and change nothing, and the read model of what has changed."""

import re
from collections.abc import Collection, Sequence
from datetime import datetime

from django.conf import settings
from django.db.models import QuerySet, prefetch_related_objects

from billing.gateways import provider
from billing.models import (
    WAITING,
    Dispute,
    Document,
    DocumentKind,
    Invoice,
    InvoiceChange,
    Payer,
    Payment,
    PaymentMethod,
    PaymentMethodStatus,
    Refund,
    RefundProposal,
    is_own,
)
from integration.contracts.billing import TEST_METHODS
from integration.domain.errors import NotFound
from integration.domain.identifiers import BuyerId, InvoiceNumber, OrderNumber, PaymentId, PaymentMethodId, RefundId
from integration.read_models.batch import Batch, read_model
from integration.read_models.polled import changed, note_changes


def invoices_of(payer: BuyerId) -> QuerySet[Invoice]:
    """The invoices of a buyer."""
    return Invoice.objects.filter(payer=payer)


def changed_invoices(invoices: QuerySet[Invoice]) -> QuerySet[Invoice]:
    """These invoices with `shown_at`, the moment of their last change in an order that misses none."""
    return changed(invoices, InvoiceChange)


def invoice(number: InvoiceNumber, invoices: QuerySet[Invoice]) -> Invoice:
    """The invoice with this number from `invoices`, with all that it shows; raises `NotFound`."""
    found = invoices.filter(pk=number).first()
    if found is None:
        raise NotFound(f"there is no invoice {number}")
    return with_details([found])[0]


def with_details(invoices: Sequence[Invoice]) -> Sequence[Invoice]:
    """Load the lines, payments, refunds, documents and payers of invoices, the oldest first; a query for each kind."""
    Invoice.load_parts(invoices)
    prefetch_related_objects(invoices, "payments", "refunds", "documents")
    payers = Payer.objects.in_bulk([invoice.order for invoice in invoices])
    for invoice in invoices:
        vars(invoice).update(
            shown_payments=sorted(invoice.payments.all(), key=lambda payment: (payment.created_at, payment.id)),
            shown_refunds=sorted(invoice.refunds.all(), key=lambda refund: (refund.created_at, refund.id)),
            shown_payer=payers.get(invoice.order),
            shown_documents=sorted(invoice.documents.all(), key=lambda document: (document.created_at, document.id)),
        )
    return invoices


def payer_of(invoice: Invoice) -> Payer | None:
    """Who paid for an invoice that `with_details` loaded; None if nobody said so, or if it is forgotten."""
    payer: Payer | None = vars(invoice)["shown_payer"]
    return payer


def document_number(invoice: Invoice) -> tuple[str | None, datetime | None]:
    """The number without gaps of an invoice that `with_details` loaded, and its date of issue; None before it has one.

    Older code put both into a document.
    """
    documents: list[Document] = vars(invoice)["shown_documents"]
    older = next((document for document in documents if document.kind == DocumentKind.INVOICE), None)
    return (older.number_or_none, older.issued_at) if older else (invoice.printed_number or None, invoice.issued_at)


def credit_notes(invoice: Invoice) -> list[Document]:
    """The credit notes of an invoice that `with_details` loaded, the oldest first."""
    documents: list[Document] = vars(invoice)["shown_documents"]
    return [document for document in documents if document.kind == DocumentKind.CREDIT_NOTE]


def payment(id: PaymentId) -> Payment:
    """The payment with this identifier; raises `NotFound`."""
    found = Payment.objects.filter(pk=id).first()
    if found is None:
        raise NotFound(f"there is no payment {id}")
    return found


def dispute(id: str) -> Dispute:
    """The dispute with this reference of the provider; raises `NotFound`."""
    found = Dispute.objects.select_related("invoice").filter(pk=id).first()
    if found is None:
        raise NotFound(f"there is no dispute {id}")
    return found


def refund_proposal(id: str) -> RefundProposal:
    """The proposed refund with this identifier; raises `NotFound`."""
    found = RefundProposal.objects.filter(pk=id).first()
    if found is None:
        raise NotFound(f"there is no refund proposal {id}")
    return found


def waiting_payments(orders: Collection[OrderNumber]) -> QuerySet[Payment]:
    """The payments of these orders that wait for the buyer or their bank."""
    return Payment.objects.filter(order__in=orders, status__in=WAITING)


def payment_methods_of(buyer: BuyerId) -> QuerySet[PaymentMethod]:
    """The payment methods that a buyer keeps."""
    return PaymentMethod.objects.filter(buyer=buyer, status=PaymentMethodStatus.ACTIVE)


def payment_method(id: PaymentMethodId, buyer: BuyerId) -> PaymentMethod:
    """A buyer's payment method; raises `NotFound`."""
    found = payment_methods_of(buyer).filter(pk=id).first()
    if found is None:
        raise NotFound(f"there is no payment method {id}")
    return found


TOKEN = re.compile(r"(pm|card|src)_[A-Za-z0-9_]{8,70}")
"""What a provider's token looks like. Source: the identifiers in the API reference of Stripe, and its test tokens."""


def can_pay_with(method: PaymentMethodId, buyer: BuyerId) -> bool:
    """Whether an order of a buyer may name this payment method: one that they keep, or a provider's token.

    The sandbox's tokens are known by name. Another provider is not asked here, because a transaction is open: it
    declines a token that it does not know.
    """
    if is_own(method):
        return payment_methods_of(buyer).filter(pk=method).exists()
    if settings.PAYMENT_PROVIDER == "sandbox":
        return method in TEST_METHODS
    return TOKEN.fullmatch(method) is not None


def ways_to_pay(buyer: BuyerId | None) -> dict[PaymentMethodId, str]:
    """The payment methods that an order by phone may name, with a label for each.

    They are those that the buyer keeps, and the provider's `remote` ones, for which nobody says a card number.
    """
    methods = payment_methods_of(buyer) if buyer else ()
    own = {PaymentMethodId(each.id): f"{each.brand or each.kind} {each.last4}".strip() for each in methods}
    return own | dict(getattr(provider(), "remote", {}))


def refund(id: RefundId) -> Refund:
    """The refund with this identifier; raises `NotFound`."""
    found = Refund.objects.filter(pk=id).first()
    if found is None:
        raise NotFound(f"there is no refund {id}")
    return found


@read_model(InvoiceChange, stream=Invoice.stream)
def keep_changes(batch: Batch) -> None:
    note_changes(batch)
