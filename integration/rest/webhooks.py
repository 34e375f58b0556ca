"""Webhook endpoints over REST, for staff: register, change, test, replay, and the log of their attempts."""

from typing import Any, ClassVar
from uuid import UUID

import django_filters
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import PermissionDenied
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from integration.rest.etags import CHANGING, ETAG, LOCATION, READING, versions_expected
from integration.rest.fields import Input
from integration.rest.filters import YesNoFilter
from integration.rest.idempotency import idempotent
from integration.rest.views import View, is_staff_with, represent, staff_with
from integration.rest.webhook_fields import (
    AttemptOutput,
    EndpointChanges,
    EndpointInput,
    EndpointOutput,
    EndpointWithSecret,
    EventsToReplayInput,
    ReplayedEvents,
    TestOutput,
)
from integration.webhooks import endpoints as commands
from integration.webhooks.models import EndpointAttempt, EndpointStatus, Kind, WebhookEndpoint
from integration.webhooks.replay import replay
from integration.webhooks.signing import secret_of


class EndpointView(View):
    """A base view of endpoints: staff see them with one permission and change them with others."""

    permission_of: ClassVar[dict[str, str]] = {"POST": "add", "PATCH": "change", "DELETE": "delete"}

    def get_permissions(self) -> list[Any]:
        method = self.request.method or ""
        verb = "view" if method in SAFE_METHODS else self.permission_of[method]
        return [staff_with(f"integration.{verb}_webhookendpoint")()]

    def get_queryset(self) -> QuerySet[WebhookEndpoint]:
        return WebhookEndpoint.objects.filter(kind=Kind.WEBHOOK)

    def respond(self, endpoint: WebhookEndpoint, status: int = 200, **headers: str) -> Response:
        """The response with one endpoint."""
        tag = {"ETag": f'"{endpoint.version}"'}
        return Response(represent(EndpointOutput, _shown(endpoint)), status=status, headers={**tag, **headers})

    def granted(self, request: Request) -> dict[str, Any]:
        """The valid body; raises `PermissionDenied` if it grants personal data and the caller may not."""
        data = self.valid(request)
        if data.get("personal_data") and not is_staff_with(request.user, "integration.send_personal_data"):
            raise PermissionDenied("This requires the permission integration.send_personal_data.")
        return data


class WithSecret(EndpointView):
    """A base view whose POST responds with the endpoint's current secret, which is derived and never stored."""

    def secrets_of(self, data: Any) -> dict[str, str]:
        return {"secret": secret_of(UUID(str(data["id"])), data["secret_number"])} if "secret_number" in data else {}


class EndpointFilter(django_filters.FilterSet):
    """Filters the list by status."""

    status = django_filters.ChoiceFilter(choices=EndpointStatus.choices)


class Endpoints(WithSecret):
    """The list of endpoints."""

    filterset_class = EndpointFilter
    serializer_class = EndpointInput
    orderings: ClassVar = ("-id", "id")

    @extend_schema(operation_id="webhook_endpoints_list", responses=EndpointOutput(many=True))
    def get(self, request: Request) -> Response:
        """List webhook endpoints (staff)."""
        page = self.page_of(self.get_queryset())
        return self.get_paginated_response([represent(EndpointOutput, _shown(endpoint)) for endpoint in page])

    @extend_schema(
        operation_id="webhook_endpoints_create",
        request=EndpointInput,
        responses={201: EndpointWithSecret},
        parameters=[ETAG, LOCATION],
    )
    @idempotent
    def post(self, request: Request) -> Response:
        """Register a webhook endpoint (staff).

        Events that are published from now on are sent to it, signed as the Standard Webhooks specification says. This
        response is the only one that contains the secret.
        """
        endpoint = commands.register(self.granted(request), request.user)
        return self.respond(endpoint, 201, Location=reverse("webhook-endpoint", [endpoint.pk], request=request))


