"""The documents that an auditor reads with the invoices: a credit note for each reduction of one.

Older code made a document of each confirmed invoice, too. Those keep their numbers, in the series `INV`; the number of
any other invoice is a column of the invoice itself.

A document exists without a number until the next number of its series is assigned. So a transaction that confirms or
reduces an invoice waits for no other, and one that fails leaves no gap.

Sources: Directive 2006/112/EC, article 226 (2): "a sequential number, based on one or more series, which uniquely
identifies the invoice"; article 219: a document that amends an invoice "and refers specifically and unambiguously to
the initial invoice" is treated as an invoice.
"""

from datetime import datetime
from typing import ClassVar, Self

from django.db import models
from django.db.models import Q
from msgspec import convert, to_builtins

from billing import events
from billing.events import CreditNoteContent
from billing.models.invoice import Invoice
from billing.models.numbers import numbered
from integration.aggregates.aggregate import OfOneStory, applies
from integration.domain.identifiers import DocumentId, InvoiceNumber, OrderNumber
from integration.domain.money import Money
from integration.domain.states import IGNORE, StateTable, by_state
from integration.storage.columns import CurrencyField, MinorUnitsField, money


class DocumentStatus(models.TextChoices):
    """The states of a document."""

    DRAFT = "draft"
    NUMBERED = "numbered"


class DocumentKind(models.TextChoices):
    """The kinds of documents; each has a series of numbers of its own."""

    INVOICE = "invoice"
    CREDIT_NOTE = "credit_note"


SERIES = {DocumentKind.INVOICE: "INV", DocumentKind.CREDIT_NOTE: "CN"}
"""The name of the series by the kind of document. It is stored: another name begins another series at 1."""

_row = by_state(DocumentStatus)

DOCUMENT_LIFE = StateTable(
    DocumentStatus,
    {
        # message             draft                          numbered
        "assign_number": _row(DocumentStatus.NUMBERED.value, IGNORE),
    },
)  # fmt: skip


class Document(OfOneStory):
    """A credit note that refers to the invoice of an order; or that invoice, as older code documented it."""

    stream = "document"
    life = DOCUMENT_LIFE

    id = models.CharField(max_length=24, primary_key=True)
    kind = models.CharField(max_length=12, choices=DocumentKind)
    invoice = models.ForeignKey(Invoice, on_delete=models.PROTECT, related_name="documents")
    order = models.CharField(max_length=20)
    status = models.CharField(max_length=10, choices=DocumentStatus, default=DocumentStatus.DRAFT)
    currency = CurrencyField()
    amount_minor = MinorUnitsField()
    amount = money("amount_minor")
    number = models.CharField(max_length=30, blank=True)
    series = models.CharField(max_length=10, blank=True)
    position = models.PositiveIntegerField(null=True)
    content = models.JSONField(null=True, editable=False)  # what a credit note takes back

    class Meta:
        ordering: ClassVar = ["-created_at"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["series", "position"], name="one_document_a_number"),
            models.CheckConstraint(
                condition=Q(status="draft", position=None) | Q(status="numbered", position__gte=1),
                name="numbered_documents_have_a_position",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["kind", "created_at"], name="documents_to_number", condition=Q(status="draft"))
        ]

    def __str__(self) -> str:
        return self.number or f"draft {self.id}"

    @classmethod
    def draft(
        cls,
        document: DocumentId,
        kind: DocumentKind,
        invoice: InvoiceNumber,
        order: OrderNumber,
        amount: Money,
        content: CreditNoteContent | None = None,
    ) -> Self:
        """A new document without a number; `content` is what a credit note takes back."""
        drafted = cls()
        drafted.record(
            events.DocumentDrafted(
                document=document, kind=kind.value, invoice=invoice, order=order, amount=amount, content=content
            )
        )
        return drafted

    @property
    def number_or_none(self) -> str | None:
        """The number; None for a draft."""
        return self.number or None

    @property
    def noted(self) -> CreditNoteContent | None:
        """What a credit note takes back; None for an invoice."""
        return None if self.content is None else convert(self.content, CreditNoteContent)

    @property
    def issued_at(self) -> datetime | None:
        """The date of issue: the moment of its number, after which a document never changes."""
        return self.updated_at if self.number else None

    def assign_number(self, series: str, position: int) -> None:
        """Give the document its place in a series, once."""
        if self.accepts("assign_number"):
            number = numbered(series, position)
            self.record(
                events.DocumentNumbered(document=DocumentId(self.id), number=number, series=series, position=position)
            )

    @applies(events.DocumentDrafted)
    def _drafted(self, event: events.DocumentDrafted) -> None:
        self.id, self.kind = event.document, event.kind
        self.invoice_id, self.order = event.invoice, event.order
        self.currency, self.amount = event.amount.currency, event.amount
        if event.content is not None:
            content = to_builtins(event.content)
            self.content = {**content, "lines": [*content["lines"]], "taxes": [*content["taxes"]]}  # as JSON reads them

    @applies(events.DocumentNumbered)
    def _numbered(self, event: events.DocumentNumbered) -> None:
        self.status, self.number = DocumentStatus.NUMBERED, event.number
        self.series, self.position = event.series, event.position


class DocumentSeries(models.Model):
    """A series of numbers. The assignment of numbers locks its row, so that each number is assigned once."""

    name = models.CharField(max_length=10, primary_key=True)

    def __str__(self) -> str:
        return self.name
