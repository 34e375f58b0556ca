"""The admin pages of invoices, payments, refunds and documents."""

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse

from billing import commands
from billing.admin.printing import PrintedInvoices
from billing.gateways.sandbox.models import Transaction
from billing.models import Capture, Dispute, Document, Invoice, InvoiceLine, Payment, Refund, RefundProposal
from integration.admin.columns import (
    Shown,
    amount,
    column,
    figure,
    link,
    linked,
    moment,
    story_column,
)
from integration.admin.inlines import PartInline, RowInline
from integration.admin.pages import Question, StoryAdmin
from integration.admin.sections import InStory
from integration.domain.identifiers import InvoiceNumber, RefundId
from integration.domain.money import Money


class LineInline(PartInline):
    """The lines of an invoice."""

    model = InvoiceLine
    fields = ("sku", "name", figure("quantity"), amount("unit_price"))


class PaymentInline(RowInline):
    """The payments of an invoice."""

    model = Payment
    fields = (
        linked(Payment, "pk", "payment"),
        "status",
        amount("amount"),
        "method",
        "reference",
        "failure",
        moment("updated_at"),
    )


class RefundInline(RowInline):
    """The refunds of an invoice or of a payment."""

    model = Refund
    fields = (linked(Refund, "pk", "refund"), "status", amount("amount"), "reason", "reference", moment("updated_at"))


class ProposalInline(RowInline):
    """The refunds of an invoice that a second person approves or refuses."""

    model = RefundProposal
    fields = (linked(RefundProposal, "pk", "proposal"), "status", amount("amount"), "reason", moment("updated_at"))


class DocumentInline(RowInline):
    """The credit notes of an invoice, and the document that older code made of it."""

    model = Document
    fields = (linked(Document, "pk", "document"), "kind", "status", "number", amount("amount"), moment("updated_at"))


class Goodwill(Question):
    """The form that asks how much to refund for each invoice, and why."""

    reason = forms.CharField(max_length=500, help_text="Stored with the refund.")
    each = forms.DecimalField(label="amount in the invoice's currency", max_digits=19)

    def left(self, row: Invoice) -> str:
        return f"{row.paid - row.refund_owed} of {row.paid} can still be refunded"

    def happens(self, row: Invoice) -> str:
        return f"The amount goes back the way it was paid, {row.paid} in all. The order stays as it is."


class Again(Question):
    """The form that asks whether to request failed refunds again."""

    def left(self, row: Refund) -> str:
        return f"{row.amount}: {row.failure or row.status}"

    def happens(self, row: Refund) -> str:
        return f"The payment provider is asked again for {row.amount}, as a new refund."


@admin.register(Invoice)
class InvoiceAdmin(PrintedInvoices, StoryAdmin):
    """Invoices, one for each order."""

    list_display = (
        "number",
        story_column(text="order"),
        "payer",
        "status",
        amount("total"),
        amount("paid"),
        amount("refunded"),
        moment("created_at", "issued"),
    )
    list_filter = ("status",)
    date_hierarchy = "created_at"
    in_story = InStory("Invoice", ("number", "status", amount("total"), amount("paid"), amount("refunded")), 30)
    search_fields = ("number__contains",)
    search_help_text = "A number, an order's number, a payer's identifier, or the id of a story."
    identifiers = ("number", "order", "payer")
    actions = ("refund_in_part",)
    messages_by_action = {"refund_in_part": "refund_in_part"}
    inlines = (LineInline, PaymentInline, RefundInline, ProposalInline, DocumentInline)
    fieldsets = (
        (None, {"fields": (("number", "order", "status"), ("printed_number", "payer", "payment_method"))}),
        (
            "Money",
            {"fields": (("discount", "shipping", "total", "paid"), ("granted", "refund_owed", "refunded", "noted"))},
        ),
    )

    @admin.action(description="Refund in part …", permissions=["act"])
    def refund_in_part(self, request: HttpRequest, chosen: QuerySet[Invoice]) -> HttpResponse | None:
        """Refund a part of what was paid; the order itself is not cancelled."""
        return self.ask(request, chosen, "refund_in_part", Goodwill, _refund_in_part)


def _refund_in_part(invoice: Invoice, question: Goodwill) -> str:
    amount = Money(question.value_for(invoice), invoice.currency)
    asked = commands.ask_for_refund(InvoiceNumber(invoice.number), amount, question.cleaned_data["reason"])
    if isinstance(asked, RefundProposal):
        return f"{invoice}: {amount} is above the limit, so {asked} waits for a second person"
    return f"{invoice}: {amount} will be refunded"


invoice = linked(Invoice, "invoice_id", "invoice")
payment = linked(Payment, "payment_id", "payment")


