"""Invariants of invoices, payments and refunds."""

from integration.invariants import Check, always

PAYING = """CASE WHEN invoice.settled_by <> '' THEN invoice.settled_by
                 ELSE 'P' || substr(invoice."order", 2) || '-1' END"""
"""SQL for the payment that settled an invoice, as `Invoice.paying`."""


@always("billing.paid_is_its_payments")
def paid_is_its_payments() -> Check:
    """What payments brought is `paid`, by the one that settled the invoice, and a surplus, which is refunded.

    A settled invoice is paid in full. What is released of an authorization is never captured, and not due any more.
    """
    return Check(
        rows=f"""
            billing_invoice AS invoice LEFT JOIN (
                SELECT invoice_id, count(*) AS times, sum(coalesce(captured_minor, amount_minor)) AS total
                FROM billing_payment WHERE status = 'succeeded' OR captured_minor > 0 GROUP BY invoice_id
            ) AS payments ON payments.invoice_id = invoice.number
            LEFT JOIN billing_payment AS settling ON settling.id = {PAYING}
            LEFT JOIN (
                SELECT refund.invoice_id, sum(refund.amount_minor) AS owed,
                       sum(CASE WHEN refund.status = 'issued' THEN refund.amount_minor ELSE 0 END) AS issued
                FROM billing_refund AS refund JOIN billing_invoice AS invoice ON invoice.number = refund.invoice_id
                WHERE refund.payment_id <> {PAYING} GROUP BY refund.invoice_id
            ) AS returned ON returned.invoice_id = invoice.number
        """,  # noqa: S608 - made of constants in the code only
        what="""
            invoice.number || ': paid ' || invoice.paid_minor || ', surplus ' || invoice.surplus_minor || ', but '
              || coalesce(payments.times, 0) || ' payments brought ' || coalesce(payments.total, 0)
        """,
        never={
            "paid is not what its payments brought": """
                invoice.paid_minor + coalesce(returned.owed, 0) <> coalesce(payments.total, 0)
            """,
            "the surplus is not what is still to be refunded": """
                invoice.surplus_minor <> coalesce(returned.owed - returned.issued, 0)
            """,
            "the payment that settled it did not succeed": """
                invoice.paid_minor > 0 AND coalesce(settling.status, '') <> 'succeeded'
                  AND coalesce(settling.captured_minor, 0) = 0
            """,
            "it is settled and not paid in full": """
                invoice.status IN ('paid', 'refunded')
                  AND invoice.paid_minor + coalesce(invoice.released_minor, 0) <> invoice.total_minor
            """,
        },
    )


@always("billing.refunded_is_its_refunds")
def refunded_is_its_refunds() -> Check:
    """`refunded` is the sum of the invoice's issued refunds, `refund_owed` of all; a surplus is in neither."""
    return Check(
        rows=f"""
            billing_invoice AS invoice LEFT JOIN (
                SELECT refund.invoice_id, sum(refund.amount_minor) AS total,
                       sum(CASE WHEN refund.status = 'issued' THEN refund.amount_minor ELSE 0 END) AS issued
                FROM billing_refund AS refund JOIN billing_invoice AS invoice ON invoice.number = refund.invoice_id
                WHERE refund.payment_id = {PAYING} GROUP BY refund.invoice_id
            ) AS refunds ON refunds.invoice_id = invoice.number
        """,  # noqa: S608 - made of constants in the code only
        what="""
            invoice.number || ': refunded ' || invoice.refunded_minor || ' of ' || invoice.refund_owed_minor
              || ' owed back of ' || invoice.paid_minor || ' paid, but its refunds are '
              || coalesce(refunds.issued, 0) || ' of ' || coalesce(refunds.total, 0)
        """,
        never={
            "refunded is not its issued refunds": "invoice.refunded_minor <> coalesce(refunds.issued, 0)",
            "owed back is not its refunds": "invoice.refund_owed_minor <> coalesce(refunds.total, 0)",
            "more is owed back than was paid": "invoice.refund_owed_minor > invoice.paid_minor",
        },
    )


