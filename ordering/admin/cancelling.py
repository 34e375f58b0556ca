"""The form and the action of the admin that cancel orders."""

from django import forms

from integration.admin.pages import Question
from integration.domain.identifiers import OrderNumber
from ordering import commands
from ordering.models import CancellationReason, Order, OrderStatus


class Cancellation(Question):
    """The form of the cancel action: a note for the chosen orders."""

    note = forms.CharField(max_length=500, required=False, help_text="Stored with the order.")

    def left(self, row: Order) -> str:
        return f"{row.get_status_display()}, {row.total}, of which {row.paid - row.refunded} are paid and not refunded"

    def happens(self, row: Order) -> str:
        if row.status != OrderStatus.CONFIRMED:
            return "It is cancelled at once, and its goods are free again. Money that still arrives is refunded."
        return (
            "Fulfillment is asked to stop the shipment. If it has not left, the order is cancelled and "
            f"{row.paid - row.refunded} are refunded. If it has left, nothing changes."
        )


def cancel(order: Order, question: Cancellation) -> str:
    """Cancel an order, or ask fulfillment to."""
    note = question.cleaned_data["note"]
    cancelled = commands.cancel_order(OrderNumber(order.number), CancellationReason.BY_OPERATOR, note)
    if cancelled.status == OrderStatus.CANCELLED:
        return f"{order} is cancelled"
    return f"{order}: fulfillment is asked to stop its shipment"
