"""The responses that are stored under idempotency keys, and the tokens of forms that were sent."""

from typing import ClassVar

from django.db import models


class IdempotencyKey(models.Model):
    """The first response to a request, stored in the transaction that made the change."""

    caller = models.CharField(max_length=40)
    key = models.CharField(max_length=255)
    fingerprint = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField()
    headers = models.JSONField()
    body = models.TextField(help_text="JSON, with the fields in the order of the response")
    responded_at = models.DateTimeField(db_index=True, db_column="answered_at")

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["caller", "key"], name="one_answer_a_key")]

    def __str__(self) -> str:
        return self.key


class UsedToken(models.Model):
    """The token of a form of the admin that was sent. Each token acts once."""

    id = models.UUIDField(primary_key=True, editable=False)
    used_at = models.DateTimeField()

    def __str__(self) -> str:
        return str(self.id)
