"""What the warehouse prints: pick lists, packing slips and labels."""

from collections.abc import Callable
from typing import Any

from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.urls import path, reverse

from fulfillment import printing, queries
from fulfillment.models import Shipment
from fulfillment.queries.picking import pick_list
from integration.admin.form_pages import ListTools
from integration.domain import clock
from integration.domain.errors import DomainError, NotFound
from integration.domain.identifiers import ShipmentId
from integration.rest.middleware import PRINTED


class WarehousePages(ListTools):
    """Pages to print, which everybody who may view shipments may open."""

    def list_tools(self, request: HttpRequest) -> list[tuple[str, str]]:
        return [("Pick list", reverse("admin:fulfillment_picklist")), ("Scan", reverse("scan"))]

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view
        return [
            path("pick-list/", view(self.pick_list_view), name="fulfillment_picklist"),
            path("<path:object_id>/packing-slip/", view(self.packing_slip_view), name="fulfillment_packingslip"),
            path("<path:object_id>/label/", view(self.label_view), name="fulfillment_label"),
            *super().get_urls(),
        ]

    def pick_list_view(self, request: HttpRequest) -> HttpResponse:
        """The pick list of the shipments that the URL names, or of all that are ready, by SKU or by order."""
        self._require_view(request)
        return printed_pick_list(request, request.GET.getlist("id") or None)

    def packing_slip_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The packing slip of a shipment."""
        return self._printed(request, printing.packing_slip, unquote(object_id))

    def label_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The label of a shipment; the shipment's page says why there is none."""
        return self._printed(request, printing.label, unquote(object_id))

    @admin.action(description="Pick list", permissions=["view"])
    def print_pick_list(self, request: HttpRequest, chosen: QuerySet[Shipment]) -> HttpResponse:
        """Show the pick list of the chosen shipments."""
        return printed_pick_list(request, list(chosen.values_list("pk", flat=True)[:1000]))

    def acts_on(self, request: HttpRequest, row: Shipment) -> list[Any]:
        """The actions on a shipment's page: all but the pick list, which is about several."""
        acts = super().acts_on(request, row)  # type: ignore[misc]  # the other base class has it
        return [act for act in acts if act.name != "print_pick_list"]

    def tools(self, request: HttpRequest, row: Shipment) -> list[tuple[str, str]]:
        """The links of a shipment's page: what can be printed comes first."""
        pages = [("Packing slip", reverse("admin:fulfillment_packingslip", args=[row.pk]))]
        if row.tracking_number:
            pages.append(("Label", reverse("admin:fulfillment_label", args=[row.pk])))
        return [*pages, *super().tools(request, row)]  # type: ignore[misc]  # the other base class has it

    def _printed(self, request: HttpRequest, page: Callable[[Shipment], HttpResponse], id: str) -> HttpResponse:
        self._require_view(request)
        try:
            return page(queries.shipment(ShipmentId(id)))
        except NotFound as error:
            raise Http404 from error
        except DomainError as refusal:
            return HttpResponse(refusal.detail, status=409, content_type="text/plain; charset=utf-8")

    def _require_view(self, request: HttpRequest) -> None:
        if not self.has_view_permission(request):
            raise PermissionDenied


def printed_pick_list(request: HttpRequest, chosen: list[str] | None) -> HttpResponse:
    """The page of a pick list; the URL says whether it is by SKU, which is the default, or by order."""
    found = pick_list(chosen)
    facts = {
        "found": found,
        "by_order": request.GET.get("by") == "order",
        "by": request.user.get_username(),
        "at": clock.now(),
        "chosen": [shipment.id for shipment in found.shipments] if chosen else [],
        "list_url": reverse("admin:fulfillment_picklist"),
        "back": reverse("admin:fulfillment_shipment_changelist"),
    }
    return HttpResponse(render_to_string("fulfillment/pick_list.html", facts), headers=PRINTED)
