"""The log of attempts, and settled rows, are deleted after a time; the messages themselves stay."""

from datetime import timedelta

from django.conf import settings
from django.db.models import Exists, OuterRef

from integration.domain import clock
from integration.messaging.models import Message
from integration.policies import every
from integration.webhooks.models import EndpointAttempt, EndpointDelivery

MOST = 10_000
"""Rows of a table that one run deletes; the next run continues."""


@every(timedelta(minutes=10), name="integration.forget-webhook-attempts")
def forget_old() -> None:
    """Delete attempts that are older than `WEBHOOK_LOG_DAYS`, and settled rows as old whose message is archived."""
    before = clock.now() - settings.WEBHOOKS.log_retention
    old = EndpointAttempt.objects.filter(at__lt=before).order_by("at").values_list("pk", flat=True)
    EndpointAttempt.objects.filter(pk__in=list(old[:MOST])).delete()
    is_current = Exists(Message.objects.filter(pk=OuterRef("message_id")))
    settled = EndpointDelivery.objects.filter(~is_current, settled_at__lt=before).exclude(status="pending")
    EndpointDelivery.objects.filter(
        pk__in=list(settled.order_by("settled_at").values_list("pk", flat=True)[:MOST])
    ).delete()
