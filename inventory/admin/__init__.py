"""The admin pages of inventory: operators see stock and reservations, and receive, count and adjust stock."""

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import F, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import path, reverse

from integration.admin.columns import Shown, column, figure, link, linked, list_url, moment, story_column
from integration.admin.form_pages import ListTools, form_page
from integration.admin.history import HistoryAdmin
from integration.admin.inlines import PartInline
from integration.admin.pages import AggregateAdmin, Question, StoryAdmin
from integration.admin.read_models import RowsAdmin
from integration.admin.scanning import Scanned
from integration.admin.sections import InStory
from integration.domain.identifiers import Sku
from inventory import commands
from inventory.admin import search, work  # noqa: F401 - registers its searches, and what there is to do
from inventory.admin.deliveries import Delivery, receive
from inventory.admin.movements import page_of_movements
from inventory.models import (
    MAX_QUANTITY,
    History,
    Level,
    Reservation,
    ReservationLine,
    ReservationStatus,
    StockItem,
    StockOfDay,
)

admin.site.register(History, HistoryAdmin)


class LevelFilter(admin.SimpleListFilter):
    """Filters stock items by level. The conditions in SQL mirror `StockItem.level`."""

    title = parameter_name = "level"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(level.value, str(level.label)) for level in Level]

    def queryset(self, request: HttpRequest, queryset: QuerySet[StockItem]) -> QuerySet[StockItem]:
        low = F("reserved") + F("reorder_point")
        match self.value():
            case Level.OUT:
                return queryset.filter(on_hand=F("reserved"))
            case Level.LOW:
                return queryset.filter(on_hand__gt=F("reserved"), on_hand__lte=low)
            case Level.IN_STOCK:
                return queryset.filter(on_hand__gt=low)
        return queryset


class Stocked(Question):
    """A form about stock items, which shows what is in stock."""

    def left(self, row: StockItem) -> str:
        text = f"{row.on_hand} on hand, {row.reserved} of them reserved, {row.available} available"
        return f"{text}, {row.quarantined} in quarantine" if row.quarantined else text


class Receipt(Stocked):
    """The form of the receive action: a reference, and the received quantity of each chosen stock item."""

    reference = forms.CharField(max_length=200, required=False, help_text="For example, a delivery note number.")
    each = forms.IntegerField(label="quantity", min_value=1, max_value=MAX_QUANTITY)


class Adjustment(Stocked):
    """The form of the adjust action: a reason, and the difference in stock of each chosen stock item."""

    reason = forms.CharField(max_length=200, help_text="For example: counted, broken, found.")
    each = forms.IntegerField(label="difference", min_value=-MAX_QUANTITY, max_value=MAX_QUANTITY)


class CountedField(forms.MultiValueField):
    """Units that were counted, with the units on hand that the form showed. Its value is the pair of both."""

    def __init__(self, **options: Any) -> None:
        fields = (forms.IntegerField(min_value=0, max_value=MAX_QUANTITY), forms.IntegerField())
        super().__init__(fields, widget=CountedInput(), **options)

    def compress(self, data_list: list[Any]) -> tuple[int, int]:
        return data_list[0], data_list[1]


class CountedInput(forms.MultiWidget):
    """A number, and a hidden number."""

    def __init__(self) -> None:
        super().__init__([forms.NumberInput(attrs={"min": 0}), forms.HiddenInput()])

    def decompress(self, value: int | None) -> list[int | None]:
        return [None, value]


class Count(Stocked):
    """The form of the count action: a reason, and the units on hand of each chosen stock item."""

    reason = forms.CharField(max_length=200, help_text="For example: yearly count, shelf 12.")
    each = CountedField(label="counted on hand, with what is reserved and without quarantine")

    def __init__(self, rows: Any, data: Any = None, purpose: str = "") -> None:
        super().__init__(rows, data, purpose)
        for row in rows:
            self.fields[f"each:{row.pk}"].initial = row.on_hand


