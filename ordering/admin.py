"""The operators' pages of ordering: what is for sale, who buys, and how far their orders have come."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse

from integration.admin.columns import (
    NOTHING,
    Shown,
    address,
    amount,
    column,
    figure,
    link,
    linked,
    list_url,
    moment,
    story_column,
)
from integration.admin.history import HistoryAdmin
from integration.admin.pages import AggregateAdmin, PartInline, Question, StoryAdmin
from integration.domain.identifiers import OrderNumber
from ordering import commands
from ordering.models import Buyer, CancellationReason, History, Order, OrderLine, OrderStatus, Product

admin.site.register(History, HistoryAdmin)


@admin.register(Product)
class ProductAdmin(AggregateAdmin):
    """What is for sale."""

    list_display = ("sku", "name", amount("price"), "availability", "on_sale", moment("updated_at"))
    list_filter = ("on_sale", "availability")
    search_fields = ("sku__contains", "name__icontains")
    search_help_text = "A sku, or words of a name."
    identifiers = ("sku",)
    fieldsets = (
        (None, {"fields": ("sku", "name", "description")}),
        ("For sale", {"fields": (("price", "on_sale", "availability"),)}),
    )

    def tools(self, request: HttpRequest, row: Any) -> list[tuple[str, str]]:
        return [("Orders", list_url(Order, {"q": row.sku})), *super().tools(request, row)]


@admin.register(Buyer)
class BuyerAdmin(AggregateAdmin):
    """Who buys."""

    list_display = ("id", "name", "email", amount("spend"), figure("discount_percent", "% off"), moment("created_at"))
    list_filter = ("discount_percent",)
    search_fields = ("name__icontains", "email__icontains", "id__contains")
    search_help_text = "A buyer's identifier, or a part of a name or an e-mail address."
    identifiers = ("id", "user__username")
    ordering = ("-created_at",)
    fieldsets = (
        (None, {"fields": (("id", "user"), ("name", "email"), address("default_shipping_address"))}),
        ("What they like", {"fields": (("locale", "email_notifications"),)}),
        ("What they spent", {"fields": (("spend", "discount_percent"),)}),
    )

    def tools(self, request: HttpRequest, row: Any) -> list[tuple[str, str]]:
        return [("Orders", list_url(Order, {"buyer": row.pk})), *super().tools(request, row)]


@column("sku", "sku")
def product(line: OrderLine) -> Shown:
    """The product of a line."""
    return link(Product, line.sku)


class LineInline(PartInline):
    """What was ordered, at the prices of that moment."""

    model = OrderLine
    fields = (product, "name", figure("quantity"), figure("shipped"), amount("unit_price"), figure("total"))


class Cancellation(Question):
    """Why the orders are cancelled."""

    note = forms.CharField(max_length=500, required=False, help_text="Kept with the order.")


@admin.register(Order)
class OrderAdmin(StoryAdmin):
    """What was ordered, and how far it has come."""

    list_display = (
        "number",
        linked(Buyer, "buyer_id", "buyer"),
        "status",
        amount("total"),
        amount("paid"),
        amount("refunded"),
        moment("created_at", "placed"),
        story_column(),
    )
    list_filter = ("status", "cancellation_reason", "cancellation_requested")
    date_hierarchy = "created_at"
    search_fields = ("number__contains", "buyer__name__icontains", "buyer__email__icontains")
    search_help_text = "A number, a buyer's identifier, name or e-mail address, a sku, or the id of a story."
    identifiers = ("number", "buyer_id", "line_rows__sku")
    actions = ("cancel_as_operator",)
    asks_for = {"cancel_as_operator": "be_cancelled"}
    inlines = (LineInline,)
    fieldsets = (
        (None, {"fields": (("number", "buyer", "status"),)}),
        ("Cancellation", {"fields": (("cancellation_reason", "cancellation_requested", "note"),)}),
        ("Money", {"fields": (("subtotal", "discount", "total"), ("paid", "refunded", "payment_status"))}),
        ("Payment", {"fields": (("payment_method", moment("payment_due_at", "payment due")),)}),
        ("Shipping", {"fields": ((address("shipping_address"), "sent"),)}),
    )

    @admin.display(description="shipments")
    def sent(self, order: Order) -> str:
        """What was sent, and how to follow it."""
        told = "{id}: {status}, {carrier} {tracking_number}"
        return "\n".join(told.format(**sent) for sent in order.shipments) or NOTHING

    @admin.action(description="Cancel (as operator) …", permissions=["act"])
    def cancel_as_operator(self, request: HttpRequest, chosen: QuerySet[Order]) -> HttpResponse | None:
        """Cancel what can still be cancelled."""
        return self.ask(request, chosen, "cancel_as_operator", Cancellation, _cancel)


def _cancel(order: Order, question: Cancellation) -> str:
    note = question.cleaned_data["note"]
    cancelled = commands.cancel_order(OrderNumber(order.number), CancellationReason.BY_OPERATOR, note)
    if cancelled.status == OrderStatus.CANCELLED:
        return f"{order} is cancelled"
    return f"{order}: fulfillment is asked to stop its shipment"
