"""REST views of a shipment's pages to print: the label on the parcel, and the packing slip in it."""

from typing import ClassVar

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from fulfillment import printing, queries
from fulfillment.models import Shipment
from integration.domain.identifiers import ShipmentId
from integration.domain.metadata import join_story
from integration.rest.etags import READING
from integration.rest.views import View, staff_with

HTML = "text/html"


class Printed(View):
    """A base view of a page about a shipment."""

    permission_classes = (staff_with("fulfillment.view_shipment"),)
    pagination_class = None

    def shipment(self, id: str) -> Shipment:
        """The shipment, whose story the request joins; raises `NotFound`."""
        shipment = queries.shipment(ShipmentId(id))
        join_story(shipment.correlation_id)
        return shipment


class LabelPage(Printed):
    """The label of a shipment."""

    problems: ClassVar = {"GET": (409,)}

    @extend_schema(responses={(200, HTML): OpenApiTypes.STR}, parameters=READING)
    def get(self, request: Request, id: str) -> HttpResponse:
        """Show the label of a shipment as a page to print; 409 before it has a tracking number."""
        return printing.label(self.shipment(id))


class PackingSlip(Printed):
    """The packing slip of a shipment."""

    @extend_schema(responses={(200, HTML): OpenApiTypes.STR}, parameters=READING)
    def get(self, request: Request, id: str) -> HttpResponse:
        """Show the packing slip of a shipment as a page to print."""
        return printing.packing_slip(self.shipment(id))
