"""What must always be true of the money of an order: captured less refunded is what it owes."""

from config.invariants.agreement import CONFIRMED
from config.invariants.waiting import WAITS_FOR_A_DELIVERY
from integration.invariants import Check, always


@always("money.captured_less_refunded_is_what_orders_owe")
def captured_less_refunded_is_what_orders_owe() -> Check:
    """At rest, captured and still to be captured, less what is refunded or is to be, is what the order owes.

    It owes its total less all reductions, or what is withheld. Money of a pending or failed refund is still with us.
    Money is still to be captured if it is authorized, or if it was and the goods have left: then it is a receivable.
    What a payment brought to an invoice that was paid before is a surplus: it is in neither sum, and is refunded.
    """
    owed = f"""
        CASE WHEN o.status IN {CONFIRMED}
             THEN o.total_minor - coalesce(i.granted_minor, 0)
             ELSE coalesce(i.withheld_minor, 0) END
    """
    to_capture = "coalesce(i.authorized_minor - i.paid_minor - i.released_minor, 0)"
    return Check(
        rows=f"""
            ordering_order AS o LEFT JOIN billing_invoice AS i ON i."order" = o.number
            WHERE NOT {WAITS_FOR_A_DELIVERY}
        """,
        what=f"""
            o.number || ' (' || o.status || '): captured ' || coalesce(i.paid_minor, 0) || ', to be captured '
              || {to_capture} || ', refunded '
              || coalesce(i.refunded_minor, 0) || ', owes ' || {owed}
        """,
        never={
            "captured less refunded is not what it owes": f"""
                coalesce(i.paid_minor - i.refund_owed_minor, 0) + {to_capture} <> {owed}
            """,
            "the invoice is missing": "i.number IS NULL",
            "the invoice has another total": "coalesce(i.total_minor <> o.total_minor, FALSE)",
            "the invoice has another amount paid": "coalesce(i.paid_minor, 0) <> o.paid_minor",
            "the invoice has another amount refunded": "coalesce(i.refunded_minor, 0) <> o.refunded_minor",
        },
    )
