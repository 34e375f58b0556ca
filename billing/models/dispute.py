"""A dispute: the buyer asks their bank for the money of a charge, and the bank decides.

Source: Stripe's documentation of disputes. A chargeback withdraws the disputed amount at once, and returns it if we
win. An inquiry withdraws nothing, and may become a chargeback.
"""

from datetime import datetime
from typing import Any, ClassVar, Literal, Self

from django.db import models
from django.db.models import Q

from billing import events
from billing.models.invoice import Invoice
from billing.models.payment import Payment
from integration.aggregates.aggregate import OfOneStory, applies
from integration.domain.identifiers import InvoiceNumber, OrderNumber, PaymentId
from integration.domain.money import Money
from integration.domain.states import IGNORE, StateTable, by_state
from integration.storage.columns import CurrencyField, MinorUnitsField, money


class DisputeStatus(models.TextChoices):
    """The states of a dispute."""

    OPENED = "opened"
    FUNDS_WITHDRAWN = "funds_withdrawn"
    WON = "won"
    LOST = "lost"


OPENED, FUNDS_WITHDRAWN, WON, LOST = (status.value for status in DisputeStatus)
_row = by_state(DisputeStatus)

DISPUTE_LIFE = StateTable(
    DisputeStatus,
    {
        # message          opened           funds_withdrawn  won     lost
        "withdraw": _row(FUNDS_WITHDRAWN, IGNORE,          IGNORE, IGNORE),
        "win":      _row(WON,             WON,             IGNORE, IGNORE),
        "lose":     _row(LOST,            LOST,            IGNORE, IGNORE),
    },
)  # fmt: skip


class Dispute(OfOneStory):
    """A dispute about a payment, known by the provider's reference."""

    stream = "dispute"
    life = DISPUTE_LIFE

    id = models.CharField("the provider's reference", max_length=80, primary_key=True)
    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="disputes")
    invoice = models.ForeignKey(Invoice, on_delete=models.PROTECT, related_name="disputes")
    order = models.CharField(max_length=20, db_index=True)
    kind = models.CharField(max_length=10)
    status = models.CharField(max_length=16, choices=DisputeStatus, default=DisputeStatus.OPENED, db_index=True)
    currency = CurrencyField()
    amount_minor = MinorUnitsField()
    withdrawn_minor = MinorUnitsField(default=0)
    amount, withdrawn = money("amount_minor"), money("withdrawn_minor")
    evidence_due = models.DateTimeField(null=True)

    class Meta:
        ordering: ClassVar = ["-created_at"]
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(amount_minor__gt=0), name="dispute_of_something"),
            models.CheckConstraint(
                condition=Q(withdrawn_minor=0) | Q(withdrawn_minor=models.F("amount_minor")),
                name="all_that_is_disputed_is_withdrawn_or_nothing",
            ),
        ]

    def __str__(self) -> str:
        return f"dispute {self.id}"

    @classmethod
    def open(
        cls,
        dispute: str,
        payment: Payment,
        amount: Money,
        kind: Literal["chargeback", "inquiry"],
        evidence_due: datetime | None,
    ) -> Self:
        """A new dispute about a payment; `dispute` is the provider's reference."""
        opened = cls()
        opened.record(
            events.DisputeOpened(
                dispute=dispute,
                payment=PaymentId(payment.id),
                invoice=InvoiceNumber(payment.invoice_id),
                order=OrderNumber(payment.order),
                amount=amount,
                kind=kind,
                evidence_due=evidence_due,
            )
        )
        return opened

    def update_from(self, status: Literal["warning", "needs_response", "won", "lost"]) -> None:
        """Record what the provider says about the dispute now; it may come twice, late, and in any order."""
        if status in ("needs_response", "lost"):
            self.withdraw()
        if status == "won":
            self.win()
        if status == "lost":
            self.lose()

    def withdraw(self) -> None:
        """Record that the provider took the disputed amount back."""
        if self.accepts("withdraw"):
            self.record(events.DisputeFundsWithdrawn(**self._ids, amount=self.amount))

    def win(self) -> None:
        """Record that the dispute was won, or that an inquiry was closed: what was withdrawn is ours again."""
        if self.accepts("win"):
            self.record(events.DisputeWon(**self._ids, amount=self.amount, returned=self.withdrawn))

    def lose(self) -> None:
        """Record that the dispute was lost: the buyer keeps what was withdrawn."""
        if self.accepts("lose"):
            self.record(events.DisputeLost(**self._ids, amount=self.withdrawn))

    @property
    def _ids(self) -> dict[str, Any]:
        return {"dispute": self.id, "invoice": self.invoice_id, "order": self.order}

    @applies(events.DisputeOpened)
    def _opened(self, event: events.DisputeOpened) -> None:
        self.id, self.payment_id, self.invoice_id = event.dispute, event.payment, event.invoice
        self.order, self.kind, self.evidence_due = event.order, event.kind, event.evidence_due
        self.currency, self.amount = event.amount.currency, event.amount

    @applies(events.DisputeFundsWithdrawn)
    def _withdrawn(self, event: events.DisputeFundsWithdrawn) -> None:
        self.status, self.withdrawn = DisputeStatus.FUNDS_WITHDRAWN, event.amount

    @applies(events.DisputeWon)
    def _won(self, event: events.DisputeWon) -> None:
        self.status, self.withdrawn_minor = DisputeStatus.WON, 0

    @applies(events.DisputeLost)
    def _lost(self, event: events.DisputeLost) -> None:
        self.status = DisputeStatus.LOST