class OneEndpoint(EndpointView):
    """One endpoint."""

    serializer_class = EndpointChanges

    @extend_schema(operation_id="webhook_endpoints_retrieve", responses=EndpointOutput, parameters=READING)
    def get(self, request: Request, id: UUID) -> Response:
        """Retrieve a webhook endpoint (staff)."""
        return self.respond(_endpoint(id))

    @extend_schema(
        operation_id="webhook_endpoints_change", request=EndpointChanges, responses=EndpointOutput, parameters=CHANGING
    )
    def patch(self, request: Request, id: UUID) -> Response:
        """Change a webhook endpoint (staff).

        An endpoint that is enabled again gets what is published from now on, and what was pending. Replay what was
        published while it was disabled.
        """
        return self.respond(commands.change(id, self.granted(request), versions_expected(request)))

    @extend_schema(operation_id="webhook_endpoints_delete", responses={204: None})
    def delete(self, request: Request, id: UUID) -> Response:
        """Delete a webhook endpoint with its log (staff)."""
        commands.delete(id)
        return Response(status=204)


class NoInput(Input):
    """An empty body."""


class Changing(EndpointView):
    """A base view of what is done with one endpoint; it takes the permission to change it."""

    permission_of: ClassVar[dict[str, str]] = {"POST": "change"}


class Test(Changing):
    """Tests one endpoint."""

    serializer_class = NoInput

    @extend_schema(operation_id="webhook_endpoints_test", request=None, responses={202: TestOutput})
    @idempotent
    def post(self, request: Request, id: UUID) -> Response:
        """Send a test to a webhook endpoint (staff).

        An event of the type integration.endpoint-tested is sent once, even if the endpoint is disabled. Its result
        counts nowhere.
        """
        self.valid(request)
        return Response(represent(TestOutput, {"id": commands.send_test(id).message_id}), status=202)


class RotateSecret(WithSecret, Changing):
    """Rotates one endpoint's secret."""

    serializer_class = NoInput

    @extend_schema(operation_id="webhook_endpoints_rotate_secret", request=None, responses=EndpointWithSecret)
    @idempotent
    def post(self, request: Request, id: UUID) -> Response:
        """Give a webhook endpoint a new secret (staff).

        The old secret signs along for 24 hours. This response is the only one that contains the new one.
        """
        self.valid(request)
        return self.respond(commands.rotate_secret(id))


class ReplayEvents(Changing):
    """Replays a range to one endpoint."""

    serializer_class = EventsToReplayInput

    @extend_schema(
        operation_id="webhook_endpoints_replay", request=EventsToReplayInput, responses={202: ReplayedEvents}
    )
    @idempotent
    def post(self, request: Request, id: UUID) -> Response:
        """Send the events of a range of time again (staff).

        Each is sent under the id that it had. At most 10,000 events are replayed at once.
        """
        data = self.valid(request)
        return Response({"replayed": replay(id, data["since"], data.get("until"))}, status=202)


class AttemptFilter(django_filters.FilterSet):
    """Filters the log by event, status and kind."""

    message = django_filters.UUIDFilter(field_name="delivery__message_id", help_text="The attempts of one event.")
    test = YesNoFilter(field_name="delivery__is_test", help_text="Only tests, or none.")


class Attempts(EndpointView):
    """The log of one endpoint."""

    filterset_class = AttemptFilter
    serializer_class = AttemptOutput
    orderings: ClassVar = ("-id", "id")

    @extend_schema(operation_id="webhook_endpoints_attempts", responses=AttemptOutput(many=True))
    def get(self, request: Request, id: UUID) -> Response:
        """List the requests that were sent to a webhook endpoint (staff).

        The list begins with the newest. Requests are deleted after `WEBHOOK_LOG_DAYS`.
        """
        attempts = EndpointAttempt.objects.filter(endpoint=_endpoint(id)).select_related("delivery")
        page = self.paginate_queryset(self.filter_queryset(attempts)) or []
        return self.get_paginated_response([represent(AttemptOutput, attempt) for attempt in page])


def _endpoint(id: UUID) -> WebhookEndpoint:
    found = WebhookEndpoint.objects.filter(kind=Kind.WEBHOOK, pk=id).first()
    if found is None:
        raise commands.NoSuchEndpoint
    return found


def _shown(endpoint: WebhookEndpoint) -> WebhookEndpoint:
    endpoint.disabled_because = endpoint.disabled_because or None  # type: ignore[assignment]  # null if it is enabled
    return endpoint
