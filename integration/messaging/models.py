"""Deliveries are rows: one row for a message, and one for each of its consumers.

A delivery row is outbox, inbox, retry queue and dead letter at once, so no two tables can disagree. A message settled
long ago is one row in the archive.
"""

from datetime import UTC, datetime
from typing import ClassVar

from django.db import models
from django.db.models import Q

from integration.contracts.contract import IntegrationEvent, contracts
from integration.domain.metadata import Cause
from integration.domain.versions import from_data
from integration.history.personal_data import WithPersonalData


class Published(WithPersonalData, models.Model):
    """An integration event as it was published; the row's event data never change."""

    kinds = contracts

    id = models.UUIDField(primary_key=True, editable=False)
    name = models.CharField("contract", max_length=80)
    version = models.PositiveSmallIntegerField()
    data = models.JSONField()
    occurred_at = models.DateTimeField()
    correlation_id = models.UUIDField(db_index=True)
    causation_id = models.UUIDField(null=True)
    actor = models.CharField(max_length=80)
    traceparent = models.CharField(max_length=55, null=True)  # noqa: DJ001 - absent is not the empty string
    addressed_to = models.PositiveSmallIntegerField(help_text="how many consumers listened when it was published")

    class Meta:
        abstract = True
        ordering: ClassVar = ["-id"]

    def __str__(self) -> str:
        return f"{self.name} {self.id}"

    @property
    def data_version(self) -> int:
        return self.version

    @property
    def event(self) -> IntegrationEvent:
        """The event in its newest version.

        Raises:
            UnknownName: this code knows no such contract or version.
            msgspec.ValidationError: the stored data does not fit the event.
        """
        return from_data(contracts.get(self.name), self.facts, self.version)

    @property
    def cause(self) -> Cause:
        """The cause of what its consumers do: the domain event that it was published for."""
        return Cause(
            correlation_id=self.correlation_id,
            causation_id=self.causation_id,
            actor=self.actor,
            traceparent=self.traceparent,
        )


class Message(Published):
    """An integration event with deliveries that are unsettled, or were settled only recently."""


class ArchivedMessage(Published):
    """A message whose deliveries were all settled long ago; its row includes them as JSON."""

    deliveries = models.JSONField()
    archived_at = models.DateTimeField()


class FeedPosition(models.Model):
    """The place of an integration event in the feed that other programs read.

    It is written with the message. It stays when the message moves to the archive and back, so `message` is no foreign
    key. The database never gives a number twice.
    """

    number = models.BigAutoField(primary_key=True)
    message = models.UUIDField(unique=True, editable=False)

    class Meta:
        default_permissions = ()
        permissions: ClassVar = [("read_feed", "Can read the feed of integration events")]

    def __str__(self) -> str:
        return f"{self.number}: {self.message}"


class Status(models.TextChoices):
    """The state of a delivery; done and skipped are final."""

    PENDING = "pending"
    DONE = "done"
    DEAD = "dead"
    SKIPPED = "skipped"


PARKED_BECAUSE = "Parked: "
"""The prefix of a parked delivery's error. Older code parks a delivery only by this prefix, and for a minute."""

PARKED = Q(status=Status.PENDING, error__startswith=PARKED_BECAUSE)
"""A delivery that waits for code that knows its contract, version or consumer."""


RETRYING = Q(status=Status.PENDING, parked_as=None) & ~Q(error="")
"""A delivery that has failed and will be tried again."""

OPEN = Q(status__in=[Status.DEAD, Status.PENDING])
"""A delivery that is not settled."""

HELD = datetime(9999, 1, 1, tzinfo=UTC)
"""The `due_at` of a delivery that is held: it waits until its consumer is resumed."""


