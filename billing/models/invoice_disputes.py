"""What disputes take away from an invoice, and return; and what payments bring that it does not need."""

from billing import events
from billing.models.invoice_refunds import RefundableInvoice
from integration.aggregates.aggregate import applies
from integration.domain.identifiers import OrderNumber, PaymentId, RefundId, sibling
from integration.domain.money import Money


class DisputableInvoice(RefundableInvoice):
    """An invoice whose payment a buyer can dispute, and which can be paid twice."""

    class Meta:
        abstract = True

    def withdraw(self, dispute: str, amount: Money) -> None:
        """Record that a dispute took money away."""
        self.record(events.InvoiceFundsWithdrawn(**self._ids, dispute=dispute, amount=amount))

    def close_dispute(self, dispute: str, amount: Money, returned: Money) -> None:
        """Record that a dispute that had taken `amount` ended, and returned all of it, or nothing."""
        if amount:
            self.record(events.InvoiceDisputeClosed(**self._ids, dispute=dispute, amount=amount, returned=returned))

    def receive_surplus(self, payment: PaymentId, amount: Money) -> None:
        """Record that another payment brought money although the invoice was paid, and refund all of it."""
        refund = RefundId(sibling("F", OrderNumber(self.order), self.refund_count + 1))
        self.record(events.InvoiceSurplusReceived(**self._ids, refund=refund, payment=payment, amount=amount))

    def return_surplus(self, refund: RefundId, amount: Money) -> None:
        """Record that the refund of a surplus was issued; raises `NotAllowed` if there was none."""
        if self.accepts("return_surplus"):
            self.record(events.InvoiceSurplusReturned(**self._ids, refund=refund, amount=amount))

    def take_back_surplus(self, refund: RefundId, amount: Money) -> None:
        """Record that an issued refund of a surplus failed: its money is with us again."""
        if self.accepts("take_back_surplus"):
            self.record(events.InvoiceSurplusCameBack(**self._ids, refund=refund, amount=amount))

    @applies(events.InvoiceSurplusReceived)
    def _surplus_received(self, event: events.InvoiceSurplusReceived) -> None:
        self.surplus += event.amount
        self.refund_count += 1

    @applies(events.InvoiceSurplusReturned)
    def _surplus_returned(self, event: events.InvoiceSurplusReturned) -> None:
        self.surplus -= event.amount

    @applies(events.InvoiceSurplusCameBack)
    def _surplus_came_back(self, event: events.InvoiceSurplusCameBack) -> None:
        self.surplus += event.amount

    @applies(events.InvoiceFundsWithdrawn)
    def _funds_withdrawn(self, event: events.InvoiceFundsWithdrawn) -> None:
        self.withdrawn += event.amount
        self.disputed += event.amount

    @applies(events.InvoiceDisputeClosed)
    def _dispute_closed(self, event: events.InvoiceDisputeClosed) -> None:
        self.disputed -= event.amount
        self.withdrawn -= event.returned
