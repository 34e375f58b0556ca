"""REST views of shipments, for staff: list and dispatch them."""

import django_filters
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from fulfillment import commands, queries
from fulfillment.api.shipment_status import ShipmentStatusField, ShipmentStatusFilter
from fulfillment.gateways.carriers import tracking_url
from fulfillment.models import RESOLUTIONS, SCANS, Shipment
from integration.domain.errors import Unacceptable
from integration.domain.identifiers import ShipmentId, Sku
from integration.domain.metadata import join_story
from integration.history.shown import PERSONAL
from integration.rest.etags import CHANGING, READING, etag, versions_expected
from integration.rest.fields import AddressField, Input, Text
from integration.rest.filters import UpdatedAfter
from integration.rest.idempotency import idempotent
from integration.rest.lines import lines_of
from integration.rest.views import View, is_staff_with, staff_with


class ShipmentLineOutput(serializers.Serializer):
    """One line of a shipment: a quantity of one SKU."""

    sku = serializers.CharField()
    name = serializers.CharField()
    quantity = serializers.IntegerField()


class NoLabelIsBought(Unacceptable):
    """A service is of a label, and with a tracking number no label is bought."""


class ScanOutput(serializers.Serializer):
    """A report of where a shipment was; `id` is the carrier's, and empty for what an operator said."""

    id = serializers.CharField()
    status = serializers.ChoiceField(choices=SCANS)
    at = serializers.DateTimeField()


class LabelOutput(serializers.Serializer):
    """A label that a carrier sells; `reason` is the carrier's, if it refused."""

    status = serializers.ChoiceField(choices=["requested", "bought", "refused", "dropped"])
    carrier = serializers.CharField()
    service = serializers.CharField()
    reason = serializers.CharField()


class ShipmentOutput(serializers.Serializer):
    """A shipment with its recipient and lines."""

    id = serializers.CharField()
    order = serializers.CharField()
    status = ShipmentStatusField()
    recipient = AddressField()
    carrier = serializers.CharField()
    tracking_number = serializers.CharField()
    tracking_url = serializers.SerializerMethodField()
    lines = ShipmentLineOutput(many=True, source="packed")
    label = LabelOutput(allow_null=True)  # type: ignore[assignment]  # REST framework takes fields out of the class
    scans = ScanOutput(many=True, source="all_scans")
    resolution = serializers.SerializerMethodField()
    needs_human = serializers.BooleanField()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()

    @extend_schema_field(serializers.URLField(allow_null=True))
    def get_tracking_url(self, shipment: Shipment) -> str | None:
        return (shipment.is_tracked and tracking_url(shipment.carrier, shipment.tracking_number)) or None

    @extend_schema_field(serializers.ChoiceField(choices=RESOLUTIONS, allow_null=True))
    def get_resolution(self, shipment: Shipment) -> str | None:
        return shipment.resolution or None


class ShipmentFilter(django_filters.FilterSet):
    """The filters of the list of shipments."""

    status = ShipmentStatusFilter()
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
        return represent(request, shipment)


class DispatchInput(Input):
    """The carrier, its tracking number for the shipment, and what it took: without `lines`, all.

    A carrier that sells labels gives the tracking number itself; `service` is one of its services.
    """

    carrier = Text(max_length=80)
    tracking_number = Text(max_length=80, required=False)
    service = Text(max_length=40, required=False)
    lines = lines_of(required=False)


class Dispatch(View):
    """The dispatch of a shipment, or of some of its lines."""

    permission_classes = (staff_with("fulfillment.change_shipment"),)
    serializer_class = DispatchInput

    @extend_schema(request=DispatchInput, responses=ShipmentOutput, parameters=CHANGING)
    @idempotent
    def post(self, request: Request, id: str) -> Response:
        """Record that the carrier took the shipment.

        With `lines`, only these left. The rest becomes the order's next shipment at once, which is `arranged`.

        Without `tracking_number`, a label is requested from a carrier that sells labels. The shipment is `arranged`
        until it is bought, and then leaves at once. If the carrier refuses, `label` shows why.
        """
        wanted = self.valid(request)
        lines = [(Sku(line["sku"]), line["quantity"]) for line in wanted["lines"]] if "lines" in wanted else None
        shipment, versions = ShipmentId(id), versions_expected(request)
        number, service = wanted.get("tracking_number"), wanted.get("service")
        if number is None:
            found = commands.request_label(shipment, wanted["carrier"], service, lines, versions)
        elif service is not None:
            raise NoLabelIsBought(pointer="/service")
        else:
            found = commands.dispatch_shipment(shipment, wanted["carrier"], number, lines, versions)
        return represent(request, found)


def represent(request: Request, shipment: Shipment) -> Response:
    """The shipment; those who may change shipments and not view them see only the country of the address."""
    data = {**ShipmentOutput(shipment).data}
    if not is_staff_with(request.user, "fulfillment.view_shipment"):
        country = shipment.recipient["country"]
        data["recipient"] = {part: country if part == "country" else PERSONAL for part in shipment.recipient}
    return Response(data, headers=etag(shipment))
