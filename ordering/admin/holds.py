"""The actions of the admin that hold orders back, and that lift the holds."""

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse

from integration.admin.pages import Question
from integration.domain.identifiers import HoldId, OrderNumber
from ordering import commands
from ordering.models import HoldReason, Order


class Holding(Question):
    """The form of the hold action: why nothing of the chosen orders is to be dispatched."""

    reason = forms.ChoiceField(choices=HoldReason.choices)
    note = forms.CharField(max_length=500, required=False, help_text="Stored with the order, for other operators.")

    def left(self, row: Order) -> str:
        return f"{row.get_status_display()}; open holds: {_named(row.open_holds)}"

    def happens(self, row: Order) -> str:
        return (
            "Nothing more of it is dispatched until the hold is lifted. What has left, and its money, stays as it is."
        )


class Lifting(Question):
    """The form of the action that lifts holds. It asks nothing more."""

    def left(self, row: Order) -> str:
        return f"{row.get_status_display()}; open holds: {_named(row.open_holds)}"

    def happens(self, row: Order) -> str:
        return "All these holds end, and what is left of the order can be dispatched."


class HoldActions:
    """What the page of orders does about holds."""

    ask: Any

    @admin.action(description="Hold …", permissions=["act"])
    def hold_orders(self, request: HttpRequest, chosen: QuerySet[Order]) -> HttpResponse | None:
        """Ask for a reason, then call `hold_order` for each chosen order."""
        return self.ask(request, chosen, "hold_orders", Holding, _hold)

    @admin.action(description="Lift all holds …", permissions=["act"])
    def lift_holds(self, request: HttpRequest, chosen: QuerySet[Order]) -> HttpResponse | None:
        """Ask for a confirmation, then lift every open hold of the chosen orders."""
        return self.ask(request, chosen, "lift_holds", Lifting, _lift)

    def why_not(self, action: str, row: Order) -> str:
        if action == "lift_holds" and not row.open_holds:
            return "it has no open hold"
        refused: str = super().why_not(action, row)  # type: ignore[misc]  # of the admin that this is mixed into
        return refused


def _named(holds: Sequence[Mapping[str, str]]) -> str:
    return ", ".join(f"{hold['id']} ({hold['reason'].replace('_', ' ')})" for hold in holds) or "none"


def _hold(order: Order, question: Holding) -> str:
    reason, note = HoldReason(question.cleaned_data["reason"]), question.cleaned_data["note"]
    commands.hold_order(OrderNumber(order.number), reason, note)
    return f"{order}: fulfillment is asked to hold it"


def _lift(order: Order, question: Lifting) -> str:
    lifted = [hold["id"] for hold in order.open_holds]
    for hold in lifted:
        commands.lift_hold(OrderNumber(order.number), HoldId(hold))
    return f"{order}: {', '.join(lifted) or 'no hold'} lifted"
