"""The admin pages of refunds above the limit: one person proposes them, and a second one approves or refuses."""

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse

from billing import commands
from billing.models import Invoice, Refund, RefundProposal
from integration.admin.columns import NOTHING, Shown, actor_link, amount, column, linked, moment, story_column
from integration.admin.pages import Question, StoryAdmin
from integration.admin.sections import InStory


class Decision(Question):
    """A form about proposed refunds, which shows the money, what is left of it, and who asked for it."""

    def left(self, row: RefundProposal) -> str:
        left = row.invoice.paid - row.invoice.refund_owed
        goods = ", ".join(f"{units} × {sku}" for sku, units in (row.units or {}).items())
        what = f"{row.amount} for {goods}" if goods else str(row.amount)
        return f"{what}, because: {row.reason}. {left} of {row.invoice.paid} can still be refunded."


class Approval(Decision):
    """The form that asks a second person what they say about the refunds that they approve."""

    note = forms.CharField(max_length=500, required=False, help_text="Stored with the proposal.")

    def happens(self, row: RefundProposal) -> str:
        return f"{row.amount} goes back to the buyer."


class Refusal(Decision):
    """The form that asks a second person why they refuse."""

    reason = forms.CharField(max_length=500, help_text="Stored with the proposal.")

    def happens(self, row: RefundProposal) -> str:
        return "Nothing is refunded."


@column("proposed by", "proposed_by")
def proposed_by(row: RefundProposal) -> Shown:
    """The user who asked for the refund."""
    return actor_link(row.proposed_by)


@column("decided by", "decided_by")
def decided_by(row: RefundProposal) -> Shown:
    """The user who decided, or a dash."""
    return actor_link(row.decided_by) if row.decided_by else NOTHING


@column("units")
def units(row: RefundProposal) -> str:
    """The units of lines to refund, or a dash if an amount is shared out over all lines."""
    return ", ".join(f"{units} × {sku}" for sku, units in (row.units or {}).items()) or NOTHING


@admin.register(RefundProposal)
class RefundProposalAdmin(StoryAdmin):
    """Refunds above the limit: another person than who proposed one approves or refuses it."""

    list_display = (
        "id",
        linked(Invoice, "invoice_id", "invoice"),
        story_column(text="order"),
        "status",
        amount("amount"),
        "reason",
        proposed_by,
        moment("created_at", "proposed"),
        decided_by,
    )
    list_filter = ("status",)
    in_story = InStory("Proposed refunds", ("id", "status", amount("amount"), "reason", proposed_by, decided_by), 48)
    list_select_related = ("invoice",)
    date_hierarchy = "created_at"
    search_fields = ("id__contains",)
    search_help_text = "An identifier, an invoice's or an order's number, or the id of a story."
    identifiers = ("id", "invoice_id", "order")
    actions = ("approve", "refuse")
    messages_by_action = {"approve": "approve", "refuse": "refuse"}
    fieldsets = (
        (
            None,
            {
                "fields": (
                    ("id", "order", "status"),
                    (linked(Invoice, "invoice_id", "invoice"), "amount", units),
                    ("reason", proposed_by),
                )
            },
        ),
        ("Decision", {"fields": ((decided_by, "decision"), linked(Refund, "refund", "refund"))}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[RefundProposal]:
        return super().get_queryset(request).select_related("invoice")

    @admin.action(description="Approve …", permissions=["act"])
    def approve(self, request: HttpRequest, chosen: QuerySet[RefundProposal]) -> HttpResponse | None:
        """Refund what another person proposed."""
        return self.ask(request, chosen, "approve", Approval, _approve)

    @admin.action(description="Refuse …", permissions=["act"])
    def refuse(self, request: HttpRequest, chosen: QuerySet[RefundProposal]) -> HttpResponse | None:
        """Refuse what another person proposed, for a reason."""
        return self.ask(request, chosen, "refuse", Refusal, _refuse)


def _approve(proposal: RefundProposal, question: Approval) -> str:
    commands.approve_refund(proposal.id, question.cleaned_data["note"])
    return f"{proposal}: {proposal.amount} will be refunded"


def _refuse(proposal: RefundProposal, question: Refusal) -> str:
    commands.refuse_refund(proposal.id, question.cleaned_data["reason"])
    return f"{proposal} is refused"
