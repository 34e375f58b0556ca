"""Who paid for an order, as the invoice must name them, for as long as the books must be stored."""

from django.db import models

from integration.domain.address import Address


class Payer(models.Model):
    """The name and the address of the payer of an order.

    They stay when the buyer is erased, until `settings.INVOICE_RETENTION` has passed: the law requires the books.
    Only who may see the invoice sees them: its buyer, and staff of billing.

    Sources: Regulation (EU) 2016/679, article 17 (3) (b) (no erasure of what the law requires to be stored); Directive
    2006/112/EC, articles 244 and 247 (invoices are stored for as long as each Member State says; ten years are enough).
    """

    order = models.CharField(max_length=20, primary_key=True)
    address = models.JSONField()
    keep_until = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return f"payer of {self.order}"

    @property
    def lines(self) -> list[str]:
        """The name and the address, line by line."""
        address = Address(**self.address)
        place = " ".join(filter(None, [address.postal_code, address.city, address.region]))
        return [line for line in (address.recipient, address.street, place, address.country) if line]
