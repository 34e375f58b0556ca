"""The requests to Stripe that make something: one row for each key, committed before the first request is sent."""

from typing import ClassVar

from django.db import models
from django.db.models import Q


class Request(models.Model):
    """What was requested under a key, and the object at Stripe that came of it.

    Stripe forgets an idempotency key after a day. So a row says since when its key is in use; `attempt` is a part of
    the key that Stripe gets, and grows when an old key found nothing at Stripe.
    """

    key = models.CharField(max_length=80, primary_key=True)
    sent_at = models.DateTimeField("the first request under the current attempt")
    attempt = models.PositiveSmallIntegerField(default=1)
    object = models.CharField("Stripe's identifier", max_length=80, blank=True)
    about = models.CharField("the intent of a refund", max_length=80, blank=True)
    is_cancelled = models.BooleanField(default=False)

    class Meta:
        verbose_name = "request to Stripe"
        verbose_name_plural = "requests to Stripe"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["object"], name="one_request_an_object", condition=~Q(object="")),
        ]

    def __str__(self) -> str:
        return f"{self.key} {self.object}"
