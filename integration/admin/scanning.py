"""What a barcode scanner reads: the identifier of a shipment, an order, a product or a return, or a tracking number.

A scanner types what it reads and presses Enter. So the page is a field that has the focus, and no more. Each list that
is `Scanned` takes part. Its lookups use an index.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import Q
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse

from integration.admin.badges import badge, tone_of
from integration.admin.columns import NOTHING, Shown, link

LONGEST = 100
"""The number of characters that are looked up."""
MOST_FOUND = 20
"""The rows of one list that are shown."""


class Scanned(admin.ModelAdmin):
    """A list whose rows a scanner finds.

    `scanned` has, for each field that may be scanned, the conditions under which an index finds it. By default that is
    the identifier.
    """

    scanned: ClassVar[Mapping[str, Sequence[Q]]] = {"pk": ()}


def scan_view(request: HttpRequest) -> HttpResponse:
    """The page with the field, or what was found: the page of a single row, or a list of several.

    A user finds only rows of lists that they may view.
    """
    term = request.GET.get("q", "").strip()[:LONGEST]
    found = list(_find(request, term)) if term else []
    if len(found) == 1:
        model, key = type(found[0]), found[0].pk
        return HttpResponseRedirect(
            reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_change", args=[key])
        )
    rows = [(row._meta.verbose_name, link(type(row), row.pk, str(row.pk)), _status_of(row)) for row in found]
    context = {**admin.site.each_context(request), "title": "Scan", "term": term, "rows": rows}
    return TemplateResponse(request, "admin/waybill/scan.html", context)


def _find(request: HttpRequest, term: str) -> Iterator[Any]:
    for page in admin.site._registry.values():
        if isinstance(page, Scanned) and page.has_view_permission(request):
            rows = page.model._base_manager
            matches = [
                rows.filter(match, **{f"{field}__in": {term, term.upper()}}).order_by().values("pk")
                for field, conditions in page.scanned.items()
                for match in conditions or [Q()]
            ]
            # A UNION lets each part use its own index.
            keys = matches[0].union(*matches[1:])
            yield from rows.filter(pk__in=keys).order_by("pk")[:MOST_FOUND]


def _status_of(row: Any) -> Shown:
    return badge(row.get_status_display(), tone_of(row.status)) if hasattr(row, "get_status_display") else NOTHING
