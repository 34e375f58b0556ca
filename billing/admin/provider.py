"""The admin pages of the provider's callbacks, of differences between its books and ours, and of the sandbox's records.

The sandbox's records are shown as a real provider shows them on its website. No other module of billing reads those
records, except the sandbox's adapter.
"""

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse

from billing import commands
from billing.gateways.sandbox.models import Transaction
from billing.models import Discrepancy, ProviderEvent
from integration.admin.columns import (
    NOTHING,
    Shown,
    actor_link,
    column,
    linked,
    moment,
)
from integration.admin.pages import Question, ReadOnlyAdmin
from integration.domain.money import Money

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
