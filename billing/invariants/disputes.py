"""Invariants of disputes: what they took away, and what waits for them."""

from integration.invariants import Check, always


@always("billing.withdrawn_is_its_disputes")
def withdrawn_is_its_disputes() -> Check:
    """What an invoice lost, and what is still open, is what its disputes took away and did not return."""
    return Check(
        rows="""
            billing_invoice AS invoice LEFT JOIN (
                SELECT invoice_id, sum(withdrawn_minor) AS withdrawn,
                       sum(CASE WHEN status = 'funds_withdrawn' THEN withdrawn_minor ELSE 0 END) AS disputed
                FROM billing_dispute GROUP BY invoice_id
            ) AS disputes ON disputes.invoice_id = invoice.number
            LEFT JOIN (
                SELECT invoice_id, sum(CASE WHEN status = 'settled' THEN amount_minor ELSE 0 END) AS settled,
                       sum(CASE WHEN status = 'blocked' THEN 1 ELSE 0 END) AS blocked
                FROM billing_refund GROUP BY invoice_id
            ) AS refunds ON refunds.invoice_id = invoice.number
        """,
        what="""
            invoice.number || ': withdrawn ' || invoice.withdrawn_minor || ', disputed ' || invoice.disputed_minor
              || ', its disputes took ' || coalesce(disputes.withdrawn, 0)
        """,
        never={
            "withdrawn is not its disputes": "invoice.withdrawn_minor <> coalesce(disputes.withdrawn, 0)",
            "disputed is not its open disputes": "invoice.disputed_minor <> coalesce(disputes.disputed, 0)",
            "a refund waits for no dispute": "coalesce(refunds.blocked, 0) > 0 AND invoice.disputed_minor = 0",
            "more refunds are settled than disputes took": "coalesce(refunds.settled, 0) > invoice.withdrawn_minor",
        },
    )


@always("billing.a_dispute_takes_what_it_is_about")
def a_dispute_takes_what_it_is_about() -> Check:
    """A dispute is about a payment that succeeded, and takes its whole amount, or nothing."""
    return Check(
        rows="billing_dispute AS dispute LEFT JOIN billing_payment AS payment ON payment.id = dispute.payment_id",
        what="dispute.id || ' (' || dispute.status || ') about ' || dispute.payment_id",
        never={
            "there is no such payment": "payment.id IS NULL",
            "the orders differ": 'dispute."order" <> payment."order"',
            "the currencies differ": "dispute.currency <> payment.currency",
            "it is about more than was paid": "dispute.amount_minor > payment.amount_minor",
            "it took something else": "dispute.withdrawn_minor NOT IN (0, dispute.amount_minor)",
            "it was won, and took something": "dispute.status = 'won' AND dispute.withdrawn_minor <> 0",
        },
    )
