"""The admin pages of returns: operators approve or refuse them, and receive the goods, in one parcel or in several."""

import re
from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse

from fulfillment import commands
from fulfillment.commands.returns import facts_of
from fulfillment.events import ReceivedLine
from fulfillment.models import Disposition, Return, ReturnLine
from integration.admin.columns import NOTHING, column, figure, moment, story_column
from integration.admin.inlines import PartInline
from integration.admin.pages import Question, StoryAdmin
from integration.admin.scanning import Scanned
from integration.admin.sections import InStory
from integration.domain.identifiers import OrderNumber, ReturnId, Sku
from integration.domain.money import Money

WORDS = ", ".join(Disposition.values)
LINE = re.compile(rf"\s*(\S{{1,40}})\s+([1-9][0-9]{{0,5}})\s+({'|'.join(Disposition.values)})\s*")


class ReturnLineInline(PartInline):
    """The lines of a return: what was asked for, and what became of it."""

    model = ReturnLine
    fields = (
        *("sku", "name", "reason", "by_right", figure("quantity"), figure("restocked"), figure("quarantined")),
        *(figure("written_off"), figure("missing"), figure("lapsed")),
    )


@column("goods")
def units(found: Return) -> str:
    """The units of a return with the reason, one SKU a line."""
    return "\n".join(f"{line} ({line.reason.replace('_', ' ')})" for line in found.lines) or NOTHING


class Approval(Question):
    """The form that asks whether the goods of the chosen returns may come back. It asks nothing more."""

    def left(self, row: Return) -> str:
        return f"{row.get_status_display()}, of order {row.order}; {_expected(row)}"

    def happens(self, row: Return) -> str:
        return "The buyer gets a letter, and may send these goods. Money is refunded once they are received."


class Refusal(Question):
    """The form that asks why returns are refused."""

    reason = forms.CharField(max_length=500, help_text="The buyer reads it.")

    def left(self, row: Return) -> str:
        return f"{row.get_status_display()}, of order {row.order}"

    def happens(self, row: Return) -> str:
        return "The buyer gets a letter with the reason. Nothing comes back, and nothing is refunded."


class ParcelField(forms.CharField):
    """What came in a parcel of a return, one a line: SKU, quantity and disposition. Its value is the received lines."""

    widget = forms.Textarea(attrs={"rows": 4, "cols": 40})

    def clean(self, value: Any) -> Any:
        return [_received(line) for line in super().clean(value).splitlines() if line.strip()]


def _received(line: str) -> ReceivedLine:
    known = LINE.fullmatch(line)
    if known is None:
        raise forms.ValidationError(f"“{line.strip()[:80]}” is not a SKU, a quantity and one of {WORDS}.")
    sku, quantity, disposition = known.groups()
    return ReceivedLine(Sku(sku), int(quantity), disposition)


class Receipt(Question):
    """The form that asks what came back of each return, and what the buyer is refunded less."""

    fee = forms.DecimalField(
        required=False,
        min_value=0,
        max_digits=19,
        help_text="In the order's currency. Only for goods that are not sent back by right.",
    )
    reduction = forms.DecimalField(
        required=False, min_value=0, max_digits=19, help_text="What the goods are worth less than before."
    )
    reduction_reason = forms.CharField(max_length=500, required=False, help_text="The buyer reads it.")
    each = ParcelField(label=f"what came, one a line: SKU, quantity, and one of {WORDS}")

    def __init__(self, rows: Any, data: Any = None, purpose: str = "") -> None:
        super().__init__(rows, data, purpose)
        for row in rows:
            expected = [f"{sku} {units} {Disposition.RESTOCK}" for sku, units in row.expected.items()]
            self.fields[f"each:{row.pk}"].initial = "\n".join(expected)

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or {}
        if bool(values.get("reduction")) != bool(values.get("reduction_reason")):
            self.add_error("reduction_reason", "A reduction needs a reason, and only a reduction has one.")
        return values

    def left(self, row: Return) -> str:
        return f"{row.get_status_display()}, of order {row.order}; {_expected(row)}"

    def happens(self, row: Return) -> str:
        return "What came is refunded, less the fee and the reduction. Restocked units are sold again."


