"""Responses under idempotency keys, used tokens of forms, counts of failed logins, and saved views of lists."""

from typing import ClassVar

from django.conf import settings
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


class LoginCount(models.Model):
    """How many attempts to log in have failed, of an account or from an address; or an address an account knows."""

    key = models.CharField(max_length=64, primary_key=True, help_text="A keyed hash of the account or the address")
    attempts = models.PositiveIntegerField()
    until = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return self.key


class SavedView(models.Model):
    """The filters and the order of a list under a name, for one user. What was searched for is not stored.

    `page` is the model of the list, such as `ordering.order`.
    """

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="saved_views", db_index=False
    )
    page = models.CharField(max_length=80)
    name = models.CharField(max_length=60)
    query = models.CharField(max_length=2_000, blank=True)

    class Meta:
        ordering: ClassVar = ["name"]
        constraints: ClassVar = [models.UniqueConstraint(fields=["user", "page", "name"], name="one_view_a_name")]

    def __str__(self) -> str:
        return self.name
