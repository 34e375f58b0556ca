"""The documents of the books: how invoices and credit notes come into being, and how they get their numbers."""

from django.db.models import Exists, F, OuterRef, QuerySet

from billing.events import CreditNoteContent
from billing.models import SERIES, Document, DocumentKind, DocumentSeries, DocumentStatus, Invoice
from integration.aggregates.unit_of_work import unit_of_work
from integration.domain.identifiers import DocumentId, InvoiceNumber, OrderNumber
from integration.domain.metadata import join_story
from integration.domain.money import Money

AT_ONCE = 200
"""So many documents get their numbers in one transaction."""


def draft_document(
    document: DocumentId,
    kind: DocumentKind,
    invoice: InvoiceNumber,
    order: OrderNumber,
    amount: Money,
    content: CreditNoteContent | None = None,
) -> None:
    """Add a document that has no number yet; `content` is what a credit note takes back."""
    with unit_of_work() as work:
        work.add(Document.draft(document, kind, invoice, order, amount, content))


def note_older_reductions() -> None:
    """Draft the credit notes of reductions that older code made, which may run during a deployment.

    The partial index of the query is empty otherwise.
    """
    lacking = Invoice.objects.filter(documented=True).exclude(noted_minor=F("refund_owed_minor"))
    ids = list(lacking.order_by("number").values_list("number", flat=True)[:AT_ONCE])
    if ids:
        with unit_of_work() as work:
            for invoice in work.get_many(Invoice, ids).values():
                join_story(invoice.correlation_id)
                invoice.note_the_difference()


def number_documents() -> int:
    """Assign the next numbers to all drafts, invoices first; returns how many got one.

    A credit note gets its number after the invoice that it refers to.
    """
    note_older_reductions()
    numbered = 0
    for kind in DocumentKind:
        while some := _number(kind):
            numbered += some
    return numbered


def _number(kind: DocumentKind) -> int:
    """Assign numbers to a batch of drafts of a kind, and return how many there were.

    The lock on the row of the series is held until the commit. So the highest number that is read here is the last one
    that was assigned, and the next transaction continues with what this one has committed or rolled back. No other
    transaction waits for that lock, and drafts are locked by nobody else.
    """
    if not _drafts(kind).exists():
        return 0
    series = SERIES[kind]
    with unit_of_work() as work:
        _lock(series)
        ids = list(_drafts(kind).order_by("created_at", "id").values_list("id", flat=True)[:AT_ONCE])
        drafts = work.get_many(Document, ids)
        for position, id in enumerate(ids, _last(series) + 1):
            join_story(drafts[id].correlation_id)
            drafts[id].assign_number(series, position)
    return len(ids)


def _drafts(kind: DocumentKind) -> QuerySet[Document]:
    drafts = Document.objects.filter(status=DocumentStatus.DRAFT)
    if kind == DocumentKind.INVOICE:
        return drafts.filter(kind=kind)
    unnumbered = drafts.filter(kind=DocumentKind.INVOICE, invoice=OuterRef("invoice"))
    return drafts.filter(~Exists(unnumbered), kind=kind)


def _lock(series: str) -> None:
    rows = DocumentSeries.objects.select_for_update().filter(pk=series)
    if not list(rows.all()):
        DocumentSeries.objects.bulk_create([DocumentSeries(name=series)], ignore_conflicts=True)
        list(rows.all())


def _last(series: str) -> int:
    numbered = Document.objects.filter(series=series).order_by("-position")
    return numbered.values_list("position", flat=True).first() or 0
