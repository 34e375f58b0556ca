"""Which letters were sent about an order, and when."""

from typing import ClassVar

from django.db import models


class SentLetter(models.Model):
    """A letter that the mail server accepted. It holds nothing personal: neither the recipient nor the text."""

    id = models.CharField(max_length=40, primary_key=True, help_text="the first part of its Message-ID")
    order = models.CharField(max_length=24, db_index=True)
    kind = models.CharField(max_length=40)
    language = models.CharField(max_length=10)
    sent_at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["sent_at", "id"]

    def __str__(self) -> str:
        return f"{self.kind} about {self.order}"
