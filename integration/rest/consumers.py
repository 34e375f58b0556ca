"""Consumers over REST, for staff: how each one stands, and pausing and resuming it."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from integration.messaging.consumer_states import pause, resume
from integration.messaging.retries import Retries
from integration.messaging.standing import Standing, standing, standings
from integration.rest.fields import Input, Text
from integration.rest.idempotency import idempotent
from integration.rest.middleware import actor_of
from integration.rest.views import View, staff_with

MAY_VIEW = staff_with("integration.view_consumerstate")
MAY_CHANGE = staff_with("integration.change_consumerstate")


class RetriesOutput(serializers.Serializer):
    """When a failed delivery is tried again."""

    attempts = serializers.IntegerField(help_text="After so many failed attempts a delivery is a dead letter.")
    longest_wait = serializers.FloatField(help_text="The longest time between two attempts, in seconds.")
    lasts = serializers.FloatField(help_text="The longest time from the first attempt to the last, in seconds.")


class PausedOutput(serializers.Serializer):
    """Who paused a consumer, when and why."""

    by = serializers.CharField(help_text="A user such as user:12, or system if the consumer paused itself.")
    at = serializers.DateTimeField()
    reason = serializers.CharField()
    probed_at = serializers.DateTimeField(
        allow_null=True, help_text="When one of its deliveries was last tried; only if it paused itself."
    )


class ConsumerOutput(serializers.Serializer):
    """A consumer with its deliveries by state."""

    name = serializers.CharField()
    context = serializers.CharField()  # type: ignore[assignment]  # the API's word
    contract = serializers.CharField(allow_null=True, help_text="Null if this code does not know the consumer.")
    external = serializers.BooleanField(allow_null=True, help_text="Whether it calls an external system.")
    retries = RetriesOutput(allow_null=True)
    depth = serializers.IntegerField(help_text="Deliveries that are due, or held because the consumer is paused.")
    oldest = serializers.FloatField(help_text="Seconds that the oldest of them has waited.")
    waiting = serializers.IntegerField(help_text="Deliveries in flight, or due later.")
    parked = serializers.IntegerField(help_text="Deliveries that this code cannot read.")
    dead = serializers.IntegerField(help_text="Dead letters.")
    paused = PausedOutput(allow_null=True)


class ConsumersOutput(serializers.Serializer):
    """All consumers, on one page."""

    next = serializers.CharField(allow_null=True)
    previous = serializers.CharField(allow_null=True)
    results = ConsumerOutput(many=True)


class Consumers(View):
    """The list of consumers."""

    permission_classes = (MAY_VIEW,)
    serializer_class = ConsumersOutput

    @extend_schema(operation_id="consumers_list", responses=ConsumersOutput)
    def get(self, request: Request) -> Response:
        """List consumers.

        All of them by name, on one page, with their retry schedules and unsettled deliveries.
        """
        results = [_shown(each) for each in standings()]
        return Response(ConsumersOutput({"next": None, "previous": None, "results": results}).data)


class PauseInput(Input):
    """The reason why the consumer's deliveries are to wait."""

    reason = Text(max_length=2_000)


class Pause(View):
    """Pauses one consumer."""

    permission_classes = (MAY_CHANGE,)
    serializer_class = PauseInput

    @extend_schema(request=PauseInput, responses=ConsumerOutput)
    @idempotent
    def post(self, request: Request, name: str) -> Response:
        """Pause a consumer.

        Its deliveries wait, without using up attempts, until it is resumed. A delivery that is being handled is
        finished. A consumer that is already paused gets the new reason.
        """
        pause(name, self.valid(request)["reason"], actor_of(request.user))
        return Response(ConsumerOutput(_shown(standing(name))).data)


class ResumeInput(Input):
    """An empty body."""


class Resume(View):
    """Resumes one consumer."""

    permission_classes = (MAY_CHANGE,)
    serializer_class = ResumeInput

    @extend_schema(request=None, responses=ConsumerOutput)
    @idempotent
    def post(self, request: Request, name: str) -> Response:
        """Resume a consumer.

        Its deliveries are handled again, in portions. A consumer that is not paused is a 409.
        """
        self.valid(request)
        resume(name, actor_of(request.user))
        return Response(ConsumerOutput(_shown(standing(name))).data)


def _shown(standing: Standing) -> dict[str, Any]:
    """The values of `ConsumerOutput`."""
    consumer, state, backlog = standing.consumer, standing.state, standing.backlog
    paused = {"by": state.paused_by, "at": state.paused_at, "reason": state.reason, "probed_at": state.probed_at}
    return {
        "name": standing.name,
        "context": standing.name.partition(".")[0],
        "contract": consumer and consumer.listens_to.wire_name,
        "external": consumer and consumer.external,
        "retries": consumer and _seconds(consumer.retry_schedule),
        "depth": backlog.pending + standing.held,
        "oldest": round(standing.oldest, 1),
        "waiting": backlog.waiting - standing.held,
        "parked": backlog.parked,
        "dead": backlog.dead,
        "paused": paused if state.is_paused else None,
    }


def _seconds(retries: Retries) -> dict[str, float]:
    return {
        "attempts": retries.attempts,
        "longest_wait": retries.longest_wait.total_seconds(),
        "lasts": retries.lasts.total_seconds(),
    }
