"""The lists that operators work with: saved views, a bounded count, and the rows as CSV.

A list never counts more than `MOST_COUNTED` rows and pages through no more, so that its last page is as fast as its
first. A filter or the CSV reaches the others.
"""

import logging
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin import ShowFacets
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseNotAllowed, HttpResponseRedirect
from django.urls import path, reverse
from django.utils.functional import cached_property

from integration.admin.saved_views import delete_view, save_view, views_of, without_search
from integration.admin.table_export import csv_response
from integration.domain import clock

log = logging.getLogger(__name__)

MOST_COUNTED = 10_000
"""The rows of a list that are counted, and that its pages lead to."""


class BoundedPaginator(Paginator):
    """Counts at most `MOST_COUNTED` rows; `is_cut` says that there are more."""

    is_cut = False

    @cached_property
    def count(self) -> int:
        rows: Any = self.object_list
        found = int(rows.order_by()[: MOST_COUNTED + 1].count())
        self.is_cut = found > MOST_COUNTED
        return min(found, MOST_COUNTED)


class WorkingList(admin.ModelAdmin):
    """A list with saved views, a bounded count and an export."""

    paginator = BoundedPaginator
    show_facets = ShowFacets.NEVER  # counting the rows of each choice would read the whole table

    def get_urls(self) -> list[Any]:
        export = path("csv/", self.admin_site.admin_view(self.csv_view), name=f"{self._list}_csv")
        views = path("views/", self.admin_site.admin_view(self.views_view), name=f"{self._list}_views")
        return [export, views, *super().get_urls()]

    @property
    def _list(self) -> str:
        return f"{self.opts.app_label}_{self.opts.model_name}"

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        query = request.GET.copy()
        query.pop("p", None)
        extra: dict[str, Any] = {"views_url": reverse(f"admin:{self._list}_views"), "query": query.urlencode()}
        extra["csv_url"] = reverse(f"admin:{self._list}_csv", query=query or None)
        extra["views"] = views_of(request, self.opts.label_lower)
        extra["is_saved"] = any(view["shown"] for view in extra["views"])
        extra["can_be_saved"] = bool(without_search(query.urlencode())) and not extra["is_saved"]
        return super().changelist_view(request, {**extra, **(extra_context or {})})

    def csv_view(self, request: HttpRequest) -> HttpResponseBase:
        """All rows of the list as filtered, as CSV; raises `PermissionDenied` for users who may not view them."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        try:
            changelist = self.get_changelist_instance(request)
        except admin.options.IncorrectLookupParameters:
            return HttpResponseRedirect(reverse(f"admin:{self._list}_changelist"))
        log.info("list exported: %s as %s", self.opts.label_lower, f"user:{request.user.pk}")
        columns = [each for each in changelist.list_display if each != "action_checkbox"]
        name = f"{self.opts.model_name}-{clock.now():%Y-%m-%d}"
        return csv_response(self, changelist.queryset, columns, name)

    def views_view(self, request: HttpRequest) -> HttpResponse:
        """Save or delete a view of the list; raises `PermissionDenied` for users who may not view it."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        if not self.has_view_permission(request):
            raise PermissionDenied
        query, error = "", ""
        if "delete" in request.POST:
            delete_view(request, self.opts.label_lower)
        else:
            query, error = save_view(request, self.opts.label_lower)
        if error:
            self.message_user(request, error, messages.ERROR)
        return HttpResponseRedirect(reverse(f"admin:{self._list}_changelist") + (f"?{query}" if query else ""))
