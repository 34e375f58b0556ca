"""The page of an invoice to print."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from django.conf import settings
from django.http import HttpResponse
from django.template.loader import render_to_string

from billing import queries
from billing.models import Invoice
from integration.domain.identifiers import Sku
from integration.rest.middleware import PRINTED


def printed_invoice(invoice: Invoice, headers: Mapping[str, str] = MappingProxyType({})) -> HttpResponse:
    """The page to print of an invoice that `with_details` loaded."""
    page = render_to_string("billing/invoice.html", _shown(invoice))
    return HttpResponse(page, headers={**headers, **PRINTED})


def _shown(invoice: Invoice) -> dict[str, Any]:
    """What the page of an invoice shows: all details of article 226 of Directive 2006/112/EC that billing knows."""
    totals, (number, issued_at) = invoice.line_totals(), queries.document_number(invoice)
    return {
        "invoice": invoice,
        "number": number or invoice.number,
        "issued_at": issued_at,
        "seller": settings.SELLER,
        "payer": queries.payer_of(invoice),
        "lines": [(line, totals[Sku(line.sku)]) for line in invoice.lines],
        "taxes": invoice.taxes_by_rate(),
        "credit_notes": queries.credit_notes(invoice),
    }
