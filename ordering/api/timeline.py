"""REST view of an order's timeline."""

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from integration.rest.etags import READING
from ordering import queries
from ordering.api.orders import OrderView


class TimelineEntry(serializers.Serializer):
    """One event in the timeline of an order."""

    event_id = serializers.UUIDField(source="id")
    type = serializers.CharField(source="name")
    context = serializers.CharField()  # type: ignore[assignment]  # the field name is part of the API
    occurred_at = serializers.DateTimeField()
    causation_id = serializers.UUIDField(allow_null=True)
    summary = serializers.CharField()


class Timeline(OrderView):
    """The timeline of an order."""

    pagination_class = None

    @extend_schema(responses=TimelineEntry(many=True), parameters=READING)
    def get(self, request: Request, number: str) -> Response:
        """List the events of an order in all contexts, each after its cause."""
        entries = queries.timeline(self.order(number))
        tag = f'"{len(entries)}-{entries[-1].id.hex}"'
        return Response(TimelineEntry(entries, many=True).data, headers={"ETag": tag})
