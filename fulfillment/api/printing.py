"""Pages of a shipment to print: the label on the parcel, and the packing slip in it. Their codes are inline SVG."""

from io import BytesIO
from operator import attrgetter
from typing import Any, ClassVar

import segno
from django.http import HttpResponse
from django.template.loader import render_to_string
from django.utils.safestring import SafeString, mark_safe
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from fulfillment import queries
from fulfillment.models import NAMES, Shipment
from integration.domain.errors import Refused
from integration.domain.identifiers import ShipmentId
from integration.domain.metadata import join_story
from integration.rest.etags import READING, etag
from integration.rest.middleware import PRINTED
from integration.rest.views import View, staff_with

HTML = "text/html"


class NoLabel(Refused):
    """The shipment has no tracking number yet."""


class Printed(View):
    """A base view of a page about a shipment; its `template` shows it, with a code of the text that `coded` returns."""

    permission_classes = (staff_with("fulfillment.view_shipment"),)
    pagination_class = None
    template: ClassVar[str]
    coded: ClassVar[Any]

    def page(self, id: str) -> HttpResponse:
        """The page of a shipment; raises `NotFound`, and what `coded` raises."""
        shipment = queries.shipment(ShipmentId(id))
        join_story(shipment.correlation_id)
        facts = {"shipment": shipment, "status": NAMES[shipment.status], "code": code_of(type(self).coded(shipment))}
        return HttpResponse(render_to_string(self.template, facts), headers={**etag(shipment), **PRINTED})


def tracking_number_of(shipment: Shipment) -> str:
    """The tracking number of a shipment; raises `NoLabel`."""
    if not shipment.tracking_number:
        raise NoLabel
    return shipment.tracking_number


class LabelPage(Printed):
    """The label of a shipment."""

    template = "fulfillment/label.html"
    problems: ClassVar = {"GET": (409,)}
    coded = staticmethod(tracking_number_of)

    @extend_schema(responses={(200, HTML): OpenApiTypes.STR}, parameters=READING)
    def get(self, request: Request, id: str) -> HttpResponse:
        """Show the label of a shipment as a page to print; 409 before it has a tracking number."""
        return self.page(id)


class PackingSlip(Printed):
    """The packing slip of a shipment."""

    template = "fulfillment/packing_slip.html"
    coded = attrgetter("id")

    @extend_schema(responses={(200, HTML): OpenApiTypes.STR}, parameters=READING)
    def get(self, request: Request, id: str) -> HttpResponse:
        """Show the packing slip of a shipment as a page to print."""
        return self.page(id)


def code_of(text: str) -> SafeString:
    """A QR code of a text as an SVG element, without anything in it but shapes."""
    svg = BytesIO()
    segno.make_qr(text, error="m").save(svg, kind="svg", scale=4, border=2, xmldecl=False, svgns=True, nl=False)
    return mark_safe(svg.getvalue().decode())  # noqa: S308 - the text is drawn, and not in the SVG