class Inspection(Stocked):
    """The form of the actions about quarantine: a reason, and the quantity of each chosen stock item."""

    reason = forms.CharField(max_length=200, help_text="For example: box damaged, inspected and good, broken.")
    each = forms.IntegerField(label="quantity", min_value=1, max_value=MAX_QUANTITY)


@admin.register(StockItem)
class StockItemAdmin(Scanned, ListTools, AggregateAdmin):
    """Stock items: units available, on hand, reserved and in quarantine, and the level."""

    list_display = (
        "sku",
        figure("available", ordering=F("on_hand") - F("reserved")),
        "level",
        figure("on_hand"),
        figure("reserved"),
        figure("quarantined"),
        figure("reorder_point"),
        moment("updated_at"),
    )
    list_filter = (LevelFilter,)
    search_fields = ("sku__folded__contains",)
    search_help_text = "A SKU, or part of one."
    identifiers = ("sku",)
    change_form_template = "admin/waybill/stock_item.html"
    actions = ("receive_stock", "count_stock", "adjust_stock", "quarantine_stock", "clear_stock", "write_off_stock")
    fieldsets = (
        (None, {"fields": (("sku", "level"), ("available", "on_hand", "reserved", "quarantined", "reorder_point"))}),
    )

    @admin.display(description="level")
    def level(self, item: StockItem) -> str:
        """The label of the stock item's level, such as "Low"."""
        return str(item.level.label)

    def tools(self, request: HttpRequest, row: Any) -> list[tuple[str, str]]:
        return [("Reservations", list_url(Reservation, {"q": row.sku})), *super().tools(request, row)]

    @admin.action(description="Receive stock …", permissions=["act"])
    def receive_stock(self, request: HttpRequest, chosen: QuerySet[StockItem]) -> HttpResponse | None:
        """Ask for the received quantities, then call `receive_stock` for each chosen stock item."""
        return self.ask(request, chosen, "receive_stock", Receipt, _receive)

    def list_tools(self, request: HttpRequest) -> list[tuple[str, str]]:
        delivery = ("Receive a delivery", reverse("admin:inventory_delivery"))
        return [*([delivery] if self.has_act_permission(request) else []), ("Scan", reverse("scan"))]

    def get_urls(self) -> list[Any]:
        delivery = path("receive/", self.admin_site.admin_view(self.delivery_view), name="inventory_delivery")
        return [delivery, *super().get_urls()]

    def delivery_view(self, request: HttpRequest) -> HttpResponse:
        """The page on which a delivery is received; raises `PermissionDenied`."""
        if not self.has_act_permission(request):
            raise PermissionDenied
        return form_page(self, request, "Receive a delivery", Delivery, receive)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        context.update(page_of_movements(request, context["original"]))
        return super().render_change_form(request, context, *args, **kwargs)

    @admin.action(description="Count stock …", permissions=["act"])
    def count_stock(self, request: HttpRequest, chosen: QuerySet[StockItem]) -> HttpResponse | None:
        """Ask for what was counted, then call `count_stock` for each chosen stock item."""
        return self.ask(request, chosen, "count_stock", Count, _count)

    @admin.action(description="Adjust stock …", permissions=["act"])
    def adjust_stock(self, request: HttpRequest, chosen: QuerySet[StockItem]) -> HttpResponse | None:
        """Ask for the differences, then call `adjust_stock` for each chosen stock item."""
        return self.ask(request, chosen, "adjust_stock", Adjustment, _adjust)

    @admin.action(description="Put into quarantine …", permissions=["act"])
    def quarantine_stock(self, request: HttpRequest, chosen: QuerySet[StockItem]) -> HttpResponse | None:
        """Ask for the quantities, then call `quarantine_stock` for each chosen stock item."""
        return self.ask(request, chosen, "quarantine_stock", Inspection, _quarantine)

    @admin.action(description="Release from quarantine …", permissions=["act"])
    def clear_stock(self, request: HttpRequest, chosen: QuerySet[StockItem]) -> HttpResponse | None:
        """Ask for the quantities, then call `clear_stock` for each chosen stock item."""
        return self.ask(request, chosen, "clear_stock", Inspection, _clear)

    @admin.action(description="Write off from quarantine …", permissions=["act"])
    def write_off_stock(self, request: HttpRequest, chosen: QuerySet[StockItem]) -> HttpResponse | None:
        """Ask for the quantities, then call `write_off_stock` for each chosen stock item."""
        return self.ask(request, chosen, "write_off_stock", Inspection, _write_off)


