"""The operators' pages of billing: what is owed, what was paid, what was given back.

The sandbox's books are shown as they would be on the provider's own pages; nothing else of billing's looks into them.
"""

from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from billing.gateways.sandbox.models import Transaction
from billing.models import History, Invoice, InvoiceLine, Payment, Refund
from integration.admin.columns import Shown, amount, column, figure, link, linked, moment, story_column
from integration.admin.history import HistoryAdmin
from integration.admin.pages import PartInline, ReadOnlyAdmin, RowInline, StoryAdmin

admin.site.register(History, HistoryAdmin)


class LineInline(PartInline):
    """What is billed."""

    model = InvoiceLine
    fields = ("sku", "name", figure("quantity"), amount("unit_price"))


class PaymentInline(RowInline):
    """The attempts to collect an invoice's money."""

    model = Payment
    fields = ("status", amount("amount"), "method", "reference", "failure", moment("updated_at"))
    show_change_link = True


class RefundInline(RowInline):
    """What was given back for an invoice, or out of a payment."""

    model = Refund
    fields = ("status", amount("amount"), "reason", "reference", moment("updated_at"))
    show_change_link = True


@admin.register(Invoice)
class InvoiceAdmin(StoryAdmin):
    """What is owed for an order."""

    list_display = (
        "number",
        "order",
        "payer",
        "status",
        amount("total"),
        amount("paid"),
        amount("refunded"),
        moment("created_at", "issued"),
        story_column(),
    )
    list_filter = ("status", "created_at")
    date_hierarchy = "created_at"
    search_fields = ("number__contains",)
    search_help_text = "A number, an order's number, a payer's identifier, or the id of a story."
    identifiers = ("number", "order", "payer")
    inlines = (LineInline, PaymentInline, RefundInline)
    fieldsets = (
        (None, {"fields": ("number", "order", "payer", "payment_method", "status")}),
        ("Money", {"fields": ("discount", "total", "paid", "refund_owed", "refunded")}),
    )


@column("in the sandbox's books")
def in_the_books(row: Payment | Refund) -> Shown:
    """What the sandbox wrote down under the same key; an address only, there may be nothing."""
    return link(Transaction, row.pk)


@admin.register(Payment)
class PaymentAdmin(StoryAdmin):
    """An attempt to collect an invoice's money."""

    list_display = (
        "id",
        linked(Invoice, "invoice_id", "invoice"),
        "order",
        "status",
        amount("amount"),
        "method",
        "failure",
        moment("created_at", "requested"),
        story_column(),
    )
    list_filter = ("status", "created_at")
    date_hierarchy = "created_at"
    search_fields = ("reference__contains", "id__contains")
    search_help_text = "An identifier, an invoice's or an order's number, a provider's reference, or the id of a story."
    identifiers = ("id", "invoice_id", "order")
    inlines = (RefundInline,)
    fieldsets = (
        (None, {"fields": ("id", "invoice", "order", "status", "amount", "method")}),
        ("The provider's answer", {"fields": ("reference", "failure", in_the_books)}),
    )


@admin.register(Refund)
class RefundAdmin(StoryAdmin):
    """Money given back."""

    list_display = (
        "id",
        linked(Invoice, "invoice_id", "invoice"),
        linked(Payment, "payment_id", "payment"),
        "order",
        "status",
        amount("amount"),
        "reason",
        moment("created_at", "requested"),
        story_column(),
    )
    list_filter = ("status", "created_at")
    date_hierarchy = "created_at"
    search_fields = ("reference__contains", "id__contains")
    search_help_text = "An identifier, an invoice's or an order's number, a provider's reference, or the id of a story."
    identifiers = ("id", "invoice_id", "payment_id", "order")
    fieldsets = (
        (None, {"fields": ("id", "invoice", "payment", "order", "status", "amount", "reason")}),
        ("The provider's answer", {"fields": ("reference", in_the_books)}),
    )


# --- The sandbox's own books ---

KINDS = CHARGE, DECLINED, REFUND = "charge", "declined charge", "refund"


class KindFilter(admin.SimpleListFilter):
    """What was done."""

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


@admin.register(Transaction)
class TransactionAdmin(ReadOnlyAdmin):
    """What the sandbox did under an idempotency key."""

    list_display = ("key", "kind", "moved", "reference", "decline_code", moment("created_at"))
    list_filter = (KindFilter,)
    search_fields = ("decline_code",)
    search_help_text = "A key (a payment's or refund's identifier), or a reference."
    identifiers = ("key", "reference", "charge_id")
    fieldsets = (
        (None, {"fields": ("key", "kind", "moved", "reference", "decline_code")}),
        ("What was asked for", {"fields": ("fingerprint", linked(Transaction, "charge_id", "charge"))}),
        ("When", {"fields": (moment("created_at"),)}),
    )

    @admin.display(description="kind")
    def kind(self, entry: Transaction) -> str:
        """What was done."""
        if entry.charge_id:
            return REFUND
        return DECLINED if entry.decline_code else CHARGE

    @admin.display(description="amount", ordering="amount")
    def moved(self, entry: Transaction) -> str:
        """How much of which currency."""
        return f"{entry.amount.normalize():f} {entry.currency}"
