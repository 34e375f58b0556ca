"""The admin pages of ordering: operators see products, buyers and orders, cancel orders and erase buyers."""

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.db.models import QuerySet, TextField
from django.db.models.fields.json import KT
from django.db.models.functions import Cast
from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from integration.admin.columns import (
    address,
    amount,
    figure,
    linked,
    list_url,
    moment,
    story_column,
)
from integration.admin.history import HistoryAdmin
from integration.admin.pages import AggregateAdmin, Question, StoryAdmin
from integration.admin.read_models import RowsAdmin
from integration.admin.scanning import Scanned
from integration.domain.identifiers import BuyerId
from ordering import commands
from ordering.admin import sales, search, work  # noqa: F401 - registers pages, searches, and what there is to do
from ordering.admin.cancelling import Cancellation, cancel
from ordering.admin.carts import CartAdmin
from ordering.admin.corrections import CorrectionActions
from ordering.admin.holds import HoldActions
from ordering.admin.letters import SentLetterAdmin as SentLetterAdmin
from ordering.admin.order_page import OrderPage
from ordering.admin.vouchers import VoucherAdmin, VoucherClaimAdmin
from ordering.models import (
    Buyer,
    Cart,
    History,
    Order,
    OrderBoard,
    Product,
    ShippingRate,
    TaxRate,
    Voucher,
    VoucherClaim,
)

admin.site.register(History, HistoryAdmin)
admin.site.register(Cart, CartAdmin)
admin.site.register(Voucher, VoucherAdmin)
admin.site.register(VoucherClaim, VoucherClaimAdmin)


@admin.register(Product)
class ProductAdmin(AggregateAdmin):
    """Products, with their price and availability."""

    list_display = ("sku", "name", amount("price"), "availability", "on_sale", moment("updated_at"))
    list_filter = ("on_sale", "availability")
    search_fields = ("sku__folded__contains", "name__folded__contains")
    search_help_text = "A SKU, or words of a name."
    identifiers = ("sku",)
    fieldsets = (
        (None, {"fields": ("sku", "name", "description")}),
        ("For sale", {"fields": (("price", "on_sale", "availability"),)}),
        ("Terms", {"fields": (("tax_class", "weight_g", "withdrawal_exempt"),)}),
    )

    def tools(self, request: HttpRequest, row: Any) -> list[tuple[str, str]]:
        return [("Orders", list_url(Order, {"q": row.sku})), *super().tools(request, row)]


class AddOnly(admin.ModelAdmin):
    """A table of rates: rows are added, and one that orders were placed at is not changed."""

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(TaxRate)
class TaxRateAdmin(AddOnly):
    """Tax rates, with the day from which each is valid."""

    list_display = ("country", "region", "tax_class", "percent", "valid_from")
    list_filter = ("tax_class", "country")


@admin.register(ShippingRate)
class ShippingRateAdmin(admin.ModelAdmin):
    """Shipping options, with their prices for groups of countries."""

    list_display = ("option", "name", "countries", "measure", "at_least", "at_most", "price", "free_from_minor")
    list_filter = ("option",)


class Erasure(Question):
    """The form of the erase action: a confirmation, because erasing cannot be undone."""

    sure = forms.BooleanField(
        label="I am sure",
        help_text="Closes their account and permanently deletes names, addresses, notes and payment methods, "
        "also those of their orders.",
    )


def _erase(buyer: Buyer, question: Erasure) -> str:
    orders = commands.erase_buyer(BuyerId(buyer.pk)).orders
    return f"{buyer} is erased, and {orders} of their orders anonymized"


user = linked(get_user_model(), "user_id", "user", text="user")


@admin.register(Buyer)
class BuyerAdmin(AggregateAdmin):
    """Buyers, with their spend and their discount."""

    list_display = ("id", "name", "email", amount("spend"), figure("discount_percent", "% off"), moment("created_at"))
    list_filter = ("discount_percent",)
    search_fields = ("name__folded__contains", "email__folded__contains", "id__contains")
    search_help_text = "A buyer ID, or part of a name or an e-mail address."
    identifiers = ("id", "user__username")
    actions = ("erase_for_good",)
    ordering = ("-created_at",)
    fieldsets = (
        (
            None,
            {
                "fields": (
                    ("id", user),
                    ("name", "email"),
                    address("default_shipping_address"),
                )
            },
        ),
        ("Preferences", {"fields": (("locale", "email_notifications"),)}),
        ("Spend", {"fields": (("spend", "discount_percent"),)}),
    )

    def tools(self, request: HttpRequest, row: Any) -> list[tuple[str, str]]:
        tools = [("Orders", list_url(Order, {"buyer": row.pk})), *super().tools(request, row)]
        if request.user.has_perm("ordering.change_cart"):
            tools.append(("Order by phone", reverse("admin:ordering_cart_phone", query={"buyer": row.pk})))
        return tools

    @admin.action(description="Erase permanently …", permissions=["act"])
    def erase_for_good(self, request: HttpRequest, chosen: QuerySet[Buyer]) -> HttpResponse | None:
        """Ask for a confirmation, then call `erase_buyer` for each chosen buyer."""
        return self.ask(request, chosen, "erase_for_good", Erasure, _erase)


@admin.register(Order)
class OrderAdmin(Scanned, OrderPage, HoldActions, CorrectionActions, StoryAdmin):
    """Orders, with all that was done for them in all contexts."""

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
    search_fields = (
        "number__contains",
        "buyer__name__folded__contains",
        "buyer__email__folded__contains",
        "recipient_name__folded",
        "sent_as__folded",
    )
    search_help_text = "A number, a buyer's ID, name or e-mail address, a recipient, a tracking number, a SKU, a story."
    identifiers = ("number", "buyer_id", "line_rows__sku")
    actions = ("note_on_orders", "correct_addresses", "hold_orders", "lift_holds", "cancel_as_operator")
    messages_by_action = {
        "note_on_orders": "add_note",
        "correct_addresses": "correct_address",
        "hold_orders": "hold",
        "lift_holds": "lift_hold",
        "cancel_as_operator": "cancel",
    }
    fieldsets = ((None, {"fields": ("number",)}),)  # the page has a template of its own

    def get_queryset(self, request: HttpRequest) -> QuerySet[Order]:
        texts = {"recipient_name": KT("shipping_address__recipient"), "sent_as": Cast("shipments", TextField())}
        return super().get_queryset(request).alias(**texts)

    @admin.action(description="Cancel (as operator) …", permissions=["act"])
    def cancel_as_operator(self, request: HttpRequest, chosen: QuerySet[Order]) -> HttpResponse | None:
        """Ask for a note, then call `cancel_order` for each chosen order."""
        return self.ask(request, chosen, "cancel_as_operator", Cancellation, cancel)


# --- Read models ---


@admin.register(OrderBoard)
class OrderBoardAdmin(RowsAdmin):
    """The order board: every order in one row, with its payment and its shipment."""

    list_display = (
        linked(Order, "number", "order"),
        linked(Buyer, "buyer", "buyer"),
        "status",
        "payment_status",
        "shipment_status",
        "on_hold",
        amount("total"),
        moment("created_at", "placed"),
        story_column(),
    )
    list_display_links = None
    list_filter = ("status", "payment_status", "shipment_status", "on_hold", "needs_human", "cancellation_reason")
    date_hierarchy = "created_at"
    ordering = ("-created_at",)
    search_fields = ("number__contains",)
    search_help_text = "An order number, a buyer ID, or the ID of a story."
    identifiers = ("number", "buyer")
    uuids = ("correlation_id",)
