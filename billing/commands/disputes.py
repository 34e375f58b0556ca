"""Disputes: what the provider says of them, and what waits for their end.

A refund of disputed money waits: the buyer would get it twice. If the dispute is won, the refund is requested. If it is
lost, the dispute has settled it.
"""

from django.db.models import Sum

from billing.commands.discrepancies import note_discrepancy
from billing.gateways import Disputed
from billing.models import Dispute, Invoice, Payment, Refund, RefundStatus
from integration.aggregates.unit_of_work import unit_of_work
from integration.domain.errors import NotFound
from integration.domain.identifiers import InvoiceNumber
from integration.domain.metadata import join_story
from integration.domain.money import Money

WAITING = (RefundStatus.REQUESTED, RefundStatus.BLOCKED)


def note_dispute(disputed: Disputed) -> str:
    """Record what the provider has about a dispute; it may come from a callback or from reconciliation, in any order.

    Returns:
        What differs from what was disputed under this reference before, which is stored as a discrepancy; mostly empty.

    Raises:
        NotFound: no payment has the charge's reference.
    """
    payment = Payment.objects.filter(reference=disputed.charge).exclude(reference="").first()
    if payment is None:
        raise NotFound(f"there is no payment with the charge {disputed.charge}")
    with unit_of_work() as work:
        join_story(payment.correlation_id)
        dispute = work.find(Dispute, disputed.reference)
        finding = _contradiction(dispute, payment, disputed) if dispute else ""
        if finding:
            note_discrepancy(disputed.reference, finding)
        else:
            if dispute is None:
                dispute = Dispute.open(
                    disputed.reference, payment, disputed.amount, disputed.kind, disputed.evidence_due
                )
                work.add(dispute)
            dispute.update_from(disputed.status)
    return finding


def _contradiction(dispute: Dispute, payment: Payment, disputed: Disputed) -> str:
    if dispute.payment_id != payment.id:
        return f"we have it about {dispute.payment_id}, the provider about {payment.id}"
    if dispute.amount != disputed.amount:
        return f"we have {dispute.amount}, the provider {disputed.amount}"
    return ""


def withdraw_funds(number: InvoiceNumber, dispute: str, amount: Money) -> None:
    """Record what a dispute took away, and let the refunds that the provider was not asked for yet wait."""
    with unit_of_work() as work:
        refunds = work.get_many(Refund, _waiting(number))
        work.get(Invoice, number).withdraw(dispute, amount)
        for refund in refunds.values():
            refund.block()


def close_dispute(number: InvoiceNumber, dispute: str, amount: Money, returned: Money) -> None:
    """Record the end of a dispute that had taken `amount`, and give the refunds that wait for it their way.

    They are requested, unless the dispute took their money for good.
    """
    with unit_of_work() as work:
        refunds = work.get_many(Refund, _waiting(number))
        invoice = work.get(Invoice, number)
        invoice.close_dispute(dispute, amount, returned)
        if invoice.disputed:
            return
        left = amount - returned
        for refund in refunds.values():
            if refund.amount <= left:
                left -= refund.amount
                refund.settle_by_dispute()
            else:
                refund.release()


def judge_by_disputes(refund: Refund, invoice: Invoice) -> None:
    """Let a new refund wait for an open dispute, or settle it by one that was lost."""
    if invoice.disputed:
        refund.block()
    elif invoice.withdrawn:
        settled = Refund.objects.filter(invoice=invoice.number, status=RefundStatus.SETTLED)
        by_disputes = settled.aggregate(total=Sum("amount_minor", default=0))["total"]
        if refund.amount_minor <= invoice.withdrawn_minor - by_disputes:
            refund.settle_by_dispute()


def _waiting(number: InvoiceNumber) -> list[str]:
    waiting = Refund.objects.filter(invoice=number, status__in=WAITING)
    return list(waiting.order_by("created_at", "id").values_list("id", flat=True))
