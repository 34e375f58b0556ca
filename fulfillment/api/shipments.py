"""REST views of shipments, for staff: list, dispatch and deliver them."""

import django_filters
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from fulfillment import commands, queries
from fulfillment.models import MAX_LINES, MAX_QUANTITY, Shipment, ShipmentStatus
from integration.domain.identifiers import ShipmentId, Sku
from integration.domain.metadata import join_story
from integration.history.shown import PERSONAL
from integration.rest.etags import CHANGING, READING, etag, versions_expected
from integration.rest.fields import AddressField, Input, SkuField, Text, WholeNumber
from integration.rest.filters import UpdatedAfter
from integration.rest.idempotency import idempotent
from integration.rest.views import View, is_staff_with, staff_with


class ShipmentLineOutput(serializers.Serializer):
    """One line of a shipment: a quantity of one SKU."""

    sku = serializers.CharField()
    name = serializers.CharField()
    quantity = serializers.IntegerField()


class ShipmentOutput(serializers.Serializer):
    """A shipment with its recipient and lines."""

    id = serializers.CharField()
    order = serializers.CharField()
    status = serializers.ChoiceField(choices=ShipmentStatus.choices)
    recipient = AddressField()
    carrier = serializers.CharField()
    tracking_number = serializers.CharField()
    lines = ShipmentLineOutput(many=True, source="packed")
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()


class ShipmentFilter(django_filters.FilterSet):
    """The filters of the list of shipments."""

    status = django_filters.ChoiceFilter(choices=ShipmentStatus.choices)
    order = django_filters.CharFilter()
    updated_after = UpdatedAfter()


class Shipments(View):
    """The list of shipments."""

    permission_classes = (staff_with("fulfillment.view_shipment"),)
    queryset = Shipment.objects.all()
    filterset_class = ShipmentFilter
    serializer_class = ShipmentOutput

    def get_queryset(self) -> QuerySet[Shipment]:
        is_polled = "updated_after" in self.request.query_params
        return queries.changed_shipments() if is_polled else Shipment.objects.all()

    @extend_schema(responses=ShipmentOutput(many=True))
    def get(self, request: Request) -> Response:
        """List shipments, newest first."""
        page = self.page_of(self.get_queryset())
        Shipment.load_parts(page)
        return self.get_paginated_response(ShipmentOutput(page, many=True).data)


class OneShipment(View):
    """One shipment."""

    permission_classes = (staff_with("fulfillment.view_shipment"),)
    serializer_class = ShipmentOutput

    @extend_schema(responses=ShipmentOutput, parameters=READING)
    def get(self, request: Request, id: str) -> Response:
        """Return a shipment."""
        shipment = queries.shipment(ShipmentId(id))
        join_story(shipment.correlation_id)
        return _represent(request, shipment)


class DispatchedLine(Input):
    """A quantity of one SKU that the carrier took."""

    sku = SkuField()
    quantity = WholeNumber(min_value=1, max_value=MAX_QUANTITY)


class DispatchInput(Input):
    """The carrier, its tracking number for the shipment, and what it took: without `lines`, all."""

    carrier = Text(max_length=80)
    tracking_number = Text(max_length=80)
    lines = DispatchedLine(many=True, required=False, allow_empty=False, max_length=MAX_LINES)  # type: ignore[call-arg]  # options of many=True


class Dispatch(View):
    """The dispatch of a shipment, or of some of its lines."""

    permission_classes = (staff_with("fulfillment.change_shipment"),)
    serializer_class = DispatchInput

    @extend_schema(request=DispatchInput, responses=ShipmentOutput, parameters=CHANGING)
    @idempotent
    def post(self, request: Request, id: str) -> Response:
        """Record that the carrier took the shipment.

        With `lines`, only these left. The rest becomes the order's next shipment at once, which is `arranged`.
        """
        wanted = self.valid(request)
        lines = [(Sku(line["sku"]), line["quantity"]) for line in wanted["lines"]] if "lines" in wanted else None
        dispatched = commands.dispatch_shipment(
            ShipmentId(id), wanted["carrier"], wanted["tracking_number"], lines, versions_expected(request)
        )
        return _represent(request, dispatched)


class DeliverInput(Input):
    """An empty body."""


class Deliver(View):
    """The delivery of a shipment."""

    permission_classes = (staff_with("fulfillment.change_shipment"),)
    serializer_class = DeliverInput

    @extend_schema(request=None, responses=ShipmentOutput, parameters=CHANGING)
    @idempotent
    def post(self, request: Request, id: str) -> Response:
        """Record that the recipient received the shipment."""
        self.valid(request)
        return _represent(request, commands.deliver_shipment(ShipmentId(id), versions_expected(request)))


def _represent(request: Request, shipment: Shipment) -> Response:
    """The shipment; those who may change shipments and not view them see only the country of the address."""
    data = {**ShipmentOutput(shipment).data}
    if not is_staff_with(request.user, "fulfillment.view_shipment"):
        country = shipment.recipient["country"]
        data["recipient"] = {part: country if part == "country" else PERSONAL for part in shipment.recipient}
    return Response(data, headers=etag(shipment))
