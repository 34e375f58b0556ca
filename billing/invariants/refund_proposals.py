"""Invariants of proposed refunds: two people, and one refund."""

from integration.invariants import Check, always


@always("billing.a_second_person_approves")
def a_second_person_approves() -> Check:
    """A proposed refund is decided by another person, and what is approved is refunded once, by that amount."""
    return Check(
        rows="""
            billing_refundproposal AS proposal LEFT JOIN billing_refund AS refund
              ON proposal.refund <> '' AND refund.id = proposal.refund
            LEFT JOIN (
                SELECT refund, count(*) AS times FROM billing_refundproposal WHERE refund <> '' GROUP BY refund
            ) AS approvals ON approvals.refund = proposal.refund
        """,
        what="""
            proposal.id || ' (' || proposal.status || '), proposed by ' || proposal.proposed_by
              || ', decided by ' || proposal.decided_by
        """,
        never={
            "the same person decided": "proposal.decided_by = proposal.proposed_by",
            "it is decided, and nobody did so": "proposal.status <> 'proposed' AND proposal.decided_by = ''",
            "it is not decided, and somebody did so": "proposal.status = 'proposed' AND proposal.decided_by <> ''",
            "it is approved, and nothing is refunded": "proposal.status = 'approved' AND refund.id IS NULL",
            "it is not approved, and refunded": "proposal.status <> 'approved' AND proposal.refund <> ''",
            "the refund is of another invoice": "coalesce(refund.invoice_id <> proposal.invoice_id, FALSE)",
            "the refund is of another amount": "coalesce(refund.amount_minor <> proposal.amount_minor, FALSE)",
            "two approvals share a refund": "coalesce(approvals.times > 1, FALSE)",
        },
    )
