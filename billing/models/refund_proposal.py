"""A refund above the limit is proposed by one person, and decided by another."""

from typing import Any, ClassVar, Self

from django.db import models
from django.db.models import F, Q

from billing import events
from billing.models.invoice import Invoice
from integration.aggregates.aggregate import OfOneStory, applies
from integration.domain.errors import Refused
from integration.domain.identifiers import InvoiceNumber, OrderNumber, RefundId, Sku, sibling
from integration.domain.money import Money
from integration.domain.states import REFUSE, StateTable, by_state
from integration.storage.columns import CurrencyField, MinorUnitsField, money


class SamePerson(Refused):
    """The person who proposed a refund cannot decide about it."""


class RefundProposalStatus(models.TextChoices):
    """The states of a proposed refund."""

    PROPOSED = "proposed"
    APPROVED = "approved"
    REFUSED = "refused"


PROPOSED, APPROVED, REFUSED = (status.value for status in RefundProposalStatus)
_row = by_state(RefundProposalStatus)

REFUND_PROPOSAL_LIFE = StateTable(
    RefundProposalStatus,
    {
        # message          proposed  approved  refused
        "approve":     _row(APPROVED, REFUSE,   REFUSE),
        "refuse":      _row(REFUSED,  REFUSE,   REFUSE),
    },
)  # fmt: skip


class RefundProposal(OfOneStory):
    """A refund that one person proposed, until another one approves or refuses it. It holds no money back."""

    stream = "refund_proposal"
    life = REFUND_PROPOSAL_LIFE

    id = models.CharField(max_length=24, primary_key=True)
    invoice = models.ForeignKey(Invoice, on_delete=models.PROTECT, related_name="refund_proposals")
    order = models.CharField(max_length=20, db_index=True)
    status = models.CharField(
        max_length=10, choices=RefundProposalStatus, default=RefundProposalStatus.PROPOSED, db_index=True
    )
    currency = CurrencyField()
    amount_minor = MinorUnitsField()
    amount = money("amount_minor")
    units = models.JSONField(null=True)
    reason = models.CharField(max_length=500)
    proposed_by = models.CharField(max_length=80)
    decided_by = models.CharField(max_length=80, blank=True)
    decision = models.CharField("the decider's words", max_length=500, blank=True)
    refund = models.CharField(max_length=24, blank=True)

    class Meta:
        ordering: ClassVar = ["-created_at"]
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(amount_minor__gt=0), name="refund_proposal_of_something"),
            models.CheckConstraint(condition=~Q(decided_by=F("proposed_by")), name="a_second_person_decides"),
        ]

    def __str__(self) -> str:
        return f"refund proposal {self.id}"

    @classmethod
    def propose(
        cls, invoice: Invoice, ordinal: int, amount: Money, units: dict[Sku, int] | None, reason: str, by: str
    ) -> Self:
        """A new proposal.

        Args:
            ordinal: which proposal of the invoice it is, from 1.
            amount: what it refunds.
            units: the units of lines that it refunds; None if the amount is shared out over all lines.
            by: who proposes it, such as `user:12`.
        """
        proposed, order = cls(), OrderNumber(invoice.order)
        proposed.record(
            events.RefundProposed(
                proposal=sibling("Q", order, ordinal),
                invoice=InvoiceNumber(invoice.number),
                order=order,
                amount=amount,
                units=units,
                reason=reason,
                by=by,
            )
        )
        return proposed

    @property
    def wanted(self) -> Money | dict[Sku, int]:
        """What is to be refunded: units of lines, or an amount."""
        return {Sku(sku): units for sku, units in self.units.items()} if self.units else self.amount

    def approve(self, refund: RefundId, note: str, by: str) -> None:
        """Record that `by` approved it, and which refund is owed since; raises `SamePerson`, `NotAllowed`."""
        if self.accepts("approve"):
            self.require(by != self.proposed_by, SamePerson)
            self.record(events.RefundProposalApproved(**self._facts, refund=refund, note=note, by=by))

    def refuse(self, reason: str, by: str) -> None:
        """Record that `by` refused it, and why; raises `SamePerson`, `NotAllowed`."""
        if self.accepts("refuse"):
            self.require(by != self.proposed_by, SamePerson)
            self.record(events.RefundProposalRefused(**self._facts, reason=reason, by=by))

    @property
    def _facts(self) -> dict[str, Any]:
        return {"proposal": self.id, "order": OrderNumber(self.order), "amount": self.amount}

    @applies(events.RefundProposed)
    def _proposed(self, event: events.RefundProposed) -> None:
        self.id, self.invoice_id, self.order = event.proposal, event.invoice, event.order
        self.currency, self.amount = event.amount.currency, event.amount
        self.units, self.reason, self.proposed_by = event.units, event.reason, event.by

    @applies(events.RefundProposalApproved)
    def _approved(self, event: events.RefundProposalApproved) -> None:
        self.status, self.refund = RefundProposalStatus.APPROVED, event.refund
        self.decided_by, self.decision = event.by, event.note

    @applies(events.RefundProposalRefused)
    def _refused(self, event: events.RefundProposalRefused) -> None:
        self.status, self.decided_by, self.decision = RefundProposalStatus.REFUSED, event.by, event.reason