@always("billing.total_is_its_lines_less_discount")
def total_is_its_lines_less_discount() -> Check:
    """An invoice has lines in its own currency, and its total is their sum and shipping.

    Lines without a total of their own share the discount of the invoice.
    """
    due = "(coalesce(lines.total, lines.subtotal - invoice.discount_minor, 0) + invoice.shipping_minor)"
    return Check(
        rows="""
            billing_invoice AS invoice LEFT JOIN (
                SELECT invoice_id, min(currency) AS lowest, max(currency) AS highest,
                       sum(quantity * unit_price_minor) AS subtotal, sum(total_minor) AS total,
                       count(*) AS lines, count(total_minor) AS totals
                FROM billing_invoiceline GROUP BY invoice_id
            ) AS lines ON lines.invoice_id = invoice.number
        """,
        what=f"""
            invoice.number || ': total ' || invoice.total_minor || ' ' || invoice.currency
              || ', but its lines and shipping are ' || {due}
        """,
        never={
            "there are no lines": "lines.lines IS NULL",
            "only some lines have a total": "coalesce(lines.totals NOT IN (0, lines.lines), FALSE)",
            "a line is in another currency": """
                coalesce(lines.lowest <> invoice.currency OR lines.highest <> invoice.currency, FALSE)
            """,
            "total is not its lines and shipping": f"invoice.total_minor <> {due}",
        },
    )


@always("billing.lines_are_refunded_once")
def lines_are_refunded_once() -> Check:
    """No more of a line is refunded than was invoiced, and the lines' part of the refunds is at most their sum."""
    return Check(
        rows="""
            billing_invoice AS invoice LEFT JOIN (
                SELECT invoice_id, sum(credited_minor) AS credited, max(units_refunded - quantity) AS beyond,
                       max(credited_minor - coalesce(total_minor, quantity * unit_price_minor)) AS above,
                       min(credited_minor) AS least, max(units_gone - units_refunded) AS not_refunded,
                       min(CASE WHEN units_refunded = quantity THEN 1 ELSE 0 END) AS all_refunded
                FROM billing_invoiceline GROUP BY invoice_id
            ) AS lines ON lines.invoice_id = invoice.number
        """,
        what="""
            invoice.number || ': of its lines ' || coalesce(lines.credited, 0) || ' are refunded, and '
              || invoice.refund_owed_minor || ' of ' || invoice.paid_minor || ' owed back'
        """,
        never={
            "more units are refunded than invoiced": "coalesce(lines.beyond > 0, FALSE)",
            "more of a line is refunded than its price": "coalesce(lines.above > 0, FALSE)",
            "less than nothing is refunded": "coalesce(lines.least < 0, FALSE)",
            "units that are gone are not refunded": "coalesce(lines.not_refunded > 0, FALSE)",
            "more is refunded than owed": """
                coalesce(lines.credited, 0) > invoice.refund_owed_minor + coalesce(invoice.released_minor, 0)
            """,
            "all units are refunded, and not all that was paid": """
                coalesce(lines.all_refunded = 1, FALSE)
                  AND invoice.refund_owed_minor < invoice.paid_minor - invoice.shipping_minor - invoice.withheld_minor
            """,
        },
    )


@always("billing.a_payment_is_of_its_invoice")
def a_payment_is_of_its_invoice() -> Check:
    """A payment has the order, the currency and the total of an invoice that exists."""
    return Check(
        rows="billing_payment AS payment LEFT JOIN billing_invoice AS invoice ON invoice.number = payment.invoice_id",
        what="""
            payment.id || ' of ' || payment."order" || ', ' || payment.amount_minor || ' ' || payment.currency
              || ': invoice ' || coalesce(invoice.number || ' of ' || invoice."order" || ', '
              || invoice.total_minor || ' ' || invoice.currency, payment.invoice_id || ' does not exist')
        """,
        never={
            "there is no such invoice": "invoice.number IS NULL",
            "the orders differ": 'payment."order" <> invoice."order"',
            "the currencies differ": "payment.currency <> invoice.currency",
            "the amounts differ": "payment.amount_minor <> invoice.total_minor",
            "nothing is to be paid": "payment.amount_minor = 0",
        },
    )


