"""Deliveries over REST, for staff: what is on its way or was given up, and having it tried again or skipped."""

from typing import Any

import django_filters
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from integration.messaging import dead_letters
from integration.messaging.models import Delivery, Status
from integration.rest.fields import Input, Text
from integration.rest.idempotency import idempotent
from integration.rest.middleware import actor_of
from integration.rest.views import View, staff_with

MAY_VIEW = staff_with("integration.view_delivery")
MAY_CHANGE = staff_with("integration.change_delivery")


class MessageOutput(serializers.Serializer):
    """What is told."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    version = serializers.IntegerField()
    occurred_at = serializers.DateTimeField()
    correlation_id = serializers.UUIDField()


class DeliveryOutput(serializers.Serializer):
    """One message on its way to one consumer."""

    id = serializers.IntegerField()
    message = MessageOutput()
    consumer = serializers.CharField()
    status = serializers.ChoiceField(choices=Status.choices)
    attempts = serializers.IntegerField()
    due_at = serializers.DateTimeField()
    done_at = serializers.DateTimeField(allow_null=True)
    error = serializers.CharField()
    skip_reason = serializers.CharField()
    skipped_by = serializers.CharField()
    skipped_at = serializers.DateTimeField(allow_null=True)


class DeliveryDetails(DeliveryOutput):
    """A delivery with what is delivered, and where the last attempt failed."""

    payload = serializers.JSONField(source="message.data")
    traceback = serializers.CharField()


class DeliveryFilter(django_filters.FilterSet):
    """Which deliveries to list."""

    status = django_filters.ChoiceFilter(choices=Status.choices)
    consumer = django_filters.CharFilter()


class Deliveries(View):
    """All deliveries but those in the archive."""

    permission_classes = (MAY_VIEW,)
    queryset = Delivery.objects.select_related("message").defer("traceback", "message__data")
    filterset_class = DeliveryFilter
    serializer_class = DeliveryOutput
    orderings = ("-id", "id")

    @extend_schema(responses=DeliveryOutput(many=True))
    def get(self, request: Request) -> Response:
        """Deliveries, newest first."""
        page = self.page_of(self.get_queryset())
        return self.get_paginated_response(DeliveryOutput(page, many=True).data)


class OneDelivery(View):
    """One delivery."""

    permission_classes = (MAY_VIEW,)
    serializer_class = DeliveryDetails

    @extend_schema(responses=DeliveryDetails)
    def get(self, request: Request, id: int) -> Response:
        """A delivery, its payload, and the traceback of the last attempt that failed."""
        return Response(DeliveryDetails(dead_letters.delivery(id)).data)


class ReplayOneInput(Input):
    """Nothing but the wish."""


class ReplayOne(View):
    """Have one delivery tried again."""

    permission_classes = (MAY_CHANGE,)
    serializer_class = ReplayOneInput

    @extend_schema(operation_id="deliveries_replay_one", request=None, responses={202: DeliveryDetails})
    @idempotent
    def post(self, request: Request, id: int) -> Response:
        """It is due at once, as if never tried; 409 when it is settled."""
        self.valid(request)
        return Response(DeliveryDetails(dead_letters.replay_one(id)).data, status=202)


class ReplayInput(Input):
    """Which deliveries: those of this status, of this consumer, of both, or all."""

    status = serializers.ChoiceField(choices=Status.choices, required=False)
    consumer = Text(max_length=80, required=False)


class Replayed(serializers.Serializer):
    """How many are tried again."""

    replayed = serializers.IntegerField()


class Replay(View):
    """Have many deliveries tried again."""

    permission_classes = (MAY_CHANGE,)
    serializer_class = ReplayInput

    @extend_schema(operation_id="deliveries_replay_many", request=ReplayInput, responses={202: Replayed})
    @idempotent
    def post(self, request: Request) -> Response:
        """The dead and the pending ones among those named are due at once, as if never tried."""
        return Response({"replayed": dead_letters.replay(_named(self.valid(request)))}, status=202)


class SkipInput(Input):
    """Why it need not be handled."""

    reason = Text(max_length=2_000)


class Skip(View):
    """Give up a delivery for good."""

    permission_classes = (MAY_CHANGE,)
    serializer_class = SkipInput

    @extend_schema(request=SkipInput, responses=DeliveryDetails)
    @idempotent
    def post(self, request: Request, id: int) -> Response:
        """It is never handled; 409 unless it is dead or has failed."""
        skipped = dead_letters.skip_one(id, self.valid(request)["reason"], actor_of(request.user))
        return Response(DeliveryDetails(skipped).data)


def _named(filters: dict[str, Any]) -> QuerySet[Delivery]:
    return Delivery.objects.filter(**filters)
