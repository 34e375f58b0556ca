"""The admin pages of fulfillment: operators see, dispatch and deliver shipments, and receive returns."""

from typing import ClassVar

from django import forms
from django.contrib import admin
from django.db.models import Q, QuerySet
from django.db.models.fields.json import KT
from django.http import HttpRequest, HttpResponse

from fulfillment import commands
from fulfillment.admin import search, work  # noqa: F401 - registers its searches, and what there is to do
from fulfillment.admin.returns import ReturnAdmin as ReturnAdmin
from fulfillment.admin.warehouse import WarehousePages
from fulfillment.models import FulfillmentLine, FulfillmentOrder, History, Shipment, ShipmentLine
from fulfillment.models.shipment_states import GONE_WRONG
from integration.admin.columns import NOTHING, address, column, figure, moment, story_column
from integration.admin.history import HistoryAdmin
from integration.admin.inlines import PartInline
from integration.admin.pages import Question, StoryAdmin
from integration.admin.scanning import Scanned
from integration.admin.sections import InStory
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


@column("goods")
def packed(shipment: Shipment) -> str:
    """The units in a shipment, one SKU a line."""
    return "\n".join(str(line) for line in shipment.packed) or NOTHING


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

    def happens(self, row: Shipment) -> str:
        return "The carrier has these goods from now on, they leave the stock, and the buyer gets a letter."


class Delivery(Question):
    """The form that asks whether the recipients have the chosen shipments. It asks nothing more."""

    def left(self, row: Shipment) -> str:
        return f"{row.get_status_display()}, with {row.carrier} as {row.tracking_number}, for {recipient_of(row)}"

    def happens(self, row: Shipment) -> str:
        return "The shipment is delivered. From now on the buyer's time to withdraw or to complain runs."


class Reason(Question):
    """The form that asks for a reason, which may be empty."""

    reason = forms.CharField(max_length=500, required=False)

    def left(self, row: Shipment) -> str:
        return f"{row.get_status_display()}, with {row.carrier} as {row.tracking_number}, for {recipient_of(row)}"


class Resolve(Question):
    """The form that asks what becomes of goods that are lost or came back."""

    resolution = forms.ChoiceField(choices=[("refund", "refund"), ("send_again", "send again")])

    def left(self, row: Shipment) -> str:
        return f"{row.get_status_display()}, {goods_of(row)}, for {recipient_of(row)}"

    def happens(self, row: Shipment) -> str:
        return (
            "Refund: the buyer gets the money of these goods back. Send again: a new order of these goods, "
            "for which nothing is paid. The first decision counts."
        )


class Seen(Question):
    """The form that asks what an operator did about a scan that came after the decision."""

    note = forms.CharField(max_length=500, required=False, help_text="Stored with the shipment.")

    def left(self, row: Shipment) -> str:
        return f"{row.get_status_display()}, decided as {row.resolution}, and scanned since"


class NeedsHuman(admin.SimpleListFilter):
    """A filter for the shipments about which a person has to decide."""

    title = "needs a person"
    parameter_name = "needs_human"

    def lookups(self, request: HttpRequest, model_admin: object) -> list[tuple[str, str]]:
        return [("yes", "Yes")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Shipment]) -> QuerySet[Shipment]:
        if self.value() != "yes":
            return queryset
        return queryset.filter(Q(scanned_too_late=True) | Q(status__in=GONE_WRONG, resolution=""))


