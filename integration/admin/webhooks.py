"""The pages of webhook endpoints, of the messages sent to them, and of the log of attempts."""

from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse

from integration.admin.columns import (
    NOTHING,
    column,
    facts,
    figure,
    linked,
    list_url,
    moment,
    preformatted,
    story_column,
)
from integration.admin.pages import Question, ReadOnlyAdmin
from integration.domain import clock
from integration.webhooks import endpoints as commands
from integration.webhooks.models import EndpointAttempt, EndpointDelivery, EndpointStatus, WebhookEndpoint
from integration.webhooks.replay import replay


class Replaying(Question):
    """Asks from when on the chosen endpoints get everything again."""

    hours = forms.IntegerField(
        min_value=1, max_value=24 * 90, initial=24, help_text="What was published in these last hours is sent again."
    )


@admin.register(WebhookEndpoint)
class WebhookEndpointAdmin(ReadOnlyAdmin):
    """The pages of endpoints. Their secrets are shown only by the API, to the request that makes them."""

    list_display = ("url", "description", "status", "disabled_because", figure("failures"), moment("created_at"))
    list_filter = ("status", "kind")
    search_fields = ("url__contains", "description__contains")
    uuids = ("pk",)
    actions = ("enable_endpoints", "disable_endpoints", "test_endpoints", "replay_to_endpoints")
    fieldsets = (
        (None, {"fields": ("url", "description", ("kind", "owner"), ("status", "disabled_because"))}),
        ("What it gets", {"fields": (facts("events"), facts("personal_data", "personal data"))}),
        ("How", {"fields": (("ordered", "concurrency"), ("secret_number", "failures"))}),
        ("When", {"fields": ((moment("created_at"), moment("updated_at"), moment("disabled_at")),)}),
        ("Failing", {"fields": ((moment("failing_since", "failing since"), moment("not_before", "not before")),)}),
    )

    def why_not(self, action: str, row: WebhookEndpoint) -> str:
        has_effect = {"enable_endpoints": not row.is_enabled, "disable_endpoints": row.is_enabled}.get(action, True)
        return "" if has_effect else f"it is {row.status}"

    def tools(self, request: HttpRequest, row: WebhookEndpoint) -> list[tuple[str, str]]:
        kinds = (("Messages", EndpointDelivery), ("Attempts", EndpointAttempt))
        return [(label, list_url(kind, {"endpoint__id__exact": row.pk})) for label, kind in kinds]

    @admin.action(description="Enable", permissions=["act"])
    def enable_endpoints(self, request: HttpRequest, chosen: QuerySet[WebhookEndpoint]) -> None:
        """Enable the chosen endpoints."""
        self.perform(request, self.not_too_many(request, chosen), _enable)

    @admin.action(description="Disable", permissions=["act"])
    def disable_endpoints(self, request: HttpRequest, chosen: QuerySet[WebhookEndpoint]) -> None:
        """Disable the chosen endpoints."""
        self.perform(request, self.not_too_many(request, chosen), _disable)

    @admin.action(description="Send a test", permissions=["act"])
    def test_endpoints(self, request: HttpRequest, chosen: QuerySet[WebhookEndpoint]) -> None:
        """Send a test to the chosen endpoints."""
        self.perform(request, self.not_too_many(request, chosen), _test)

    @admin.action(description="Replay …", permissions=["act"])
    def replay_to_endpoints(self, request: HttpRequest, chosen: QuerySet[WebhookEndpoint]) -> HttpResponse | None:
        """Ask for a range and send its messages to the chosen endpoints again."""
        return self.ask(request, chosen, "replay_to_endpoints", Replaying, _replay)


@admin.register(EndpointDelivery)
class EndpointDeliveryAdmin(ReadOnlyAdmin):
    """The pages of messages for endpoints."""

    list_display = (
        "name",
        "key",
        "status",
        figure("attempts"),
        linked(WebhookEndpoint, "endpoint_id", "endpoint"),
        moment("due_at", "due"),
        moment("settled_at"),
        story_column(),
    )
    list_filter = ("status", "is_test")
    uuids = ("message_id", "correlation_id")
    story_path = "correlation_id"
    sortable_by = ()
    fieldsets = (
        (None, {"fields": (("name", "message_id"), linked(WebhookEndpoint, "endpoint_id", "endpoint"), "key")}),
        ("State", {"fields": (("status", "attempts", "is_test"), (moment("due_at", "due"), moment("settled_at")))}),
    )

    def tools(self, request: HttpRequest, row: EndpointDelivery) -> list[tuple[str, str]]:
        return [*super().tools(request, row), ("Attempts", list_url(EndpointAttempt, {"delivery__id__exact": row.pk}))]


@column("response")
def response(attempt: EndpointAttempt) -> Any:
    """The beginning of the response's body."""
    return preformatted(attempt.response)


@column("message")
def message(attempt: EndpointAttempt) -> str:
    """What was sent."""
    return f"{attempt.delivery.name} {attempt.delivery.message_id}"


@column("HTTP status")
def http_status(attempt: EndpointAttempt) -> str:
    """The status of the response, or a dash."""
    return str(attempt.status or NOTHING)


@admin.register(EndpointAttempt)
class EndpointAttemptAdmin(ReadOnlyAdmin):
    """The pages of attempts."""

    list_display = (moment("at"), message, figure("number", "attempt"), http_status, figure("milliseconds"), "error")
    list_select_related = ("delivery",)
    list_filter = ("status",)
    uuids = ("delivery__message_id", "endpoint_id")
    sortable_by = ()
    fieldsets = (
        (None, {"fields": (linked(WebhookEndpoint, "endpoint_id", "endpoint"), message, (moment("at"), "number"))}),
        ("Result", {"fields": ((http_status, "milliseconds"), "error", response)}),
    )


def _enable(endpoint: WebhookEndpoint) -> str:
    commands.change(endpoint.pk, {"status": EndpointStatus.ENABLED})
    return f"{endpoint} is enabled"


def _disable(endpoint: WebhookEndpoint) -> str:
    commands.change(endpoint.pk, {"status": EndpointStatus.DISABLED})
    return f"{endpoint} is disabled"


def _test(endpoint: WebhookEndpoint) -> str:
    commands.send_test(endpoint.pk)
    return f"a test is sent to {endpoint}"


def _replay(endpoint: WebhookEndpoint, question: Any) -> str:
    since = clock.now() - timedelta(hours=question.cleaned_data["hours"])
    return f"{replay(endpoint.pk, since)} messages are sent to {endpoint} again"
