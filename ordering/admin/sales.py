"""The admin pages of the read models of sales and spend."""

from django.contrib import admin

from integration.admin.columns import amount, figure, linked, moment
from integration.admin.read_models import RowsAdmin
from ordering.models import Buyer, LifetimeSpend, Product, SalesOfDay, SalesOfHour


@admin.register(SalesOfDay)
class SalesOfDayAdmin(RowsAdmin):
    """Sales per day and product."""

    list_display = ("day", linked(Product, "sku", "sku"), figure("orders"), figure("quantity"), amount("amount"))
    list_filter = ("currency",)
    date_hierarchy = "day"
    ordering = ("-day", "-amount_minor")
    search_fields = ("sku__contains",)
    search_help_text = "A SKU, or part of one."
    identifiers = ("sku",)


@admin.register(LifetimeSpend)
class LifetimeSpendAdmin(RowsAdmin):
    """The lifetime spend of each buyer."""

    list_display = (linked(Buyer, "buyer", "buyer"), figure("orders"), amount("spend"))
    list_display_links = None
    list_filter = ("currency",)
    ordering = ("-spend_minor",)
    search_fields = ("buyer__contains",)
    search_help_text = "A buyer ID, or part of one."
    identifiers = ("buyer",)


@admin.register(SalesOfHour)
class SalesOfHourAdmin(RowsAdmin):
    """Orders and what they paid, per hour."""

    list_display = (moment("hour"), figure("placed"), amount("paid"))
    list_filter = ("currency",)
    date_hierarchy = "hour"
    ordering = ("-hour",)
