"""The admin pages of billing: invoices, payments, refunds, and the differences between our books and the provider's.

The admin also shows the sandbox's own records, as a real provider shows them on its website. No other module of billing
reads those records, except the sandbox's adapter.
"""

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse

from billing import commands
from billing.gateways.sandbox.models import Transaction
from billing.models import Discrepancy, History, Invoice, InvoiceLine, Payment, ProviderEvent, Refund
from integration.admin.columns import (
    NOTHING,
    Shown,
    actor_link,
    amount,
    column,
    figure,
    link,
    linked,
    moment,
    story_column,
)
from integration.admin.history import HistoryAdmin
from integration.admin.inlines import PartInline, RowInline
from integration.admin.pages import Question, ReadOnlyAdmin, StoryAdmin
from integration.domain.identifiers import InvoiceNumber
from integration.domain.money import Money

admin.site.register(History, HistoryAdmin)


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


class Goodwill(Question):
    """The form that asks how much to refund for each invoice, and why."""

    reason = forms.CharField(max_length=500, help_text="Stored with the refund.")
    each = forms.DecimalField(label="amount in the invoice's currency", max_digits=19)

    def left(self, row: Invoice) -> str:
        return f"{row.paid - row.refund_owed} of {row.paid} can still be refunded"


@admin.register(Invoice)
class InvoiceAdmin(StoryAdmin):
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
    search_fields = ("number__contains",)
    search_help_text = "A number, an order's number, a payer's identifier, or the id of a story."
    identifiers = ("number", "order", "payer")
    actions = ("refund_in_part",)
    messages_by_action = {"refund_in_part": "refund_in_part"}
    inlines = (LineInline, PaymentInline, RefundInline)
    fieldsets = (
        (None, {"fields": (("number", "order", "status"), ("payer", "payment_method"))}),
        ("Money", {"fields": (("discount", "shipping", "total", "paid"), ("granted", "refund_owed", "refunded"))}),
    )

    @admin.action(description="Refund in part …", permissions=["act"])
    def refund_in_part(self, request: HttpRequest, chosen: QuerySet[Invoice]) -> HttpResponse | None:
        """Refund a part of what was paid; the order itself is not cancelled."""
        return self.ask(request, chosen, "refund_in_part", Goodwill, _refund_in_part)


def _refund_in_part(invoice: Invoice, question: Goodwill) -> str:
    amount = Money(question.value_for(invoice), invoice.currency)
    commands.refund_in_part(InvoiceNumber(invoice.number), amount, question.cleaned_data["reason"])
    return f"{invoice}: {amount} will be refunded"


invoice = linked(Invoice, "invoice_id", "invoice")
payment = linked(Payment, "payment_id", "payment")


@column("in the sandbox's books")
def in_the_books(row: Payment | Refund) -> Shown:
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
    search_fields = ("reference__contains", "id__contains")
    search_help_text = "An identifier, an invoice's or an order's number, a provider's reference, or the id of a story."
    identifiers = ("id", "invoice_id", "payment_id", "order")
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
        ("The provider's response", {"fields": (("reference", in_the_books),)}),
    )


# --- The sandbox's own records ---

KINDS = CHARGE, DECLINED, REFUND = "charge", "declined charge", "refund"


class KindFilter(admin.SimpleListFilter):
    """Filters the sandbox's records by kind: charge, declined charge or refund."""

    title = parameter_name = "kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(kind, kind) for kind in KINDS]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Transaction]) -> QuerySet[Transaction]:
        chosen = {
            CHARGE: Q(charge=None, decline_code=""),
            DECLINED: Q(charge=None) & ~Q(decline_code=""),
            REFUND: ~Q(charge=None),
        }
        return queryset.filter(chosen.get(str(self.value()), Q()))


@column("amount_minor", "amount_minor")
def moved(entry: Transaction) -> Money:
    """The amount charged or refunded, or the amount of a declined charge."""
    return entry.amount


@admin.register(Transaction)
class TransactionAdmin(ReadOnlyAdmin):
    """The sandbox's records, one for each idempotency key. Users need the permission to view payments."""

    list_display = ("key", "kind", moved, "reference", "decline_code", moment("created_at"))
    list_filter = (KindFilter,)
    search_fields = ("decline_code", "key__startswith")
    search_help_text = "A key, which begins with a payment's or refund's identifier, or a reference."
    identifiers = ("key", "reference", "charge_id")
    fieldsets = (
        (None, {"fields": (("key", "kind", moved), ("reference", "decline_code"))}),
        ("Request", {"fields": ("fingerprint", linked(Transaction, "charge_id", "charge"))}),
        ("When", {"fields": (moment("created_at"),)}),
    )

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("billing.view_payment")

    @admin.display(description="kind")
    def kind(self, entry: Transaction) -> str:
        """Charge, declined charge or refund."""
        if entry.charge_id:
            return REFUND
        return DECLINED if entry.decline_code else CHARGE


@admin.register(ProviderEvent)
class ProviderEventAdmin(ReadOnlyAdmin):
    """The payment provider's callbacks that were processed."""

    list_display = ("id", "provider", "kind", moment("received_at", "received"))
    list_filter = ("provider", "kind")
    search_fields = ("id__contains",)
    search_help_text = "A part of an event's identifier."
    fieldsets = ((None, {"fields": (("id", "provider"), ("kind", moment("received_at", "received")))}),)


class Settlement(Question):
    """The form that asks how a discrepancy was settled."""

    settlement = forms.CharField(max_length=300, help_text="Stored with the discrepancy.")

    def left(self, row: Discrepancy) -> str:
        return f"settled: {row.settlement}" if row.settled_at else row.finding


@column("settled by", "settled_by")
def settled_by(discrepancy: Discrepancy) -> Shown:
    """The user who settled the discrepancy, or the system."""
    return actor_link(discrepancy.settled_by) or NOTHING


@admin.register(Discrepancy)
class DiscrepancyAdmin(ReadOnlyAdmin):
    """Differences between our books and the provider's. Each is open until an operator settles it."""

    list_display = (
        "subject",
        "finding",
        moment("found_at", "found"),
        moment("settled_at", "settled"),
        "settlement",
        settled_by,
    )
    search_fields = ("subject__contains",)
    search_help_text = "A payment's or a refund's identifier."
    actions = ("settle",)
    fieldsets = (
        (None, {"fields": (("subject", "finding"), (moment("found_at", "found"),))}),
        ("Settlement", {"fields": ((moment("settled_at", "settled"), settled_by), ("settlement", "earlier"))}),
    )

    @admin.action(description="Settle …", permissions=["act"])
    def settle(self, request: HttpRequest, chosen: QuerySet[Discrepancy]) -> HttpResponse | None:
        """Close the chosen discrepancies and store how they were settled."""
        return self.ask(request, chosen, "settle", Settlement, _settle)


def _settle(discrepancy: Discrepancy, question: Settlement) -> str:
    commands.settle_discrepancy(discrepancy.subject, question.cleaned_data["settlement"])
    return f"{discrepancy.subject} is settled"
