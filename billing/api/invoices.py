"""REST views of invoices: a buyer sees their own, staff see all, as JSON or as a page to print."""

from typing import Any, cast

import django_filters
from django.db.models import QuerySet
from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from billing import queries
from billing.api.outputs import InvoiceOutput
from billing.models import Invoice, InvoiceStatus
from billing.printing import printed_invoice
from integration.domain.identifiers import InvoiceNumber, buyer_of_user
from integration.domain.metadata import join_story
from integration.rest.etags import READING, etag
from integration.rest.filters import UpdatedAfter
from integration.rest.guests import FOR_GUESTS, guest_of
from integration.rest.views import View, is_staff_with

JSON, HTML = "application/json", "text/html"


class InvoiceFilter(django_filters.FilterSet):
    """Filters of the list of invoices."""

    order = django_filters.CharFilter()
    status = django_filters.ChoiceFilter(choices=InvoiceStatus.choices)
    updated_after = UpdatedAfter()


class InvoiceView(View):
    """A base view of invoices: a buyer sees their own invoices, staff with permission see all invoices."""

    queryset: QuerySet[Any] = Invoice.objects.none()

    def get_queryset(self) -> QuerySet[Invoice]:
        if is_staff_with(self.request.user, "billing.view_invoice"):
            return Invoice.objects.all()
        if guest := guest_of(self.request):
            return Invoice.objects.filter(order=guest.order)
        return queries.invoices_of(buyer_of_user(cast(int, self.request.user.pk)))


class Invoices(InvoiceView):
    """The list of invoices."""

    filterset_class = InvoiceFilter
    serializer_class = InvoiceOutput

    @extend_schema(responses=InvoiceOutput(many=True))
    def get(self, request: Request) -> Response:
        """List the caller's invoices, newest first; staff see all invoices."""
        invoices = self.get_queryset()
        is_polled = "updated_after" in request.query_params
        page = queries.with_details(self.page_of(queries.changed_invoices(invoices) if is_polled else invoices))
        return self.get_paginated_response(InvoiceOutput(page, many=True).data)


class OneInvoice(InvoiceView):
    """One invoice."""

    authentication_classes = FOR_GUESTS
    serializer_class = InvoiceOutput

    @extend_schema(
        responses={(200, JSON): InvoiceOutput, (200, HTML): OpenApiTypes.STR},
        parameters=READING,
    )
    def get(self, request: Request, number: str) -> Response | HttpResponse:
        """Retrieve an invoice; with `Accept: text/html` it is a page to print."""
        invoice = queries.invoice(InvoiceNumber(number), self.get_queryset())
        join_story(invoice.correlation_id)
        headers = {**etag(invoice), "Vary": "Accept"}
        if request._request.get_preferred_type([JSON, HTML]) == HTML:
            return printed_invoice(invoice, headers)
        return Response(InvoiceOutput(invoice).data, headers=headers)