@admin.register(Shipment)
class ShipmentAdmin(WarehousePages, Scanned, StoryAdmin):
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
    list_filter = ("status", NeedsHuman)
    date_hierarchy = "created_at"
    in_story = InStory(
        "Shipments",
        ("id", "status", packed, "carrier", "tracking_number", moment("updated_at", "changed")),
        10,
        parts=True,
    )
    search_fields = ("tracking_number__folded__contains", "id__contains", "recipient_name__folded")
    search_help_text = "An identifier, an order's number, a tracking number, a recipient, or the id of a story."
    identifiers = ("id", "order")
    # Two partial indexes share the tracking numbers.
    scanned: ClassVar = {
        "id": (),
        "order": (),
        "tracking_number": (Q(is_tracked=True), Q(is_tracked=False) & ~Q(tracking_number="")),
    }
    actions = (
        "print_pick_list",
        "dispatch_shipments",
        "deliver_shipments",
        "fail_shipments",
        "return_shipments",
        "lose_shipments",
        "resolve_shipments",
        "close_tasks",
    )
    messages_by_action = {
        "dispatch_shipments": "dispatch",
        "deliver_shipments": "deliver",
        "fail_shipments": "fail",
        "return_shipments": "return_to_sender",
        "lose_shipments": "lose",
        "resolve_shipments": "resolve",
    }
    inlines = (LineInline,)
    fieldsets = (
        (None, {"fields": (("id", "order", "status"), address("recipient"))}),
        ("On its way", {"fields": (("carrier", "tracking_number"), "all_scans_in_order")}),
        ("Lost, or came back", {"fields": (("resolution", "scanned_too_late"),)}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Shipment]:
        return super().get_queryset(request).alias(recipient_name=KT("recipient__recipient"))

    @admin.display(description="recipient")
    def goes_to(self, shipment: Shipment) -> str:
        """The recipient's name, city and country."""
        return recipient_of(shipment)

    @admin.display(description="scans")
    def all_scans_in_order(self, shipment: Shipment) -> str:
        """The scans by the carrier's time, one a line."""
        scans = sorted(shipment.all_scans, key=lambda scan: scan.precedence)
        return (
            "\n".join(f"{scan.at:%Y-%m-%d %H:%M} {scan.status} {scan.id or '(operator)'}" for scan in scans) or NOTHING
        )

    @admin.action(description="Dispatch …", permissions=["act"])
    def dispatch_shipments(self, request: HttpRequest, chosen: QuerySet[Shipment]) -> HttpResponse | None:
        """Record that a carrier took the chosen shipments."""
        return self.ask(request, chosen, "dispatch_shipments", Dispatch, _dispatch)

    @admin.action(description="Deliver …", permissions=["act"])
    def deliver_shipments(self, request: HttpRequest, chosen: QuerySet[Shipment]) -> HttpResponse | None:
        """Ask for a confirmation, then record that the recipients received the chosen shipments."""
        return self.ask(request, chosen, "deliver_shipments", Delivery, _deliver)

    @admin.action(description="Delivery failed …", permissions=["act"])
    def fail_shipments(self, request: HttpRequest, chosen: QuerySet[Shipment]) -> HttpResponse | None:
        """Record that the carrier could not deliver the chosen shipments."""
        return self.ask(request, chosen, "fail_shipments", Reason, _fail)

    @admin.action(description="Came back …", permissions=["act"])
    def return_shipments(self, request: HttpRequest, chosen: QuerySet[Shipment]) -> HttpResponse | None:
        """Record that the carrier brought the chosen shipments back."""
        return self.ask(request, chosen, "return_shipments", Reason, _return)

    @admin.action(description="Lost …", permissions=["act"])
    def lose_shipments(self, request: HttpRequest, chosen: QuerySet[Shipment]) -> HttpResponse | None:
        """Record that the carrier lost the chosen shipments."""
        return self.ask(request, chosen, "lose_shipments", Reason, _lose)

    @admin.action(description="Resolve …", permissions=["act"])
    def resolve_shipments(self, request: HttpRequest, chosen: QuerySet[Shipment]) -> HttpResponse | None:
        """Decide what becomes of the goods of the chosen shipments, which are lost or came back."""
        return self.ask(request, chosen, "resolve_shipments", Resolve, _resolve)

    @admin.action(description="Close the task …", permissions=["act"])
    def close_tasks(self, request: HttpRequest, chosen: QuerySet[Shipment]) -> HttpResponse | None:
        """Record that a person has seen what was scanned after the decision about the chosen shipments."""
        return self.ask(request, chosen, "close_tasks", Seen, _close)

    def why_not(self, action: str, row: Shipment) -> str:
        if action == "close_tasks":
            return "" if row.scanned_too_late else "nothing was scanned after a decision"
        return super().why_not(action, row)


@admin.register(FulfillmentOrder)
class FulfillmentOrderAdmin(StoryAdmin):
    """The goods of orders that leave in several parcels, are stopped in part, or are held."""

    list_display = ("order", moment("created_at", "split"), moment("updated_at"), story_column())
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


def _deliver(shipment: Shipment, question: Delivery) -> str:
    commands.deliver_shipment(ShipmentId(shipment.id))
    return f"{shipment} is delivered"


def _fail(shipment: Shipment, question: Reason) -> str:
    commands.fail_shipment(ShipmentId(shipment.id), question.cleaned_data["reason"])
    return f"{shipment} was not delivered"


def _return(shipment: Shipment, question: Reason) -> str:
    commands.return_to_sender(ShipmentId(shipment.id), question.cleaned_data["reason"])
    return f"{shipment} came back"


def _lose(shipment: Shipment, question: Reason) -> str:
    commands.lose_shipment(ShipmentId(shipment.id), question.cleaned_data["reason"])
    return f"{shipment} is lost"


def _resolve(shipment: Shipment, question: Resolve) -> str:
    resolution = question.cleaned_data["resolution"]
    commands.resolve_shipment(ShipmentId(shipment.id), resolution)
    return f"{shipment} is resolved: {resolution.replace('_', ' ')}"


def _close(shipment: Shipment, question: Seen) -> str:
    commands.close_task(ShipmentId(shipment.id), question.cleaned_data["note"])
    return f"{shipment}: the task is closed"
