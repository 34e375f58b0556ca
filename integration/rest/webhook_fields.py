"""The fields of webhook endpoints and their attempts in the API."""

from typing import Any

from rest_framework import serializers

from integration.gateways.public_addresses import LONGEST_URL
from integration.rest.fields import Choice, Input, MomentField, Text, WholeNumber, YesNo
from integration.webhooks.endpoints import MOST_CONCURRENCY
from integration.webhooks.models import EndpointStatus

MOST_EVENTS = 200
"""Entries of a list of events."""


def _names(**options: Any) -> Any:
    return serializers.ListField(child=Text(max_length=80), max_length=MOST_EVENTS, **options)


class EndpointChanges(Input):
    """Changes to an endpoint; a field that is left out stays as it is."""

    url = Text(
        max_length=LONGEST_URL,
        required=False,
        help_text="Where requests are sent. It must begin with https:// and lead to a public address.",
    )
    events = _names(
        required=False,
        allow_empty=False,
        help_text='The events that are sent, by name, such as ordering.order-placed; or `"*"` for all.',
    )
    description = Text(max_length=2_000, required=False, allow_blank=True, help_text="For people.")
    personal_data = _names(
        required=False,
        help_text="The events that are sent with personal data. It requires the permission to send personal data. The "
        "endpoint then also gets ordering.buyer-erased.",
    )
    ordered = YesNo(required=False, help_text="Whether the events of one order are sent one after the other.")
    concurrency = WholeNumber(
        min_value=1,
        max_value=MOST_CONCURRENCY,
        required=False,
        help_text="The most requests at the same time; by default 4.",
    )
    status = Choice(EndpointStatus.choices, required=False, help_text="Whether events are sent.")


class EndpointInput(EndpointChanges):
    """An endpoint to register."""

    url = Text(
        max_length=LONGEST_URL,
        help_text="Where requests are sent. It must begin with https:// and lead to a public address.",
    )
    events = _names(
        allow_empty=False,
        help_text='The events that are sent, by name, such as ordering.order-placed; or `"*"` for all.',
    )
    status = None  # type: ignore[assignment]  # a new endpoint is enabled


class EndpointOutput(serializers.Serializer):
    """A webhook endpoint."""

    id = serializers.UUIDField(help_text="Its identifier.")
    url = serializers.CharField(help_text="Where requests are sent.")
    events = serializers.ListField(child=serializers.CharField(), help_text="The events that are sent.")
    description = serializers.CharField(help_text="For people.")
    personal_data = serializers.ListField(
        child=serializers.CharField(), help_text="The events that are sent with personal data."
    )
    ordered = serializers.BooleanField(help_text="Whether the events of one order are sent one after the other.")
    concurrency = serializers.IntegerField(help_text="The most requests at the same time.")
    status = serializers.ChoiceField(choices=EndpointStatus.choices, help_text="Whether events are sent.")
    disabled_because = serializers.CharField(allow_null=True, help_text="Why it is disabled; null if it is enabled.")
    disabled_at = serializers.DateTimeField(allow_null=True, help_text="Since when it is disabled.")
    failures = serializers.IntegerField(help_text="Failed attempts since the last success.")
    secret_number = serializers.IntegerField(help_text="Which of its secrets is the current one, from 1.")
    created_at = serializers.DateTimeField(help_text="When it was registered.")
    updated_at = serializers.DateTimeField(help_text="When staff last changed it.")


class EndpointWithSecret(EndpointOutput):
    """A webhook endpoint, and its secret, which no other response contains."""

    secret = serializers.CharField(
        help_text="`whsec_` and the key in base64. It verifies the header webhook-signature.", required=False
    )


class AttemptOutput(serializers.Serializer):
    """One request to an endpoint."""

    id = serializers.IntegerField(help_text="Its identifier.")
    message = serializers.UUIDField(source="delivery.message_id", help_text="The event's id, sent as webhook-id.")
    type = serializers.CharField(source="delivery.name", help_text="The event's name.")
    test = serializers.BooleanField(source="delivery.is_test", help_text="Whether it was a test.")
    attempt = serializers.IntegerField(source="number", help_text="Which attempt it was, from 1.")
    at = serializers.DateTimeField(help_text="When it ended.")
    status = serializers.IntegerField(allow_null=True, help_text="Of the HTTP response; null without a response.")
    milliseconds = serializers.IntegerField(help_text="How long it took.")
    response = serializers.CharField(help_text="The first 2 KiB of the response's body.")
    error = serializers.CharField(help_text="Why there was no response; otherwise empty.")


class TestOutput(serializers.Serializer):
    """A test that will be sent."""

    id = serializers.UUIDField(help_text="The test's webhook-id. The list of attempts shows its result.")


class EventsToReplayInput(Input):
    """A range of time."""

    since = MomentField(help_text="The first moment of the range.")
    until = MomentField(required=False, help_text="The moment after the range; by default now.")


class ReplayedEvents(serializers.Serializer):
    """The number of events that are sent again."""

    replayed = serializers.IntegerField(help_text="Events of the range that the endpoint wants.")