@admin.register(Return)
class ReturnAdmin(Scanned, StoryAdmin):
    """Returns: goods of orders that buyers send back, or that the carrier brought back."""

    list_display = (
        "id",
        story_column(text="order"),
        "status",
        moment("send_by", "to be sent by"),
        moment("created_at", "requested"),
        moment("updated_at"),
    )
    list_filter = ("status",)
    date_hierarchy = "created_at"
    in_story = InStory("Returns", ("id", "status", units, moment("send_by", "to be sent by"), "refund"), 20, parts=True)
    search_fields = ("id__contains",)
    search_help_text = "An identifier, an order's number, a withdrawal's identifier, or the id of a story."
    identifiers = ("id", "order", "withdrawal")
    scanned: ClassVar = {"id": (), "order": ()}
    actions = ("approve_returns", "refuse_returns", "receive_returns")
    messages_by_action = {"approve_returns": "approve", "refuse_returns": "refuse", "receive_returns": "receive"}
    inlines = (ReturnLineInline,)
    fieldsets = (
        (None, {"fields": (("id", "order", "status", "withdrawal"), moment("send_by", "to be sent by"))}),
        ("Words", {"fields": (("note", "refusal"),)}),
        ("Money", {"fields": (("fee", "reduction", "refund"), "reduction_reason", "parcels")}),
    )

    @admin.display(description="parcels")
    def parcels(self, found: Return) -> str:
        """The receipts, one a line, with what is refunded for each."""
        refunds = {
            receipt: "not settled yet" if minor is None else f"{Money.of_minor(minor, found.currency)} refunded"
            for receipt, minor in found.receipts.items()
        }
        return "\n".join(f"{receipt}: {refund}" for receipt, refund in refunds.items()) or NOTHING

    @admin.action(description="Approve …", permissions=["act"])
    def approve_returns(self, request: HttpRequest, chosen: QuerySet[Return]) -> HttpResponse | None:
        """Ask for a confirmation, then let the buyers send the goods of the chosen returns."""
        return self.ask(request, chosen, "approve_returns", Approval, _approve)

    @admin.action(description="Refuse …", permissions=["act"])
    def refuse_returns(self, request: HttpRequest, chosen: QuerySet[Return]) -> HttpResponse | None:
        """Refuse the chosen returns for a reason."""
        return self.ask(request, chosen, "refuse_returns", Refusal, _refuse)

    @admin.action(description="Receive …", permissions=["act"])
    def receive_returns(self, request: HttpRequest, chosen: QuerySet[Return]) -> HttpResponse | None:
        """Record what came in one parcel of each chosen return."""
        return self.ask(request, chosen, "receive_returns", Receipt, _receive)


def _expected(found: Return) -> str:
    expected = ", ".join(f"{quantity} × {sku}" for sku, quantity in found.expected.items())
    return f"expected: {expected or NOTHING}"


def _approve(found: Return, question: Approval) -> str:
    approved = commands.approve_return(ReturnId(found.id))
    return f"{found} is approved; its goods are expected until {approved.send_by:%Y-%m-%d}"


def _refuse(found: Return, question: Refusal) -> str:
    commands.refuse_return(ReturnId(found.id), question.cleaned_data["reason"])
    return f"{found} is refused"


def _receive(found: Return, question: Receipt) -> str:
    said, currency = question.cleaned_data, facts_of(OrderNumber(found.order)).currency
    fee, reduction = (Money(said[name], currency) if said[name] else None for name in ("fee", "reduction"))
    received = commands.receive_return(
        ReturnId(found.id),
        question.value_for(found),
        fee=fee,
        reduction=reduction,
        reduction_reason=said["reduction_reason"],
    )
    left = ", ".join(f"{units} × {sku}" for sku, units in received.expected.items())
    return f"{found} is received; still expected: {left or 'nothing'}"
