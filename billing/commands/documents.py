"""The documents of the books: how credit notes come into being, and how they and the invoices get their numbers."""

from django.db.models import Exists, F, Max, OuterRef, QuerySet

from billing.events import CreditNoteContent
from billing.models import INVOICES, SERIES, Document, DocumentKind, DocumentSeries, DocumentStatus, Invoice
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
    lacking = lacking.exclude(noted_minor=F("refund_owed_minor") + F("released_minor"), released_minor__isnull=False)
    ids = list(lacking.order_by("number").values_list("number", flat=True)[:AT_ONCE])
    if ids:
        with unit_of_work() as work:
            for invoice in work.get_many(Invoice, ids).values():
                join_story(invoice.correlation_id)
                invoice.note_the_difference()


def number_documents() -> int:
    """Assign the next numbers to all that waits for one, invoices first; returns how many got one.

    A credit note gets its number after the invoice that it refers to.
    """
    note_older_reductions()
    number = 0
    while some := _number_invoices():
        number += some
    for kind in DocumentKind:
        while some := _number(kind):
            number += some
    return number


def _number_invoices() -> int:
    """Assign numbers to a batch of confirmed invoices, and return how many there were.

    As in `_number`, only the lock of the series lets a transaction assign numbers. The invoices are locked, too, in key
    order, so a transaction that refunds one of them waits for the commit.
    """
    waiting = Invoice.objects.filter(position=0)
    if not waiting.exists():
        return 0
    with unit_of_work() as work:
        _lock(INVOICES)
        ids = list(waiting.order_by("updated_at", "number").values_list("number", flat=True)[:AT_ONCE])
        invoices = work.get_many(Invoice, ids)
        for position, id in enumerate(ids, _last_invoice() + 1):
            join_story(invoices[id].correlation_id)
            invoices[id].assign_number(position)
    return len(ids)


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
    return drafts.filter(~Exists(unnumbered), kind=kind).exclude(invoice__position=0)


def _lock(series: str) -> None:
    rows = DocumentSeries.objects.select_for_update().filter(pk=series)
    if not list(rows.all()):
        DocumentSeries.objects.bulk_create([DocumentSeries(name=series)], ignore_conflicts=True)
        list(rows.all())


def _last_invoice() -> int:
    return Invoice.objects.filter(position__gte=1).aggregate(last=Max("position"))["last"] or 0


def _last(series: str) -> int:
    numbered = Document.objects.filter(series=series).order_by("-position")
    return numbered.values_list("position", flat=True).first() or 0
