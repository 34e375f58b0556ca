"""The actions of the admin that hold orders back, and that lift the holds."""

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


class HoldActions:
    """What the page of orders does about holds."""

    ask: Any
    perform: Any
    not_too_many: Any

    @admin.action(description="Hold …", permissions=["act"])
    def hold_orders(self, request: HttpRequest, chosen: QuerySet[Order]) -> HttpResponse | None:
        """Ask for a reason, then call `hold_order` for each chosen order."""
        return self.ask(request, chosen, "hold_orders", Holding, _hold)

    @admin.action(description="Lift all holds", permissions=["act"])
    def lift_holds(self, request: HttpRequest, chosen: QuerySet[Order]) -> None:
        """Lift every open hold of the chosen orders."""
        self.perform(request, self.not_too_many(request, chosen), _lift)


def _hold(order: Order, question: Holding) -> str:
    reason, note = HoldReason(question.cleaned_data["reason"]), question.cleaned_data["note"]
    commands.hold_order(OrderNumber(order.number), reason, note)
    return f"{order}: fulfillment is asked to hold it"


def _lift(order: Order) -> str:
    lifted = [hold["id"] for hold in order.open_holds]
    for hold in lifted:
        commands.lift_hold(OrderNumber(order.number), HoldId(hold))
    return f"{order}: {', '.join(lifted) or 'no hold'} lifted"