class Delivery(models.Model):
    """One message for one consumer.

    A pending delivery is handled once `due_at` has come. Claiming it counts the attempt and moves `due_at` to the end
    of the lease, before any work starts. So a worker that is killed has used up the attempt, and the delivery becomes
    due again by itself. A settled delivery keeps the `due_at` of its last claim, which then means nothing.

    A pending delivery without `due_at` waits for something other than time. If it has `parked_as`, it waits for code
    that can read it. Otherwise it is in the *background*: it is handled when nothing is due in its delivery queue.
    """

    message = models.ForeignKey(Message, on_delete=models.PROTECT, related_name="deliveries", db_index=False)
    consumer = models.CharField(max_length=80)
    context = models.CharField(max_length=20, editable=False)
    external = models.BooleanField(default=False, editable=False, db_column="outside")
    status = models.CharField(max_length=8, choices=Status, default=Status.PENDING)
    attempts = models.PositiveSmallIntegerField(default=0)
    # A fencing token: it grows with each claim and each replay and never shrinks, so no two claims share a value. A
    # worker whose token is outdated has lost its claim. `attempts` is not enough: a replay resets it.
    fencing_token = models.BigIntegerField(default=0, db_default=0, editable=False)
    # Claimed, and since then neither settled nor released. If it is due again, it was lost with its worker.
    in_flight = models.BooleanField(default=False, db_default=False, editable=False, db_column="in_hand")
    due_at = models.DateTimeField(null=True)
    # What this code must know to read a parked delivery: its consumer, contract and version.
    parked_as = models.CharField(max_length=170, null=True, editable=False)  # noqa: DJ001 - nearly always absent
    # The first attempt that was not charged, because it came too early or lost a deadlock.
    uncharged_since = models.DateTimeField(null=True, editable=False, db_column="too_early_since")
    done_at = models.DateTimeField(null=True)
    error = models.TextField(blank=True)
    traceback = models.TextField(blank=True)
    # The group of its last failure. Nothing else writes it: a delivery that never fails has none.
    fingerprint = models.CharField(max_length=32, null=True, editable=False)  # noqa: DJ001 - nearly always absent
    skip_reason = models.TextField(blank=True)
    skipped_by = models.CharField(max_length=80, blank=True)
    skipped_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name_plural = "deliveries"
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["message", "consumer"], name="one_delivery_a_consumer"),
            models.CheckConstraint(
                condition=Q(status="done", done_at__isnull=False) | (~Q(status="done") & Q(done_at__isnull=True)),
                name="done_has_a_moment",
            ),
            models.CheckConstraint(
                condition=(Q(status="skipped", skipped_at__isnull=False) & ~Q(skip_reason="") & ~Q(skipped_by=""))
                | (~Q(status="skipped") & Q(skipped_at__isnull=True, skip_reason="", skipped_by="")),
                name="skipped_has_a_reason",
            ),
        ]
        indexes: ClassVar = [
            # A partial index: settled rows, nearly all of the table, add nothing to the search for due ones.
            models.Index(
                fields=["context", "external", "-in_flight", "due_at", "id"],
                name="pending_by_lane_lost_first",
                condition=Q(status="pending"),
            ),
            # What is parked, by kind, and what is in the background. A search for due rows reads neither.
            models.Index(
                fields=["parked_as", "context", "external", "id"],
                name="pending_without_due_time",
                condition=Q(status="pending", due_at=None),
            ),
            models.Index(fields=["consumer"], name="dead_by_consumer", condition=Q(status="dead")),
            models.Index(fields=["consumer"], name="skipped_by_consumer", condition=Q(status="skipped")),
            models.Index(
                fields=["fingerprint", "id"],
                name="unsettled_by_failure_group",
                condition=Q(status__in=["dead", "pending"], fingerprint__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.message.name} to {self.consumer}"


class ConsumerState(models.Model):
    """How a consumer has fared lately, and whether it is paused. A consumer without a row is not."""

    consumer = models.CharField(max_length=80, primary_key=True)
    # External only: failed attempts since the last delivery that was done.
    failures = models.PositiveIntegerField(default=0, editable=False)
    # Deliveries that became dead letters since the last one that was done.
    deaths = models.PositiveIntegerField(default=0, editable=False)
    paused_at = models.DateTimeField(null=True)
    paused_by = models.CharField(max_length=80, blank=True)
    reason = models.TextField(blank=True)
    resumed_at = models.DateTimeField(null=True)
    resumed_by = models.CharField(max_length=80, blank=True)
    # The id of the one delivery that is tried although the consumer is paused.
    probe = models.BigIntegerField(null=True, editable=False)
    probed_at = models.DateTimeField(null=True)
    # External only: its external system wants to be left alone until then.
    waits_until = models.DateTimeField(null=True, editable=False)
    # With a rate: when the next call may be made. With other limits: the batches whose calls are under way.
    next_call_at = models.DateTimeField(null=True, editable=False)
    calls = models.JSONField(default=dict, db_default={}, blank=True, editable=False)
    # Resumed, and some of its deliveries are still held.
    releasing = models.BooleanField(default=False, editable=False)

    class Meta:
        verbose_name = "consumer"
        ordering: ClassVar = ["consumer"]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(paused_at=None) | ~(Q(paused_by="") | Q(reason="")), name="paused_has_a_reason"
            ),
        ]

    def __str__(self) -> str:
        return self.consumer

    @property
    def is_paused(self) -> bool:
        """Whether its deliveries are held."""
        return self.paused_at is not None


class Heartbeat(models.Model):
    """When something that runs all the time last did, such as the sweep."""

    name = models.CharField(max_length=80, primary_key=True)
    at = models.DateTimeField()

    def __str__(self) -> str:
        return self.name
