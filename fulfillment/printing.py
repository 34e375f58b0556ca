"""Pages of a shipment to print: the label on the parcel, and the packing slip in it. Their codes are inline SVG."""

from io import BytesIO

import segno
from django.http import HttpResponse
from django.template.loader import render_to_string
from django.utils.safestring import SafeString, mark_safe

from fulfillment.models import NAMES, Shipment
from integration.domain.errors import Refused
from integration.rest.etags import etag
from integration.rest.middleware import PRINTED


class NoLabel(Refused):
    """The shipment has no tracking number yet."""


def label(shipment: Shipment) -> HttpResponse:
    """The label of a shipment with its lines; raises `NoLabel`."""
    if not shipment.tracking_number:
        raise NoLabel
    return _page(shipment, "fulfillment/label.html", shipment.tracking_number)


def packing_slip(shipment: Shipment) -> HttpResponse:
    """The packing slip of a shipment with its lines."""
    return _page(shipment, "fulfillment/packing_slip.html", shipment.id)


def _page(shipment: Shipment, template: str, coded: str) -> HttpResponse:
    facts = {"shipment": shipment, "status": NAMES[shipment.status], "code": code_of(coded)}
    return HttpResponse(render_to_string(template, facts), headers={**etag(shipment), **PRINTED})


def code_of(text: str) -> SafeString:
    """A QR code of a text as an SVG element, without anything in it but shapes."""
    svg = BytesIO()
    segno.make_qr(text, error="m").save(svg, kind="svg", scale=4, border=2, xmldecl=False, svgns=True, nl=False)
    return mark_safe(svg.getvalue().decode())  # noqa: S308 - the text is drawn, and not in the SVG
