"""What must always be true of the contexts together: their documents are of one order, in states that match."""

from config.invariants.waiting import UNDER_WAY, WAITS_FOR_A_DELIVERY
from integration.invariants import Check, always

CONFIRMED = "('confirmed', 'partly_shipped', 'shipped', 'delivered', 'returned')"
"""SQL for the states of an order that is paid and not cancelled."""


@always("process.nothing_is_confirmed_without_goods_and_money")
def nothing_is_confirmed_without_goods_and_money() -> Check:
    """A confirmed order has its reservation and its money: it is captured, or authorized, or owed for what has left."""
    return Check(
        rows=f"""
            ordering_order AS o
            LEFT JOIN inventory_reservation AS r ON r."order" = o.number
            LEFT JOIN billing_invoice AS i ON i."order" = o.number
            WHERE o.status IN {CONFIRMED}
        """,
        what="""
            o.number || ' (' || o.status || '): reservation ' || coalesce(r.status, 'none') || ', invoice '
              || coalesce(i.status, 'none')
        """,
        never={
            "there are no goods": "coalesce(r.status, '') NOT IN ('held', 'committed', 'shipped')",
            "there is no money": "coalesce(i.authorized_minor, i.paid_minor, 0) <> o.total_minor",
            "its invoice is not settled": "coalesce(i.status, '') NOT IN ('paid', 'refunded', 'authorized')",
        },
    )


@always("process.everything_is_of_an_order")
def everything_is_of_an_order() -> Check:
    """Invoices, reservations and shipments are of orders that exist, an invoice in its currency and of its buyer."""
    return Check(
        rows="""
            (
                SELECT 'invoice' AS kind, number AS id, "order", currency, payer FROM billing_invoice
                UNION ALL SELECT 'reservation', "order", "order", NULL, NULL FROM inventory_reservation
                UNION ALL SELECT 'shipment', id, "order", NULL, NULL FROM fulfillment_shipment
            ) AS document LEFT JOIN ordering_order AS o ON o.number = document."order"
        """,
        what="""
            document.kind || ' ' || document.id || ': order ' || document."order" || coalesce(' in ' || o.currency
              || ' of ' || o.buyer_id, ' does not exist')
        """,
        never={
            "an invoice of an order that does not exist": "document.kind = 'invoice' AND o.number IS NULL",
            "a reservation of an order that does not exist": "document.kind = 'reservation' AND o.number IS NULL",
            "a shipment of an order that does not exist": "document.kind = 'shipment' AND o.number IS NULL",
            "the currencies differ": "document.kind = 'invoice' AND document.currency <> o.currency",
            "the payer is not the buyer": """
                document.kind = 'invoice' AND document.payer <> o.buyer_id AND NOT EXISTS (
                  SELECT 1 FROM integration_delivery AS delivery
                  WHERE delivery.consumer = 'billing.change-payer' AND delivery.status IN ('pending', 'dead'))
            """,
        },
    )


@always("process.nothing_ships_unconfirmed")
def nothing_ships_unconfirmed() -> Check:
    """A dispatched shipment belongs to an order that is confirmed and not cancelled."""
    return Check(
        rows="""
            fulfillment_shipment AS s LEFT JOIN ordering_order AS o ON o.number = s."order"
            WHERE s.status NOT IN ('arranged', 'cancelled')
        """,
        what="s.id || ' (' || s.status || '): order ' || coalesce(o.status, 'unknown')",
        never={
            "the order is not confirmed": f"coalesce(o.status, '') NOT IN {CONFIRMED}",
        },
    )


@always("process.contexts_agree_at_rest")
def contexts_agree_at_rest() -> Check:
    """An order at rest has a reservation and shipments whose states match its own."""

    def never(status: str, fits: str) -> str:
        return f"o.status = '{status}' AND (({fits}) IS NOT TRUE)"

    states = {
        "arranged": "status = 'arranged'",
        "under_way": UNDER_WAY,
        "ended": f"status NOT IN ('arranged', 'cancelled') AND NOT {UNDER_WAY}",
        "cancelled": "status = 'cancelled'",
    }
    counted = ", ".join(f"sum(CASE WHEN {state} THEN 1 ELSE 0 END) AS {name}" for name, state in states.items())
    return Check(
        rows=f"""
            ordering_order AS o
            LEFT JOIN inventory_reservation AS r ON r."order" = o.number
            LEFT JOIN (SELECT "order", count(*) AS n, {counted} FROM fulfillment_shipment GROUP BY "order") AS s
                ON s."order" = o.number
            LEFT JOIN billing_invoice AS i ON i."order" = o.number
            WHERE NOT {WAITS_FOR_A_DELIVERY}
        """,  # noqa: S608 - made of constants in the code only
        what=f"""
            o.number || ' (' || o.status || '): reservation ' || coalesce(r.status, 'none') || ', shipments '
              || coalesce({" || ', ' || ".join(f"s.{state} || ' {state}'" for state in states)}, 'none')
              || ', invoice ' || coalesce(i.status, 'none')
        """,
        never={
            "cancelled, and not in all contexts": never(
                "cancelled",
                "r.status IN ('released', 'expired', 'refused') AND coalesce(s.cancelled = s.n, TRUE)",
            ),
            "delivered, and not in all contexts": never(
                "delivered", "r.status = 'shipped' AND s.ended > 0 AND s.ended + s.cancelled = s.n"
            ),
            "returned, and not in all contexts": never(
                "returned", "r.status = 'shipped' AND s.arranged = 0 AND s.cancelled < s.n"
            ),
            "shipped, and not in all contexts": never(
                "shipped",
                "r.status = 'shipped' AND s.under_way > 0 AND s.under_way + s.ended + s.cancelled = s.n",
            ),
            "shipped in part, and not in all contexts": never(
                "partly_shipped",
                "r.status = 'committed' AND s.arranged = 1 AND s.n > 1 AND s.under_way + s.ended = s.n - 1",
            ),
            "confirmed, and not in all contexts": never(
                "confirmed", "r.status = 'committed' AND s.arranged = 1 AND s.n = 1"
            ),
            "unpaid, and not in all contexts": never("payment_pending", "r.status = 'held' AND s.n IS NULL"),
            "pending, and shipped": never("pending", "s.n IS NULL"),
            "cancelled, and its invoice waits": never("cancelled", "i.status <> 'open'"),
            "unpaid, and its invoice does not wait": never("payment_pending", "i.status = 'open'"),
        },
    )
