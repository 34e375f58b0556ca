"""The row that the measured consumer inserts."""

from django.db import models


class Note(models.Model):
    """One row for each event that was delivered."""

    number = models.BigIntegerField()

    def __str__(self) -> str:
        return f"event {self.number}"
