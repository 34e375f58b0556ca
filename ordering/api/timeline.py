"""REST view of an order's timeline."""

from typing import Any
from zlib import crc32

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from integration.rest.etags import READING
from integration.rest.guests import FOR_GUESTS
from integration.rest.people import who_caused
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
    by = serializers.CharField(help_text="Who caused the event, or why it happened automatically.")


class Timeline(OrderView):
    """The timeline of an order."""

    authentication_classes = FOR_GUESTS
    pagination_class = None

    @extend_schema(responses=TimelineEntry(many=True), parameters=READING)
    def get(self, request: Request, number: str) -> Response:
        """List the events of an order in all contexts, each after its cause."""
        entries: list[Any] = queries.timeline(self.order(number))
        for entry, by in zip(entries, who_caused(entries, request.user, sees_people=self.sees_all), strict=True):
            entry.by = by
        people = crc32("\n".join(entry.by for entry in entries).encode())  # their names may change
        tag = f'"{len(entries)}-{entries[-1].id.hex}-{people:x}"'
        return Response(TimelineEntry(entries, many=True).data, headers={"ETag": tag})
