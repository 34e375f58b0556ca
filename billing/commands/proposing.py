"""Refunds that operators ask for: up to a limit they are granted, above it a second person decides.

The limit, `REFUND_APPROVAL_LIMIT`, is about all that operators granted for an invoice. So nobody passes it by several
small refunds. Refunds because of a cancellation, a return or a lost parcel are no decisions, and need nobody.
"""

from collections.abc import Collection, Mapping
from typing import Any, cast

from django.conf import settings

from billing import events
from billing.commands.granting import refund_in_part, refund_lines
from billing.models import History, Invoice, RefundProposal
from integration.aggregates.unit_of_work import unit_of_work
from integration.domain.errors import Refused
from integration.domain.identifiers import InvoiceNumber, RefundId, Sku
from integration.domain.metadata import current_cause
from integration.domain.money import Money


class WorthChanged(Refused):
    """The lines are worth another amount by now, because something else was refunded meanwhile."""


def ask_for_refund(
    number: InvoiceNumber, wanted: Money | Mapping[Sku, int], reason: str, if_version: Collection[int] | None = None
) -> Invoice | RefundProposal:
    """Refund a part of what was paid for an invoice, or propose it to a second person if that is above the limit.

    Args:
        wanted: an amount, which is shared out over what remains of the lines, or how many units to refund, by SKU.
        if_version: the versions of the invoice that the caller accepts; None accepts any.

    Returns:
        The changed invoice, or the proposal if a second person must decide.

    Raises:
        NotFound: there is no such invoice.
        NotAllowed: the invoice is not paid, or is refunded in full.
        NotInvoiced: a SKU is not on the invoice.
        MoreThanIsLeft: the amount is not positive, or more than is left; or fewer units are left.
        CurrencyMismatch: the invoice is in another currency.
        StaleVersion: the invoice is in none of the versions in `if_version`.
    """
    with unit_of_work() as work:
        invoice = work.get(Invoice, number)
        invoice.expect_version(if_version)
        amount = invoice.worth_of(wanted)
        if not needs_second_person(invoice, amount):
            return _grant(number, wanted, reason)
        units = None if isinstance(wanted, Money) else dict(wanted)
        ordinal = RefundProposal.objects.filter(invoice=number).count() + 1
        proposal = RefundProposal.propose(invoice, ordinal, amount, units, reason, current_cause().actor)
        work.add(proposal)
    return proposal


def needs_second_person(invoice: Invoice, amount: Money) -> bool:
    """Whether an operator's refund of this amount, with those granted before, is above the limit.

    A limit says nothing about another currency than the shop's, so there every refund needs a second person.
    """
    limit = settings.REFUND_APPROVAL_LIMIT
    if limit is None:
        return False
    if invoice.currency != settings.SHOP_CURRENCY:
        return True
    return amount + _granted_for(invoice) > Money(limit, invoice.currency)


def _granted_for(invoice: Invoice) -> Money:
    name = events.InvoiceRefundGranted.wire_name
    granted = History.objects.filter(stream=Invoice.stream, stream_id=invoice.number, name=name)
    return Money.sum((cast(Any, entry.event).amount for entry in granted), invoice.currency)


def approve_refund(id: str, note: str = "", if_version: Collection[int] | None = None) -> RefundProposal:
    """Approve a proposed refund as a second person: it is owed from now on.

    Args:
        note: what the second person says about it.
        if_version: the versions of the proposal that the caller accepts; None accepts any.

    Returns:
        The approved proposal, with the refund.

    Raises:
        NotFound: there is no such proposal.
        SamePerson: the caller proposed it.
        NotAllowed: somebody decided before, or the invoice is refunded in full.
        MoreThanIsLeft: less is left by now.
        WorthChanged: its lines are worth another amount by now.
        StaleVersion: the proposal is in none of the versions in `if_version`.
    """
    with unit_of_work() as work:
        proposal = work.get(RefundProposal, id)
        proposal.expect_version(if_version)
        invoice = work.get(Invoice, proposal.invoice_id)
        refund = RefundId(invoice.next_refund)
        proposal.approve(refund, note, current_cause().actor)
        if invoice.worth_of(proposal.wanted) != proposal.amount:
            raise WorthChanged
        _grant(InvoiceNumber(invoice.number), proposal.wanted, proposal.reason)
    return proposal


def refuse_refund(id: str, reason: str, if_version: Collection[int] | None = None) -> RefundProposal:
    """Refuse a proposed refund as a second person; returns the proposal.

    Raises:
        NotFound, SamePerson, StaleVersion: as `approve_refund` does.
        NotAllowed: somebody decided before.
    """
    with unit_of_work() as work:
        proposal = work.get(RefundProposal, id)
        proposal.expect_version(if_version)
        proposal.refuse(reason, current_cause().actor)
    return proposal


def _grant(number: InvoiceNumber, wanted: Money | Mapping[Sku, int], reason: str) -> Invoice:
    return refund_in_part(number, wanted, reason) if isinstance(wanted, Money) else refund_lines(number, wanted, reason)