@column("in the sandbox's books")
def in_the_books(row: Payment | Refund | Capture) -> Shown:
    """A link to the sandbox's record with the same key. The record is not looked up, so it may not exist."""
    return link(Transaction, row.idempotency_key)


@admin.register(Payment)
class PaymentAdmin(StoryAdmin):
    """Payments: each is one attempt to collect the money for an invoice."""

    list_display = (
        "id",
        invoice,
        story_column(text="order"),
        "status",
        amount("amount"),
        moment("created_at", "requested"),
        "method",
        "failure",
    )
    list_filter = ("status",)
    date_hierarchy = "created_at"
    in_story = InStory(
        "Payments", ("id", "status", amount("amount"), "method", "failure", moment("updated_at", "changed")), 40
    )
    search_fields = ("reference__contains", "id__contains")
    search_help_text = "An identifier, an invoice's or an order's number, a provider's reference, or the id of a story."
    identifiers = ("id", "invoice_id", "order")
    inlines = (RefundInline,)
    fieldsets = (
        (None, {"fields": (("id", invoice, "order"), ("status", "amount", "method"))}),
        ("The provider's response", {"fields": (("reference", "failure", in_the_books),)}),
    )


@admin.register(Refund)
class RefundAdmin(StoryAdmin):
    """Refunds."""

    list_display = (
        "id",
        invoice,
        payment,
        story_column(text="order"),
        "status",
        amount("amount"),
        moment("created_at", "requested"),
        "reason",
    )
    list_filter = ("status",)
    date_hierarchy = "created_at"
    in_story = InStory(
        "Refunds", ("id", "status", amount("amount"), "reason", "failure", moment("updated_at", "changed")), 50
    )
    search_fields = ("reference__contains", "id__contains")
    search_help_text = "An identifier, an invoice's or an order's number, a provider's reference, or the id of a story."
    identifiers = ("id", "invoice_id", "payment_id", "order")
    actions = ("retry",)
    messages_by_action = {"retry": "retry"}
    fieldsets = (
        (
            None,
            {
                "fields": (
                    ("id", "order", "status"),
                    (linked(Invoice, "invoice_id", "invoice"), linked(Payment, "payment_id", "payment")),
                    ("amount", "reason"),
                )
            },
        ),
        ("The provider's response", {"fields": (("reference", "failure", in_the_books),)}),
    )

    @admin.action(description="Request again …", permissions=["act"])
    def retry(self, request: HttpRequest, chosen: QuerySet[Refund]) -> HttpResponse | None:
        """Request failed refunds again, under new keys at the provider."""
        return self.ask(request, chosen, "retry", Again, _retry)


def _retry(refund: Refund, question: Again) -> str:
    commands.retry_refund(RefundId(refund.id))
    return f"{refund} is requested again"


@admin.register(Dispute)
class DisputeAdmin(StoryAdmin):
    """Disputes: buyers asked their banks for the money of payments."""

    list_display = (
        "id",
        payment,
        story_column(text="order"),
        "kind",
        "status",
        amount("amount"),
        amount("withdrawn"),
        moment("evidence_due"),
        moment("created_at", "opened"),
    )
    list_filter = ("status", "kind")
    date_hierarchy = "created_at"
    in_story = InStory("Disputes", ("id", "kind", "status", amount("amount"), moment("evidence_due")), 60)
    search_fields = ("id__contains",)
    search_help_text = "The provider's reference, an invoice's, a payment's or an order's number, or the id of a story."
    identifiers = ("id", "invoice_id", "payment_id", "order")
    fieldsets = (
        (
            None,
            {
                "fields": (
                    ("id", "order", "kind", "status"),
                    (linked(Invoice, "invoice_id", "invoice"), linked(Payment, "payment_id", "payment")),
                    ("amount", "withdrawn", moment("evidence_due")),
                )
            },
        ),
    )


@admin.register(Document)
class DocumentAdmin(StoryAdmin):
    """Invoices and credit notes as documents, with the numbers of their series."""

    list_display = (
        "id",
        "number",
        "kind",
        invoice,
        story_column(text="order"),
        "status",
        amount("amount"),
        moment("created_at", "drafted"),
    )
    list_filter = ("kind", "status")
    date_hierarchy = "created_at"
    in_story = InStory("Documents", ("id", "kind", "number", "status", amount("amount")), 70)
    search_fields = ("number__contains", "id__contains")
    search_help_text = "A number, an identifier, an invoice's number, or the id of a story."
    identifiers = ("id", "invoice_id")
    fieldsets = (
        (None, {"fields": (("id", linked(Invoice, "invoice_id", "invoice"), "order"), ("kind", "status", "amount"))}),
        ("Number", {"fields": (("number", "series", "position"),)}),
    )
