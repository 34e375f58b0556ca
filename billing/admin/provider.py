"""The admin pages of the provider's callbacks, of differences between its books and ours, and of the sandbox's records.

The sandbox's records are shown as a real provider shows them on its website. No other module of billing reads those
records, except the sandbox's adapter.
"""

from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import path, reverse

from billing import commands, remedies
from billing.gateways import OutcomeUnknown
from billing.gateways.sandbox.models import Transaction
from billing.models import Discrepancy, ProviderEvent
from billing.reconciliation import reconcile
from integration.admin.columns import (
    NOTHING,
    Shown,
    actor_link,
    column,
    linked,
    moment,
)
from integration.admin.form_pages import ListTools, form_page
from integration.admin.pages import Question, ReadOnlyAdmin
from integration.domain import clock
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


class Comparison(Question):
    """The form that asks how far back both books are compared."""

    days = forms.IntegerField(min_value=1, max_value=30, initial=3, help_text="How many days back. At most 30.")


class Carried(Question):
    """The form that shows what is proposed about discrepancies, and asks why it is done."""

    reason = forms.CharField(max_length=200, help_text="Stored with the discrepancy.")

    def left(self, row: Discrepancy) -> str:
        return f"{row.finding}. {proposal(row)}"


class Settlement(Question):
    """The form that asks how a discrepancy was settled."""

    settlement = forms.CharField(max_length=300, help_text="Stored with the discrepancy.")

    def left(self, row: Discrepancy) -> str:
        return f"settled: {row.settlement}" if row.settled_at else row.finding


@column("proposal")
def proposal(discrepancy: Discrepancy) -> str:
    """What is proposed about an open discrepancy."""
    if discrepancy.settled_at:
        return NOTHING
    remedy = remedies.remedy_of(discrepancy)
    return remedy.says if remedy else str(remedies.NoRemedy.__doc__)


@column("settled by", "settled_by")
def settled_by(discrepancy: Discrepancy) -> Shown:
    """The user who settled the discrepancy, or the system."""
    return actor_link(discrepancy.settled_by) or NOTHING


class OpenFilter(admin.SimpleListFilter):
    """Filters the discrepancies that wait for an operator."""

    title = parameter_name = "open"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", "open"), ("no", "settled")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Discrepancy]) -> QuerySet[Discrepancy]:
        return queryset.filter(settled_at__isnull=self.value() == "yes") if self.value() else queryset


@admin.register(Discrepancy)
class DiscrepancyAdmin(ListTools, ReadOnlyAdmin):
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
    actions = ("carry_out", "settle")
    list_filter = (OpenFilter,)
    fieldsets = (
        (None, {"fields": (("subject", moment("found_at", "found")), "finding", proposal)}),
        ("Settlement", {"fields": ((moment("settled_at", "settled"), settled_by), ("settlement", "earlier"))}),
    )

    def list_tools(self, request: HttpRequest) -> list[tuple[str, str]]:
        may = self.has_act_permission(request)
        return [("Compare the books now", reverse("admin:billing_compare"))] if may else []

    def get_urls(self) -> list[Any]:
        compare = path("compare/", self.admin_site.admin_view(self.compare_view), name="billing_compare")
        return [compare, *super().get_urls()]

    def compare_view(self, request: HttpRequest) -> HttpResponse:
        """The page on which both books are compared at once; raises `PermissionDenied`."""
        if not self.has_act_permission(request):
            raise PermissionDenied
        return form_page(self, request, "Compare the books now", Comparison, _compare)

    def why_not(self, action: str, row: Discrepancy) -> str:
        if row.settled_at:
            return "it is settled"
        if action == "carry_out" and remedies.remedy_of(row) is None:
            return "only a person can find out what happened at the provider"
        return super().why_not(action, row)

    @admin.action(description="Do what is proposed …", permissions=["act"])
    def carry_out(self, request: HttpRequest, chosen: QuerySet[Discrepancy]) -> HttpResponse | None:
        """Do what is proposed about the chosen discrepancies, which settles them."""
        return self.ask(request, chosen, "carry_out", Carried, _carry_out)

    @admin.action(description="Settle …", permissions=["act"])
    def settle(self, request: HttpRequest, chosen: QuerySet[Discrepancy]) -> HttpResponse | None:
        """Close the chosen discrepancies and store how they were settled."""
        return self.ask(request, chosen, "settle", Settlement, _settle)


def _settle(discrepancy: Discrepancy, question: Settlement) -> str:
    commands.settle_discrepancy(discrepancy.subject, question.cleaned_data["settlement"])
    return f"{discrepancy.subject} is settled"


def _carry_out(discrepancy: Discrepancy, question: Carried) -> str:
    return f"{discrepancy.subject}: {remedies.carry_out(discrepancy.subject, question.cleaned_data['reason'])}"


def _compare(form: Comparison) -> str:
    try:
        report = reconcile(clock.now() - timedelta(days=form.cleaned_data["days"]))
    except OutcomeUnknown as error:
        raise remedies.StillDiffers(f"the provider did not respond: {error}") from error
    repaired = f"{len(report.repaired)} were repaired ({', '.join(report.repaired[:10])})" if report.repaired else ""
    differing = f"{len(report.discrepancies)} differ" if report.discrepancies else "none differ"
    return "; ".join(filter(None, [f"{report.looked_at} entries were compared", repaired, differing]))
