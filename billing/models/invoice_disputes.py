"""What disputes take away from an invoice, and return."""

from billing import events
from billing.models.invoice_refunds import RefundableInvoice
from integration.aggregates.aggregate import applies
from integration.domain.money import Money


class DisputableInvoice(RefundableInvoice):
    """An invoice whose payment a buyer can dispute."""

    class Meta:
        abstract = True

    def withdraw(self, dispute: str, amount: Money) -> None:
        """Record that a dispute took money away."""
        self.record(events.InvoiceFundsWithdrawn(**self._ids, dispute=dispute, amount=amount))

    def close_dispute(self, dispute: str, amount: Money, returned: Money) -> None:
        """Record that a dispute that had taken `amount` ended, and returned all of it, or nothing."""
        if amount:
            self.record(events.InvoiceDisputeClosed(**self._ids, dispute=dispute, amount=amount, returned=returned))

    @applies(events.InvoiceFundsWithdrawn)
    def _funds_withdrawn(self, event: events.InvoiceFundsWithdrawn) -> None:
        self.withdrawn += event.amount
        self.disputed += event.amount

    @applies(events.InvoiceDisputeClosed)
    def _dispute_closed(self, event: events.InvoiceDisputeClosed) -> None:
        self.disputed -= event.amount
        self.withdrawn -= event.returned
