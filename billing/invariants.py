"""Billing's invariants: rules about invoices, payments and refunds, each checked by one SQL query."""

from integration.invariants import always


@always("billing.paid_is_its_payments")
def paid_is_its_payments() -> str:
    """An invoice has at most one successful payment, and `paid` is that payment's amount."""
    return """
        SELECT invoice.number || ': paid ' || invoice.paid_minor || ', but ' || coalesce(payments.times, 0)
                 || ' payments brought ' || coalesce(payments.total, 0) AS what,
               coalesce(payments.times, 0) > 1 OR invoice.paid_minor <> coalesce(payments.total, 0) AS bad
        FROM billing_invoice AS invoice
        LEFT JOIN (
            SELECT invoice_id, count(*) AS times, sum(amount_minor) AS total
            FROM billing_payment WHERE status = 'succeeded' GROUP BY invoice_id
        ) AS payments ON payments.invoice_id = invoice.number
    """


@always("billing.refunded_is_its_refunds")
def refunded_is_its_refunds() -> str:
    """`refunded` is the sum of the invoice's issued refunds, `refund_owed` the sum of all its refunds."""
    return """
        SELECT invoice.number || ': refunded ' || invoice.refunded_minor || ' of ' || invoice.refund_owed_minor
                 || ' owed back of ' || invoice.paid_minor || ' paid, but its refunds are '
                 || coalesce(refunds.issued, 0) || ' of ' || coalesce(refunds.total, 0) AS what,
               invoice.refunded_minor <> coalesce(refunds.issued, 0)
                 OR invoice.refund_owed_minor <> coalesce(refunds.total, 0)
                 OR invoice.refund_owed_minor > invoice.paid_minor AS bad
        FROM billing_invoice AS invoice
        LEFT JOIN (
            SELECT invoice_id, sum(amount_minor) AS total,
                   sum(CASE WHEN status = 'issued' THEN amount_minor ELSE 0 END) AS issued
            FROM billing_refund GROUP BY invoice_id
        ) AS refunds ON refunds.invoice_id = invoice.number
    """


@always("billing.a_payment_is_settled_once")
def a_payment_is_settled_once() -> str:
    """A payment succeeds at most once, however often the provider reports it."""
    return """
        SELECT payment.id || ' (' || payment.status || '): succeeded ' || coalesce(settled.times, 0) || ' times'
                 AS what,
               coalesce(settled.times, 0) <> CASE WHEN payment.status = 'succeeded' THEN 1 ELSE 0 END AS bad
        FROM billing_payment AS payment
        LEFT JOIN (
            SELECT stream_id, count(*) AS times FROM billing_history
            WHERE name = 'billing.payment_succeeded' GROUP BY stream_id
        ) AS settled ON settled.stream_id = payment.id
    """
