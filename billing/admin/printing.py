"""Invoices as pages to print."""

from typing import Any

from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import path, reverse

from billing import queries
from billing.models import Invoice
from billing.printing import printed_invoice
from integration.domain.errors import NotFound
from integration.domain.identifiers import InvoiceNumber


class PrintedInvoices(admin.ModelAdmin):
    """Invoices with a page to print, which everybody who may view invoices may open."""

    def tools(self, request: HttpRequest, row: Invoice) -> list[tuple[str, str]]:
        """The links of an invoice's page: the page to print comes first."""
        printed = reverse("admin:billing_printed", args=[row.pk])
        return [("Print", printed), *super().tools(request, row)]  # type: ignore[misc]  # the other base class has it

    def get_urls(self) -> list[Any]:
        printed = path("<path:object_id>/print/", self.admin_site.admin_view(self.printed_view), name="billing_printed")
        return [printed, *super().get_urls()]

    def printed_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The page of an invoice; raises `PermissionDenied`, `Http404`."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        try:
            found = queries.invoice(InvoiceNumber(unquote(object_id)), Invoice.objects.all())
        except NotFound as error:
            raise Http404 from error
        return printed_invoice(found)
