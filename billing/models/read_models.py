"""The rows of billing's read models. Only the projections in `queries.py` write them."""

from typing import ClassVar

from django.db import models

from billing.models.invoice import Invoice
from integration.read_models.models import PolledRow


class InvoiceChange(PolledRow):
    """The last change of an invoice, for clients that ask for what has changed."""

    read_model = "billing.invoice-changes"
    key = ("invoice_id",)

    invoice = models.ForeignKey(
        Invoice, on_delete=models.DO_NOTHING, related_name="changes", db_constraint=False, db_index=False
    )

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["build", "invoice"], name="invoice_change_shown_once")]
        indexes: ClassVar = [models.Index(fields=["build", "shown_at"], name="invoices_by_change")]

    def __str__(self) -> str:
        return f"change of {self.invoice_id}"
