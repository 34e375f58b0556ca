"""An endpoint is data. It has one row for each message that it is to get, and one for each attempt at sending that."""

from datetime import datetime
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q

from integration.contracts.ordering import BuyerErased
from integration.domain import clock
from integration.domain.identifiers import new_event_id
from integration.webhooks.signing import secret_of

EVERYTHING = "*"
"""Among an endpoint's events: all contracts, including those that there will be."""

ERASURE = BuyerErased.wire_name
"""The contract that every endpoint gets that was sent personal data, so that its owner erases the person, too."""


class Kind(models.TextChoices):
    """Where messages are sent."""

    WEBHOOK = "webhook"
    BROKER = "broker"


class EndpointStatus(models.TextChoices):
    """Whether an endpoint is sent to."""

    ENABLED = "enabled"
    DISABLED = "disabled"


class DeliveryStatus(models.TextChoices):
    """The state of a message for an endpoint."""

    PENDING = "pending"
    DONE = "done"
    DEAD = "dead"


class SharedOut(models.Model):
    """How far messages have been shared out among the endpoints: a number in the feed. The table has one row."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    number = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return str(self.number)


class WebhookEndpoint(models.Model):
    """A place that messages are sent to. It is owed those whose number in the feed is higher than `after`."""

    id = models.UUIDField(primary_key=True, default=new_event_id, editable=False)
    kind = models.CharField(max_length=8, choices=Kind, default=Kind.WEBHOOK, editable=False)
    url = models.CharField(max_length=2_000, blank=True)
    description = models.TextField(blank=True)
    events = models.JSONField(help_text="wire names of contracts, or *")
    personal_data = models.JSONField(default=list, help_text="contracts that are sent with their personal values")
    ordered = models.BooleanField(default=False, help_text="whether the messages of one order are sent in their order")
    concurrency = models.PositiveSmallIntegerField(default=4, help_text="the most requests at the same time")
    status = models.CharField(max_length=8, choices=EndpointStatus, default=EndpointStatus.ENABLED)
    disabled_because = models.TextField(blank=True)
    disabled_at = models.DateTimeField(null=True)
    # Disabled by itself, and its owner has not been sent the e-mail yet.
    owner_is_due_notice = models.BooleanField(default=False, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    after = models.BigIntegerField(default=0, editable=False)
    created_at = models.DateTimeField(default=clock.now)
    updated_at = models.DateTimeField(default=clock.now)
    version = models.PositiveIntegerField(default=1, editable=False)
    # Which of the endpoint's secrets is the current one, and those before it with the moment until which they sign.
    secret_number = models.PositiveIntegerField(default=1, editable=False)
    old_secrets = models.JSONField(default=list, editable=False)
    # Failed attempts since the last success, and when the first of them was.
    failures = models.PositiveIntegerField(default=0, editable=False)
    failing_since = models.DateTimeField(null=True, editable=False)
    # The receiver asked for no request before this moment.
    not_before = models.DateTimeField(null=True, editable=False)

    class Meta:
        ordering: ClassVar = ["-id"]
        permissions: ClassVar = [("send_personal_data", "Can let webhook endpoints receive personal data")]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(status="enabled", disabled_because="", disabled_at=None)
                | (Q(status="disabled", disabled_at__isnull=False) & ~Q(disabled_because="")),
                name="disabled_endpoint_has_a_reason",
            ),
        ]

    def __str__(self) -> str:
        return self.url or "the broker of events"

    @property
    def is_enabled(self) -> bool:
        """Whether messages are sent to it."""
        return self.status == EndpointStatus.ENABLED

    def wants(self, contract: str) -> bool:
        """Whether it is to get the messages of a contract."""
        is_erasure = contract == ERASURE and bool(self.personal_data)
        return EVERYTHING in self.events or contract in self.events or is_erasure

    def secrets(self, now: datetime) -> list[str]:
        """The secrets that sign its requests at a moment, the current one first."""
        old = [number for number, until in self.old_secrets if datetime.fromisoformat(until) > now]
        return [secret_of(self.pk, number) for number in (self.secret_number, *sorted(old, reverse=True))]


class EndpointDelivery(models.Model):
    """One message for one endpoint.

    A pending row is sent once `due_at` has come. Claiming it counts the attempt and moves `due_at` to the end of the
    lease, so the row of a process that is killed becomes due again by itself. `fencing_token` grows with each claim; an
    outcome under an older token changes nothing.
    """

    endpoint = models.ForeignKey(WebhookEndpoint, on_delete=models.CASCADE, related_name="deliveries", db_index=False)
    message_id = models.UUIDField()
    name = models.CharField("contract", max_length=80)
    # What it is ordered by, such as the number of an order; None if its contract has none.
    key = models.CharField(max_length=64, null=True)  # noqa: DJ001 - absent is not the empty string
    correlation_id = models.UUIDField(db_index=True)
    is_test = models.BooleanField(default=False)
    status = models.CharField(max_length=8, choices=DeliveryStatus, default=DeliveryStatus.PENDING)
    attempts = models.PositiveSmallIntegerField(default=0)
    fencing_token = models.BigIntegerField(default=0, editable=False)
    in_flight = models.BooleanField(default=False, editable=False)
    due_at = models.DateTimeField(default=clock.now)
    settled_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = "webhook delivery"
        verbose_name_plural = "webhook deliveries"
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["endpoint", "message_id"], name="one_row_an_endpoint_and_message"),
            models.CheckConstraint(
                condition=Q(status="pending", settled_at=None) | (~Q(status="pending") & Q(settled_at__isnull=False)),
                name="settled_endpoint_row_has_a_moment",
            ),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["endpoint", "due_at", "id"], name="pending_by_endpoint", condition=Q(status="pending")
            ),
            models.Index(
                fields=["endpoint", "key", "id"], name="pending_by_endpoint_and_key", condition=Q(status="pending")
            ),
            models.Index(fields=["settled_at"], name="settled_by_moment", condition=~Q(status="pending")),
        ]

    def __str__(self) -> str:
        return f"{self.name} to {self.endpoint}"


class EndpointAttempt(models.Model):
    """One request to an endpoint and its result."""

    endpoint = models.ForeignKey(WebhookEndpoint, on_delete=models.CASCADE, related_name="attempts", db_index=False)
    delivery = models.ForeignKey(EndpointDelivery, on_delete=models.CASCADE, related_name="log")
    number = models.PositiveSmallIntegerField(help_text="which attempt it was, from 1")
    at = models.DateTimeField(db_index=True)
    status = models.PositiveSmallIntegerField(null=True, help_text="of the HTTP response")
    milliseconds = models.PositiveIntegerField()
    response = models.TextField(blank=True, help_text="the first 2 KiB of its body")
    error = models.TextField(blank=True)

    class Meta:
        verbose_name = "webhook attempt"
        ordering: ClassVar = ["-id"]
        indexes: ClassVar = [models.Index(fields=["endpoint", "-id"], name="attempts_of_an_endpoint")]

    def __str__(self) -> str:
        return f"attempt {self.number}"
