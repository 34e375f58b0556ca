"""What the search box finds in billing: invoices, documents, payments, refunds and disputes."""

from collections.abc import Sequence
from typing import Any

from django.db.models import Q

from billing.models import Dispute, Document, Invoice, Payment, Refund
from billing.models.document import SERIES
from billing.models.numbers import INVOICES
from integration.admin.columns import exact_moment
from integration.admin.search import Term, newest, searches

LONGEST_POSITION = 10
"""The digits of a number that fits into the column of positions."""


def _about(row: Invoice | Document | Payment | Refund | Dispute) -> Sequence[Any]:
    amount = row.total if isinstance(row, Invoice) else row.amount
    return row.get_status_display(), amount, f"order {row.order}", exact_moment(row.created_at, "minutes")


@searches(Invoice, facts=_about, names=("pk", "printed_number"))
def invoices(term: Term) -> list[Invoice]:
    """An invoice by its number, by the printed one, or by its order."""
    return newest(Invoice, Q(pk__in=term.names), Q(order=term.order), *_numbered(term, {INVOICES}))


@searches(Document, facts=_about, names=("pk", "number"))
def documents(term: Term) -> list[Document]:
    """An invoice or a credit note as a document, by the number of its series or by its identifier."""
    series = term.text.upper().rpartition("-")[0]
    return newest(Document, Q(pk__in=term.names), *_numbered(term, {*SERIES.values()}, series=series))


def _numbered(term: Term, known: set[str], **also: str) -> list[Q]:
    """The condition for a place in one of these series, if the term is a printed number."""
    series, _, position = term.text.upper().rpartition("-")
    is_number = series in known and position.isdecimal() and len(position) < LONGEST_POSITION
    return [Q(position=int(position), position__gte=1, **also)] if is_number else []


def _referred_to(term: Term) -> Q:
    """The condition that the provider calls a row by this term; it has the condition of the index, too."""
    return Q(reference__in=term.names) & ~Q(reference="")


@searches(Payment, facts=_about, names=("pk", "reference"))
def payments(term: Term) -> list[Payment]:
    """A payment by its identifier, by the provider's reference, or by its order."""
    return newest(Payment, Q(pk__in=term.names), Q(order=term.order), _referred_to(term))


@searches(Refund, facts=_about, names=("pk", "reference"))
def refunds(term: Term) -> list[Refund]:
    """A refund by its identifier, by the provider's reference, or by its order."""
    return newest(Refund, Q(pk__in=term.names), Q(order=term.order), _referred_to(term))


@searches(Dispute, facts=_about)
def disputes(term: Term) -> list[Dispute]:
    """A dispute by the provider's reference, or those of an order."""
    return newest(Dispute, Q(pk__in=term.names), Q(order=term.order))
