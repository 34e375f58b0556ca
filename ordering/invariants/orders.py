"""What must always be true of an order by itself: its lines, amounts and shipped units, and that its buyer exists."""

from datetime import timedelta

from integration.domain import clock
from integration.invariants import Check, always

CONFIRMED = "('confirmed', 'partly_shipped', 'shipped', 'delivered', 'returned')"
"""SQL for the states of an order that is paid and not cancelled."""


@always("ordering.total_is_its_lines_less_discount")
def total_is_its_lines_less_discount() -> Check:
    """An order has lines in its own currency, and their totals and shipping add up to its total, in minor units.

    The lines of a plain order have no amounts of their own: they share its discount.
    """
    due = "(coalesce(lines.total, lines.subtotal - o.discount_minor, 0) + o.shipping_total_minor)"
    return Check(
        rows="""
            ordering_order AS o LEFT JOIN (
                SELECT order_id, min(currency) AS lowest, max(currency) AS highest, count(*) AS lines,
                       count(total_minor) AS totals, sum(quantity * unit_price_minor) AS subtotal,
                       sum(discount_minor) AS discount, sum(tax_minor) AS tax, sum(total_minor) AS total
                FROM ordering_orderline GROUP BY order_id
            ) AS lines ON lines.order_id = o.number
        """,
        what=f"""
            o.number || ': total ' || o.total_minor || ' ' || o.currency || ', but its lines and shipping are ' || {due}
        """,
        never={
            "there are no lines": "lines.lines IS NULL",
            "a line is in another currency": """
                coalesce(lines.lowest <> o.currency OR lines.highest <> o.currency, FALSE)
            """,
            "only some lines have amounts": "coalesce(lines.totals NOT IN (0, lines.lines), FALSE)",
            "subtotal is not its lines": "o.subtotal_minor <> coalesce(lines.subtotal, 0)",
            "total is not its lines and shipping": f"o.total_minor <> {due}",
            "lines do not add up": """
                coalesce(lines.total <> lines.subtotal - lines.discount
                                          + CASE WHEN o.prices_include_tax THEN 0 ELSE lines.tax END, FALSE)
            """,
        },
    )


@always("ordering.what_is_shipped_was_ordered")
def what_is_shipped_was_ordered() -> Check:
    """A shipped or delivered order has no open units, a partially shipped one has some and shipped some, others none.

    Open are those that are neither shipped nor cancelled. What was shipped of a returned order came back or is lost.
    """
    return Check(
        rows="""
            ordering_orderline AS line JOIN ordering_order AS o ON o.number = line.order_id
            JOIN (SELECT order_id, sum(quantity) AS ordered, sum(shipped) AS shipped, sum(cancelled) AS cancelled,
                         sum(returned + lost) AS gone
                  FROM ordering_orderline GROUP BY order_id) AS whole ON whole.order_id = o.number
        """,
        what="""
            line.order_id || ' (' || o.status || '): ' || line.shipped || ' of ' || line.quantity || ' ' || line.sku
              || ' shipped, ' || line.cancelled || ' cancelled'
        """,
        never={
            "not all of it is shipped": """
                o.status IN ('shipped', 'delivered', 'returned') AND line.shipped + line.cancelled <> line.quantity
            """,
            "some of it is shipped": """
                o.status NOT IN ('partly_shipped', 'shipped', 'delivered', 'returned') AND line.shipped <> 0
            """,
            "all or nothing is shipped in part": """
                o.status = 'partly_shipped'
                  AND whole.shipped NOT BETWEEN 1 AND whole.ordered - whole.cancelled - 1
            """,
            "more is shipped and cancelled than ordered": "line.shipped + line.cancelled > line.quantity",
            "more came back or is lost than was shipped": "line.returned + line.lost > line.shipped",
            "it is returned, and the buyer has some of it": "o.status = 'returned' AND whole.shipped <> whole.gone",
            "it is delivered, and the buyer has none of it": "o.status = 'delivered' AND whole.shipped = whole.gone",
            "all of it is cancelled, and the order goes on": """
                o.status <> 'cancelled' AND whole.cancelled = whole.ordered
            """,
        },
    )


@always("ordering.refunded_at_most_paid")
def refunded_at_most_paid() -> Check:
    """No order has more money refunded than paid, and a confirmed, shipped or delivered order is paid in full.

    If its payment was authorized first, what is held, paid and released is at most the total.
    """
    return Check(
        rows="ordering_order AS o",
        what="""
            o.number || ' (' || o.status || '): paid ' || o.paid_minor || ' of ' || o.total_minor || ', refunded '
              || o.refunded_minor
        """,
        never={
            "more is refunded than paid": "o.refunded_minor > o.paid_minor",
            "it is confirmed and not paid in full": f"""
                o.status IN {CONFIRMED} AND o.paid_minor <> o.total_minor AND o.authorized_minor IS NULL
            """,
            "more is held, paid and released than it costs": """
                coalesce(o.authorized_minor + o.paid_minor + coalesce(o.released_minor, 0) > o.total_minor, FALSE)
            """,
        },
    )


@always("ordering.overdue_refunds_are_tasks")
def overdue_refunds_are_tasks() -> Check:
    """A refund of a withdrawal that is overdue by two hours is a person's task; its order has no due time then."""
    two_hours_ago = f"'{(clock.now() - timedelta(hours=2)):%Y-%m-%d %H:%M:%S}'"
    return Check(
        rows="ordering_order AS o",
        what="o.number || ': a refund was due at ' || o.refund_due_at",
        never={"it is overdue and no task": f"coalesce(o.refund_due_at < {two_hours_ago}, FALSE)"},
    )


@always("ordering.every_order_has_a_buyer")
def every_order_has_a_buyer() -> Check:
    """The buyer of an order exists."""
    return Check(
        rows="ordering_order AS o LEFT JOIN ordering_buyer AS buyer ON buyer.id = o.buyer_id",
        what="o.number || ': buyer ' || o.buyer_id || ' does not exist'",
        never={"there is no such buyer": "buyer.id IS NULL"},
    )
