"""REST view of an order's timeline."""

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from integration.rest.etags import READING
from ordering import queries
from ordering.api.orders import OrderView


class TimelineEntry(serializers.Serializer):
    """One event of an order's story."""

    event_id = serializers.UUIDField(source="id")
    type = serializers.CharField(source="name")
    context = serializers.CharField()  # type: ignore[assignment]  # the name stands in the contract
    occurred_at = serializers.DateTimeField()
    causation_id = serializers.UUIDField(allow_null=True)
    summary = serializers.CharField()


class Timeline(OrderView):
    """An order's story."""

    pagination_class = None

    @extend_schema(responses=TimelineEntry(many=True), parameters=READING)
    def get(self, request: Request, number: str) -> Response:
        """Every event of the order's story, in all contexts, each after its cause."""
        entries = queries.timeline(self.order(number))
        tag = f'"{len(entries)}-{entries[-1].id.hex}"'
        return Response(TimelineEntry(entries, many=True).data, headers={"ETag": tag})
