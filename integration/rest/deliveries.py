"""Deliveries over REST, for staff: list and retrieve them, and replay or skip those that failed."""

from typing import Any

import django_filters
from django.db.models import Q, QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from integration.history.shown import shown_facts_of_message
from integration.messaging import dead_letters
from integration.messaging.models import OPEN, RETRYING, Delivery, Status
from integration.messaging.replay_jobs import Selection, replay_now
from integration.rest.fields import Choice, Input, Text
from integration.rest.idempotency import idempotent
from integration.rest.middleware import actor_of
from integration.rest.views import View, staff_with

RETRYING_NAME = "retrying"
CHOICES = [*Status.choices, (RETRYING_NAME, RETRYING_NAME.capitalize())]
"""The statuses to select by: those that are stored, and one that is made of them."""

MAY_VIEW = staff_with("integration.view_delivery")
MAY_CHANGE = staff_with("integration.change_delivery")


class MessageOutput(serializers.Serializer):
    """The message that a delivery carries."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    version = serializers.IntegerField()
    occurred_at = serializers.DateTimeField()
    correlation_id = serializers.UUIDField()


class DeliveryOutput(serializers.Serializer):
    """The delivery of one message to one consumer."""

    id = serializers.IntegerField()
    message = MessageOutput()
    consumer = serializers.CharField()
    status = serializers.ChoiceField(choices=Status.choices)
    attempts = serializers.IntegerField()
    due_at = serializers.DateTimeField(
        allow_null=True, help_text="Null while the delivery is parked, or waits until nothing else is due."
    )
    done_at = serializers.DateTimeField(allow_null=True)
    error = serializers.CharField()
    skip_reason = serializers.CharField()
    skipped_by = serializers.CharField()
    skipped_at = serializers.DateTimeField(allow_null=True)


class DeliveryDetails(DeliveryOutput):
    """A delivery with the payload of its message, without personal values, and the last traceback."""

    payload = serializers.SerializerMethodField()
    traceback = serializers.CharField()

    @extend_schema_field(serializers.JSONField)
    def get_payload(self, delivery: Delivery) -> dict[str, Any]:
        return shown_facts_of_message(delivery.message, may_see=lambda entry: False)


class DeliveryFilter(django_filters.FilterSet):
    """Filters the list by status, by consumer and by a part of the error."""

    status = django_filters.ChoiceFilter(
        choices=CHOICES, method="filter_status", help_text="Retrying: pending, after at least one failed attempt."
    )
    consumer = django_filters.CharFilter()
    error = django_filters.CharFilter(
        method="filter_error", max_length=200, help_text="A part of the last error. Deliveries that are done have none."
    )

    def filter_status(self, deliveries: QuerySet[Delivery], name: str, status: str) -> QuerySet[Delivery]:
        return deliveries.filter(RETRYING if status == RETRYING_NAME else Q(status=status))

    def filter_error(self, deliveries: QuerySet[Delivery], name: str, error: str) -> QuerySet[Delivery]:
        return deliveries.filter(OPEN | Q(status=Status.SKIPPED), error__contains=error)


class Deliveries(View):
    """The list of deliveries, without archived ones."""

    permission_classes = (MAY_VIEW,)
    queryset = Delivery.objects.select_related("message").defer("traceback", "message__data")
    filterset_class = DeliveryFilter
    serializer_class = DeliveryOutput
    orderings = ("-id", "id")

    @extend_schema(responses=DeliveryOutput(many=True))
    def get(self, request: Request) -> Response:
        """List deliveries.

        The list starts with the newest delivery. Archived deliveries are not included.
        """
        page = self.page_of(self.get_queryset())
        return self.get_paginated_response(DeliveryOutput(page, many=True).data)


class OneDelivery(View):
    """One delivery."""

    permission_classes = (MAY_VIEW,)
    serializer_class = DeliveryDetails

    @extend_schema(responses=DeliveryDetails)
    def get(self, request: Request, id: int) -> Response:
        """Retrieve a delivery.

        The response includes the payload of the message, without personal values, and the traceback of the last failed
        attempt.
        """
        return Response(DeliveryDetails(dead_letters.delivery(id)).data)


class ReplayOneInput(Input):
    """An empty body."""


class ReplayOne(View):
    """Replays one delivery."""

    permission_classes = (MAY_CHANGE,)
    serializer_class = ReplayOneInput

    @extend_schema(operation_id="deliveries_replay_one", request=None, responses={202: DeliveryDetails})
    @idempotent
    def post(self, request: Request, id: int) -> Response:
        """Replay a delivery.

        The delivery becomes due immediately, and its count of attempts restarts at zero. A delivery that is already
        done or skipped is a 409.
        """
        self.valid(request)
        return Response(DeliveryDetails(dead_letters.replay_one(id)).data, status=202)


class ReplayInput(Input):
    """Selects deliveries by status, by consumer and by a part of the error; an empty body selects all."""

    status = Choice(choices=CHOICES, required=False)
    consumer = Text(max_length=80, required=False)
    error = Text(max_length=200, required=False)


class Replayed(serializers.Serializer):
    """The number of deliveries that are retried."""

    replayed = serializers.IntegerField()


class Replay(View):
    """Replays the selected deliveries."""

    permission_classes = (MAY_CHANGE,)
    serializer_class = ReplayInput

    @extend_schema(operation_id="deliveries_replay_many", request=ReplayInput, responses={202: Replayed})
    @idempotent
    def post(self, request: Request) -> Response:
        """Replay deliveries.

        Every selected delivery that is dead or pending becomes due immediately, and its count of attempts restarts at
        zero. Deliveries that are done or skipped are left alone. The admin lists the replay with its result.
        """
        job = replay_now(Selection(**self.valid(request)), actor_of(request.user))
        return Response({"replayed": job.replayed}, status=202)


class SkipInput(Input):
    """The reason why the delivery is not to be handled."""

    reason = Text(max_length=2_000)


class Skip(View):
    """Skips one delivery."""

    permission_classes = (MAY_CHANGE,)
    serializer_class = SkipInput

    @extend_schema(request=SkipInput, responses=DeliveryDetails)
    @idempotent
    def post(self, request: Request, id: int) -> Response:
        """Skip a delivery.

        A skipped delivery is never handled, and skipping it cannot be undone. The delivery must be dead, be parked or
        have failed at least once; otherwise the response is a 409.
        """
        skipped = dead_letters.skip_one(id, self.valid(request)["reason"], actor_of(request.user))
        return Response(DeliveryDetails(skipped).data)
