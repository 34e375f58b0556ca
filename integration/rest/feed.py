"""The feed over REST, for staff: integration events as CloudEvents, in an order that misses none.

A reader may wait for the next event. A waiting request holds no thread: the server puts it aside and calls the view
again when there is something to read, or when its time is over (`config.waiting`). Under a server that cannot do this,
the response comes at once.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from django.http import HttpResponse
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import APIException, ErrorDetail, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from integration.contracts.contract import contracts
from integration.contracts.registry import context_of, meaning_of, schema_of
from integration.messaging.consumers import consumers_of
from integration.messaging.feed import MOST_EVENTS, read_feed
from integration.rest.views import View, staff_with

MAY_READ = staff_with("integration.read_feed")
LONGEST_WAIT = 20
"""The most seconds that a reader may wait for the next event."""
SET_ASIDE = "waybill.set_aside"
"""The key of the WSGI environment under which the server passes a function that sets the request aside."""


class Waits(NamedTuple):
    """What a reader waits for.

    Args:
        seconds: how long.
        after: the cursor up to which the reader has read.
        types: the wanted types; empty means all.
        is_ready: whether there is something to read already, and the reader waits only for its turn.
    """

    seconds: int
    after: int
    types: frozenset[str]
    is_ready: bool


SetAside = Callable[[Waits], HttpResponse | None]
"""Returns what the view responds when it is set aside, which nobody receives. None if the view is to respond itself,
because its time is over or it has had its turn. Raises `TooManyWaiting`."""


class TooManyWaiting(APIException):
    """As many readers as the server allows wait already."""

    status_code = 503
    default_code = "too_many_waiting"
    default_detail = "Too many readers wait for the feed. Retry later, or without wait."
    wait = 5


class EventOutput(serializers.Serializer):
    """An integration event as a CloudEvent 1.0."""

    specversion = serializers.CharField(help_text="The version of the CloudEvents specification.")
    id = serializers.UUIDField(help_text="The id of the event. It never changes: recognize by it what came twice.")
    source = serializers.CharField(help_text="The publisher, such as /waybill/ordering.")  # type: ignore[assignment]  # CloudEvents names it so
    type = serializers.CharField(help_text="The wire name of the contract, such as ordering.order-placed.")
    subject = serializers.CharField(required=False, help_text="What it is about: an order, a SKU or a buyer.")
    time = serializers.DateTimeField(help_text="When it was published.")
    datacontenttype = serializers.CharField(help_text="The media type of `data`: application/json.")
    dataschema = serializers.CharField(help_text="The id of the JSON Schema of `data`; see the catalogue of events.")
    correlationid = serializers.UUIDField(help_text="The story that it belongs to.")
    causationid = serializers.UUIDField(required=False, help_text="The event that caused it.")
    traceparent = serializers.CharField(required=False, help_text="Its place in a distributed trace (W3C).")
    data = serializers.DictField(help_text="The facts, without personal data.")  # type: ignore[assignment]  # CloudEvents names it so


class FeedOutput(serializers.Serializer):
    """A batch of the feed."""

    events = EventOutput(many=True, help_text=f"At most {MOST_EVENTS} events, in the order of the feed.")
    cursor = serializers.CharField(help_text="Give it as `after` in the next request, once the events are processed.")


def _parameter(name: str, description: str, kind: type = str, **more: Any) -> OpenApiParameter:
    return OpenApiParameter(name, kind, OpenApiParameter.QUERY, description=description, **more)


class Feed(View):
    """The feed."""

    permission_classes = (MAY_READ,)
    serializer_class = FeedOutput
    query_parameters = ("after", "types", "wait")
    problems = {"GET": (503,)}

    @extend_schema(
        operation_id="feed",
        responses=FeedOutput,
        parameters=[
            _parameter("after", "The `cursor` of the batch before. Without it the feed is read from the beginning."),
            _parameter("types", "Only these types of events, separated by commas, such as ordering.order-placed."),
            _parameter("wait", f"Seconds to wait for the next event, at most {LONGEST_WAIT}.", int),
        ],
    )
    def get(self, request: Request) -> Any:
        """Read integration events.

        Every event once, in an order that misses none, however late a transaction commits. A batch has at most 200
        events. If it has fewer, there are no more yet. With `wait` the response comes with the next event, or without
        events when the time is over. When many readers wait, each gets its events a few seconds later. If too many
        wait, the response is a 503 with `Retry-After`.
        """
        after, types, wait = _asked(request)
        batch = read_feed(after, types)
        aside: SetAside | None = request.META.get(SET_ASIDE)
        if wait and aside and not batch.is_full:
            response = aside(Waits(wait, batch.cursor, types, bool(batch.events)))
            if response is not None:
                return response
        return Response({"events": batch.events, "cursor": str(batch.cursor)})


def _asked(request: Request) -> tuple[int, frozenset[str], int]:
    """The valid query parameters; raises `ValidationError`."""
    after, wait = request.query_params.get("after", "0"), request.query_params.get("wait", "0")
    types = frozenset(filter(None, request.query_params.get("types", "").split(",")))
    errors = {}
    if not (after.isascii() and after.isdigit() and len(after) <= 18):
        errors["after"] = ErrorDetail("This is no cursor of the feed.", "invalid")
    if unknown := sorted(types - dict(contracts.items()).keys()):
        errors["types"] = ErrorDetail(f"There is no such type of event: {unknown[0][:80]}", "unknown_type")
    if not (wait.isascii() and wait.isdigit() and len(wait) <= 2 and int(wait) <= LONGEST_WAIT):
        errors["wait"] = ErrorDetail(f"Give whole seconds from 0 to {LONGEST_WAIT}.", "invalid")
    if errors:
        raise ValidationError(errors)
    return int(after), types, int(wait)


class CatalogEntryOutput(serializers.Serializer):
    """An integration event."""

    type = serializers.CharField(help_text="The wire name of the contract.")
    version = serializers.IntegerField(help_text="The newest version of its data.")
    publisher = serializers.CharField(help_text="The context that publishes it.")
    description = serializers.CharField(help_text="What it means.")
    consumers = serializers.ListField(child=serializers.CharField(), help_text="The wire names of its consumers.")
    schema = serializers.DictField(help_text="The JSON Schema of its data.")


class CatalogOutput(serializers.Serializer):
    """All integration events, on one page."""

    next = serializers.CharField(allow_null=True, help_text="Always null.")
    previous = serializers.CharField(allow_null=True, help_text="Always null.")
    results = CatalogEntryOutput(many=True, help_text="By publisher and name.")


class Catalog(View):
    """The catalogue of integration events."""

    permission_classes = (MAY_READ,)
    serializer_class = CatalogOutput

    @extend_schema(operation_id="events_catalog", responses=CatalogOutput)
    def get(self, request: Request) -> Response:
        """List integration events.

        All of them, with publisher, consumers and the JSON Schema of the newest version. Fields that are marked as
        personal there are empty in the feed.
        """
        results = [
            {
                "type": name,
                "version": contract.schema_version,
                "publisher": context_of(name),
                "description": meaning_of(contract),
                "consumers": sorted(consumer.name for consumer in consumers_of(contract)),
                "schema": schema_of(contract),
            }
            for name, contract in sorted(contracts.items())
        ]
        return Response({"next": None, "previous": None, "results": results})
