"""What happened to the documents of the books: the invoice and the credit notes of an order, and their numbers."""

from billing.events.invoices import CreditNoteContent
from integration.domain.events import DomainEvent, domain_event
from integration.domain.identifiers import DocumentId, InvoiceNumber, OrderNumber
from integration.domain.money import Money


@domain_event("billing.document_drafted", says="{kind} {document} of {amount} was drafted for invoice {invoice}")
class DocumentDrafted(DomainEvent, kw_only=True):
    """An invoice was confirmed, or reduced: a document of its own states that, as soon as it has a number.

    Args:
        kind: `invoice` or `credit_note`.
        content: what a credit note takes back.
    """

    document: DocumentId
    kind: str
    invoice: InvoiceNumber
    order: OrderNumber
    amount: Money
    content: CreditNoteContent | None = None


@domain_event("billing.document_numbered", says="{document} became {number}")
class DocumentNumbered(DomainEvent, kw_only=True):
    """A document got the next number of its series; this is its date of issue."""

    document: DocumentId
    number: str
    series: str
    position: int
