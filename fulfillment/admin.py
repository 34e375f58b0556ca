"""The admin pages of fulfillment: operators see, dispatch and deliver shipments."""

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.db.models.fields.json import KT
from django.http import HttpRequest, HttpResponse

from fulfillment import commands
from fulfillment.models import FulfillmentLine, FulfillmentOrder, History, Shipment, ShipmentLine
from integration.admin.columns import NOTHING, address, figure, moment, story_column
from integration.admin.history import HistoryAdmin
from integration.admin.inlines import PartInline
from integration.admin.pages import Question, StoryAdmin
from integration.domain.identifiers import ShipmentId

admin.site.register(History, HistoryAdmin)


class LineInline(PartInline):
    """The lines of a shipment that have units."""

    model = ShipmentLine
    fields = ("sku", "name", figure("quantity"))

    def get_queryset(self, request: HttpRequest) -> QuerySet[ShipmentLine]:
        return super().get_queryset(request).filter(quantity__gt=0)


class GoodsInline(PartInline):
    """The goods of an order, per SKU."""

    model = FulfillmentLine
    fields = ("sku", figure("to_ship"), figure("dispatched"), figure("stopped"), figure("left"))


def recipient_of(shipment: Shipment) -> str:
    """The recipient's name, city and country, as far as the address has them."""
    return ", ".join(filter(None, (shipment.recipient.get(part) for part in ("recipient", "city", "country"))))


def goods_of(shipment: Shipment) -> str:
    """How many units of how many SKUs the shipment has."""
    quantities = list(shipment.line_rows.filter(quantity__gt=0).values_list("quantity", flat=True))
    return f"{sum(quantities)} units of {len(quantities)} SKUs"


class Dispatch(Question):
    """The form that asks for the carrier, and for the tracking number of each shipment."""

    carrier = forms.CharField(max_length=80)
    each = forms.CharField(label="tracking number", max_length=80)

    def left(self, row: Shipment) -> str:
        return f"{row.get_status_display()}, {goods_of(row)}, for {recipient_of(row)}"


@admin.register(Shipment)
class ShipmentAdmin(StoryAdmin):
    """Shipments: one for each confirmed order, and one more for each part that was left when another was sent."""

    list_display = (
        "id",
        story_column(text="order"),
        "status",
        "goes_to",
        "carrier",
        "tracking_number",
        moment("created_at", "arranged"),
        moment("updated_at"),
    )
    list_filter = ("status",)
    date_hierarchy = "created_at"
    search_fields = ("tracking_number__folded__contains", "id__contains", "recipient_name__folded")
    search_help_text = "An identifier, an order's number, a tracking number, a recipient, or the id of a story."
    identifiers = ("id", "order")
    actions = ("dispatch_shipments", "deliver_shipments")
    messages_by_action = {"dispatch_shipments": "dispatch", "deliver_shipments": "deliver"}
    inlines = (LineInline,)
    fieldsets = (
        (None, {"fields": (("id", "order", "status"), address("recipient"))}),
        ("On its way", {"fields": (("carrier", "tracking_number"),)}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Shipment]:
        return super().get_queryset(request).alias(recipient_name=KT("recipient__recipient"))

    @admin.display(description="recipient")
    def goes_to(self, shipment: Shipment) -> str:
        """The recipient's name, city and country."""
        return recipient_of(shipment)

    @admin.action(description="Dispatch …", permissions=["act"])
    def dispatch_shipments(self, request: HttpRequest, chosen: QuerySet[Shipment]) -> HttpResponse | None:
        """Record that a carrier took the chosen shipments."""
        return self.ask(request, chosen, "dispatch_shipments", Dispatch, _dispatch)

    @admin.action(description="Deliver", permissions=["act"])
    def deliver_shipments(self, request: HttpRequest, chosen: QuerySet[Shipment]) -> None:
        """Record that the recipients received the chosen shipments."""
        self.perform(request, self.not_too_many(request, chosen), _deliver)


@admin.register(FulfillmentOrder)
class FulfillmentOrderAdmin(StoryAdmin):
    """The goods of orders that leave in several parcels, are stopped in part, or are held."""

    list_display = (story_column(text="order"), moment("created_at", "split"), moment("updated_at"))
    search_fields = ("order__contains",)
    search_help_text = "An order's number, or the id of a story."
    identifiers = ("order",)
    inlines = (GoodsInline,)
    fieldsets = ((None, {"fields": ("order", "holds_by_status")}),)

    @admin.display(description="holds")
    def holds_by_status(self, goods: FulfillmentOrder) -> str:
        """The holds, one a line, with status and reason."""
        return (
            "\n".join(f"{id}: {hold['status']} {hold['reason']}" for id, hold in (goods.holds or {}).items()) or NOTHING
        )


def _dispatch(shipment: Shipment, question: Dispatch) -> str:
    carrier, tracking_number = question.cleaned_data["carrier"], question.value_for(shipment)
    commands.dispatch_shipment(ShipmentId(shipment.id), carrier, tracking_number)
    return f"{shipment} is dispatched with {carrier}"


def _deliver(shipment: Shipment) -> str:
    commands.deliver_shipment(ShipmentId(shipment.id))
    return f"{shipment} is delivered"
