"""What billing shows on the operators' first page: refunds, payments and disputes that need a person."""

from datetime import timedelta

from django.db.models import QuerySet

from billing.models import Discrepancy, Dispute, Payment, PaymentStatus, Refund, RefundStatus
from billing.models.dispute import DisputeStatus
from billing.models.refund_proposal import RefundProposal, RefundProposalStatus
from integration.admin.home import work

LONGEST_UNKNOWN = timedelta(hours=1)
OPEN = (DisputeStatus.OPENED, DisputeStatus.FUNDS_WITHDRAWN)


@work(
    "Refunds to approve",
    group="Money",
    place=29,
    model=RefundProposal,
    query={"status__exact": RefundProposalStatus.PROPOSED.value},
    late_after=timedelta(days=1),
)
def refunds_to_approve() -> QuerySet[RefundProposal]:
    """Refunds above the limit, which a second person decides about."""
    return RefundProposal.objects.filter(status=RefundProposalStatus.PROPOSED)


@work(
    "Refunds that failed",
    group="Money",
    place=30,
    model=Refund,
    query={"status__exact": RefundStatus.FAILED.value},
    since="updated_at",
)
def refunds_that_failed() -> QuerySet[Refund]:
    """Refunds that the provider or the buyer's bank refused; the money is still owed."""
    return Refund.objects.filter(status=RefundStatus.FAILED)


@work(
    "Refunds that wait for a dispute",
    group="Money",
    place=31,
    model=Refund,
    query={"status__exact": RefundStatus.BLOCKED.value},
    since="updated_at",
    late_after=timedelta(days=90),
)
def refunds_that_are_blocked() -> QuerySet[Refund]:
    """Refunds of disputed money."""
    return Refund.objects.filter(status=RefundStatus.BLOCKED)


@work(
    "Payments with an unknown outcome",
    group="Money",
    place=32,
    model=Payment,
    query={"status__exact": PaymentStatus.UNKNOWN.value},
    since="updated_at",
    late_after=LONGEST_UNKNOWN,
)
def payments_of_unknown_outcome() -> QuerySet[Payment]:
    """Payments whose provider did not say what became of them; it is asked again."""
    return Payment.objects.filter(status=PaymentStatus.UNKNOWN)


@work(
    "Open disputes",
    group="Money",
    place=33,
    model=Dispute,
    query={"status__in": ",".join(OPEN)},
    late_after=timedelta(days=5),
)
def open_disputes() -> QuerySet[Dispute]:
    """Disputes that are neither won nor lost; the provider wants evidence in time."""
    return Dispute.objects.filter(status__in=OPEN)


@work(
    "Differences from the provider's books",
    group="Money",
    place=34,
    model=Discrepancy,
    query={"settled_at__isnull": "True"},
    since="found_at",
)
def differences_in_the_books() -> QuerySet[Discrepancy]:
    """Differences that nobody has explained."""
    return Discrepancy.objects.filter(settled_at__isnull=True)