def _receive(item: StockItem, question: Receipt) -> str:
    quantity, reference = question.value_for(item), question.cleaned_data["reference"]
    received = commands.receive_stock(Sku(item.sku), quantity, reference)
    return f"{item}: {quantity} received, {received.available} available"


def _count(item: StockItem, question: Count) -> str:
    (counted, shown), reason = question.value_for(item), question.cleaned_data["reason"]
    commands.count_stock(Sku(item.sku), counted, reason, shown)
    return f"{item}: {counted} counted, {counted - shown:+} than before" if counted != shown else f"{item}: as counted"


def _adjust(item: StockItem, question: Adjustment) -> str:
    delta, reason = question.value_for(item), question.cleaned_data["reason"]
    adjusted = commands.adjust_stock(Sku(item.sku), delta, reason)
    return f"{item}: adjusted by {delta:+}, {adjusted.available} available"


def _quarantine(item: StockItem, question: Inspection) -> str:
    quantity, reason = question.value_for(item), question.cleaned_data["reason"]
    left = commands.quarantine_stock(Sku(item.sku), quantity, reason)
    return f"{item}: {quantity} put into quarantine, {left.available} available"


def _clear(item: StockItem, question: Inspection) -> str:
    quantity, reason = question.value_for(item), question.cleaned_data["reason"]
    left = commands.clear_stock(Sku(item.sku), quantity, reason)
    return f"{item}: {quantity} released from quarantine, {left.available} available"


def _write_off(item: StockItem, question: Inspection) -> str:
    quantity, reason = question.value_for(item), question.cleaned_data["reason"]
    left = commands.write_off_stock(Sku(item.sku), quantity, reason)
    return f"{item}: {quantity} written off, {left.quarantined} left in quarantine"


@column("sku", "sku")
def stock_item(line: ReservationLine) -> Shown:
    """A link to the stock item of a reservation line."""
    return link(StockItem, line.sku)


@column("still reserved")
def still_reserved(line: ReservationLine) -> int:
    """The units that are reserved now."""
    return line.left if line.reservation.status in (ReservationStatus.HELD, ReservationStatus.COMMITTED) else 0


class LineInline(PartInline):
    """The lines of a reservation."""

    model = ReservationLine
    fields = (stock_item, figure("quantity"), still_reserved)

    def get_queryset(self, request: HttpRequest) -> QuerySet[ReservationLine]:
        return super().get_queryset(request).select_related("reservation")


@admin.register(Reservation)
class ReservationAdmin(StoryAdmin):
    """Reservations, one per order, with their state."""

    list_display = ("order", "status", moment("created_at"), moment("updated_at"), story_column())
    list_filter = ("status",)
    date_hierarchy = "created_at"
    in_story = InStory("Reservation", ("order", "status", moment("updated_at")), 80)
    search_fields = ("order__contains",)
    search_help_text = "An order number, a SKU, or the ID of a story."
    identifiers = ("order", "line_rows__sku")
    inlines = (LineInline,)
    fieldsets = ((None, {"fields": (("order", "status"),)}),)


@admin.register(StockOfDay)
class StockOfDayAdmin(RowsAdmin):
    """The stock of each SKU at the end of a day, and what moved on that day."""

    list_display = (
        "day",
        linked(StockItem, "sku", "sku"),
        figure("on_hand"),
        figure("reserved"),
        figure("received"),
        figure("adjusted"),
        figure("shipped"),
        figure("quarantined"),
        figure("written_off"),
    )
    list_filter = ("latest",)
    date_hierarchy = "day"
    ordering = ("-day", "sku")
    search_fields = ("sku__contains",)
    search_help_text = "A SKU, or part of one."
    identifiers = ("sku",)
