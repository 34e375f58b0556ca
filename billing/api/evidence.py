"""REST view of the evidence for a dispute: all that shows what was ordered, sent and written, as one download."""

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from billing import queries
from billing.api.disputes import DisputeOutput
from billing.api.outputs import InvoiceOutput
from integration.domain.identifiers import BuyerId, OrderNumber
from integration.domain.metadata import join_story
from integration.history.story import story
from integration.rest.etags import READING, etag
from integration.rest.export import exported
from integration.rest.views import View, staff_with


class EvidenceEvent(serializers.Serializer):
    """One event of the order's story."""

    type = serializers.CharField(source="name")
    context = serializers.CharField()  # type: ignore[assignment]  # the field name is part of the API
    occurred_at = serializers.DateTimeField()
    summary = serializers.CharField()


class Evidence(View):
    """What a bank wants to see about a disputed payment."""

    permission_classes = (staff_with("billing.view_dispute"),)
    pagination_class = None

    @extend_schema(responses=OpenApiTypes.OBJECT, parameters=READING)
    def get(self, request: Request, id: str) -> Response:
        """Download the evidence for a dispute.

        It has the invoice with its payments and refunds, every event of the order's story in all contexts, the order's
        shipments with tracking numbers and scans, its returns, and the letters that name the order.
        """
        dispute = queries.dispute(id)
        join_story(dispute.correlation_id)
        order, payer = OrderNumber(dispute.order), BuyerId(dispute.invoice.payer)
        of_others = exported(payer, [order])
        shown: dict[str, Any] = {
            "dispute": DisputeOutput(dispute).data,
            "invoice": InvoiceOutput(queries.with_details([dispute.invoice])[0]).data,
            "events": EvidenceEvent(story(dispute.correlation_id), many=True).data,
            "shipments": of_others["shipments"],
            "returns": of_others["returns"],
            "letters": [letter for letter in of_others["letters"] if order in str(letter)],
        }
        file = f'attachment; filename="evidence-{dispute.id}.json"'
        return Response(shown, headers={**etag(dispute), "Content-Disposition": file, "Cache-Control": "no-store"})
