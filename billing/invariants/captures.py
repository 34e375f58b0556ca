"""Invariants of authorized money: what is captured of it, and what waits for it."""

from datetime import timedelta

from billing.commands.capturing import LAPSES_EARLIER
from integration.domain import clock
from integration.invariants import Check, always


@always("billing.captured_is_its_captures")
def captured_is_its_captures() -> Check:
    """What is captured of an authorized payment is the sum of its captures, and never more than was authorized."""
    return Check(
        rows="""
            billing_invoice AS invoice JOIN billing_payment AS payment
              ON payment.invoice_id = invoice.number AND payment.captured_minor IS NOT NULL
            LEFT JOIN (
                SELECT payment_id, sum(CASE WHEN status = 'captured' THEN amount_minor ELSE 0 END) AS captured,
                       sum(CASE WHEN status = 'requested' THEN amount_minor ELSE 0 END) AS asked, count(*) AS times,
                       min(currency) AS lowest, max(currency) AS highest, min("order") AS first_order,
                       max("order") AS last_order
                FROM billing_capture GROUP BY payment_id
            ) AS captures ON captures.payment_id = payment.id
        """,
        what="""
            payment.id || ' (' || payment.status || '): captured ' || payment.captured_minor || ' of '
              || payment.amount_minor || ', its captures are ' || coalesce(captures.captured, 0) || ' and '
              || coalesce(captures.asked, 0) || ' requested'
        """,
        never={
            "captured is not its captures": "payment.captured_minor <> coalesce(captures.captured, 0)",
            "more is captured than was authorized": "payment.captured_minor > payment.amount_minor",
            "the invoice has other captures": """
                coalesce(invoice.capturing_minor, 0) <> coalesce(captures.asked, 0)
                  OR coalesce(invoice.capture_count, 0) <> coalesce(captures.times, 0)
            """,
            "the invoice does not know of the authorization": "invoice.authorized_minor IS NULL",
            "a capture is in another currency": """
                coalesce(captures.lowest <> payment.currency OR captures.highest <> payment.currency, FALSE)
            """,
            "a capture is of another order": """
                coalesce(captures.first_order <> payment."order" OR captures.last_order <> payment."order", FALSE)
            """,
        },
    )


@always("billing.an_authorization_ends")
def an_authorization_ends() -> Check:
    """What is still to be captured is authorized, or a task; what is not to be captured is released by a delivery."""
    soon = f"'{(clock.now() + LAPSES_EARLIER - timedelta(minutes=10)):%Y-%m-%d %H:%M:%S}'"
    to_capture = "(invoice.authorized_minor - invoice.paid_minor - invoice.released_minor)"
    waits = """
        EXISTS (SELECT 1 FROM integration_delivery AS delivery JOIN integration_message AS message
                ON message.id = delivery.message_id
                WHERE message.correlation_id = payment.correlation_id AND delivery.status IN ('pending', 'dead')
                  AND delivery.consumer IN ('billing.release-authorization', 'billing.make-capture'))
    """
    return Check(
        rows="""
            billing_payment AS payment JOIN billing_invoice AS invoice
              ON invoice.number = payment.invoice_id AND payment.captured_minor IS NOT NULL
        """,
        what=f"""
            payment.id || ' (' || payment.status || ', until ' || coalesce(CAST(payment.expires_at AS text), '?')
              || '), invoice ' || invoice.status || ': {{to_capture}} ' || {to_capture}
        """.replace("{to_capture}", "to capture"),
        never={
            "nobody releases it": f"""
                payment.status IN ('authorized', 'lapsed') AND {to_capture} = 0 AND NOT ({waits})
            """,
            "it lapses and nobody says so": f"payment.status = 'authorized' AND payment.expires_at <= {soon}",
            "a lapsed authorization counts as money": f"""
                payment.status <> 'authorized' AND {to_capture} > 0 AND invoice.lapsed IS NOT TRUE
            """,
            "the invoice is settled too early": f"invoice.status <> 'authorized' AND {to_capture} <> 0",
            "the invoice waits for nothing": f"invoice.status = 'authorized' AND {to_capture} = 0",
        },
    )


@always("billing.a_failed_capture_is_a_task")
def a_failed_capture_is_a_task() -> Check:
    """A failed capture names its reason, and an operator has the task to get the money in another way."""
    return Check(
        rows="""
            billing_capture AS capture LEFT JOIN billing_discrepancy AS task ON task.subject = capture.id
        """,
        what="capture.id || ' (' || capture.status || '): ' || capture.failure",
        never={
            "it failed, and is nobody's task": "capture.status = 'failed' AND task.subject IS NULL",
            "the status is not what happened": "(capture.status = 'failed') <> (capture.failure <> '')",
        },
    )