@always("billing.a_refund_is_of_its_payment")
def a_refund_is_of_its_payment() -> Check:
    """A refund has the order, the invoice and the currency of a payment that succeeded."""
    return Check(
        rows="billing_refund AS refund LEFT JOIN billing_payment AS payment ON payment.id = refund.payment_id",
        what="""
            refund.id || ' of ' || refund."order" || ', ' || refund.amount_minor || ' ' || refund.currency
              || ': payment ' || coalesce(payment.id || ' (' || payment.status || ') of ' || payment."order" || ', '
              || payment.amount_minor || ' ' || payment.currency, refund.payment_id || ' does not exist')
        """,
        never={
            "there is no such payment": "payment.id IS NULL",
            "the orders differ": 'refund."order" <> payment."order"',
            "the invoices differ": "refund.invoice_id <> payment.invoice_id",
            "the currencies differ": "refund.currency <> payment.currency",
            "the payment did not succeed": "payment.status <> 'succeeded' AND coalesce(payment.captured_minor, 0) = 0",
        },
    )


@always("billing.a_payment_is_settled_once")
def a_payment_is_settled_once() -> Check:
    """A payment succeeds at most once, however often the provider reports it: it is charged, or captured and closed."""
    return _happened_once("payment", "succeeded", "billing.payment_succeeded", or_if=CLOSED_AS_SUCCEEDED)


@always("billing.a_refund_is_issued_once")
def a_refund_is_issued_once() -> Check:
    """A refund is issued at most once, and again only after it has failed."""
    failed = """replace(CAST(data AS text), ' ', '') LIKE '%"was_issued":true%'"""
    return _happened_once("refund", "issued", "billing.refund_issued", f"name = 'billing.refund_failed' AND {failed}")


@always("billing.a_failed_refund_is_a_task")
def a_failed_refund_is_a_task() -> Check:
    """A failed refund names its reason, and an operator has the task to request it again or to pay it otherwise."""
    return Check(
        rows="""
            billing_refund AS refund LEFT JOIN billing_discrepancy AS task ON task.subject = refund.id
        """,
        what="refund.id || ' (' || refund.status || '): ' || refund.failure",
        never={
            "it failed, and is nobody's task": "refund.status = 'failed' AND task.subject IS NULL",
            "the status is not what happened": "(refund.status = 'failed') <> (refund.failure <> '')",
        },
    )


CLOSED_AS_SUCCEEDED = """
    (name = 'billing.payment_closed' AND replace(CAST(data AS text), ' ', '') LIKE '%"status":"succeeded"%')
"""


def _happened_once(kind: str, status: str, event: str, unless: str = "FALSE", or_if: str = "FALSE") -> Check:
    """The check that an event happened at most once, and decides the status.

    Events that meet `or_if` count as well; those that meet `unless` undo it.
    """
    return Check(
        rows=f"""
            billing_{kind} AS it LEFT JOIN (
                SELECT stream_id,
                       sum(CASE WHEN name = '{event}' OR {or_if} THEN 1 WHEN {unless} THEN -1 ELSE 0 END) AS times
                FROM billing_history WHERE stream = '{kind}' GROUP BY stream_id
            ) AS settled ON settled.stream_id = it.id
        """,  # noqa: S608 - made of constants in the code only
        what=f"it.id || ' (' || it.status || '): {status} ' || coalesce(settled.times, 0) || ' times'",
        never={
            f"{status} more than once": "coalesce(settled.times, 0) > 1",
            "the status is not what happened": f"(it.status = '{status}') <> (coalesce(settled.times, 0) > 0)",
        },
    )
