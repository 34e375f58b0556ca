"""What must always be true of an order across contexts; only these queries read tables of more than one context."""

from datetime import timedelta

from integration.domain import clock
from integration.invariants import always

WAITS_FOR_A_DELIVERY = """
    EXISTS (SELECT 1 FROM integration_delivery AS delivery JOIN integration_message AS message
            ON message.id = delivery.message_id
            WHERE message.correlation_id = o.correlation_id AND delivery.status IN ('pending', 'dead'))
"""
"""The order's story has a pending delivery, or a dead letter that waits for an operator."""


@always("process.every_order_ended_or_waits_for_something")
def every_order_ended_or_waits() -> str:
    """Every order has ended, or waits for a delivery, for a deadline, or for a person to handle its shipment."""
    return f"""
        SELECT o.number || ': ' || o.status || ', and waits for nothing' AS what,
               NOT (o.status IN ('delivered', 'cancelled')
                 OR (o.status IN ('pending', 'payment_pending') AND o.payment_due_at > {_a_minute_ago()})
                 OR (o.status = 'confirmed' AND EXISTS (SELECT 1 FROM fulfillment_shipment AS s
                     WHERE s."order" = o.number AND s.status = 'arranged'))
                 OR (o.status = 'shipped' AND EXISTS (SELECT 1 FROM fulfillment_shipment AS s
                     WHERE s."order" = o.number AND s.status = 'dispatched'))
                 OR {WAITS_FOR_A_DELIVERY}) AS bad
        FROM ordering_order AS o
    """  # noqa: S608 - made of constants in the code and a time of our own clock


@always("process.nothing_is_confirmed_without_goods_and_money")
def nothing_is_confirmed_without_goods_and_money() -> str:
    """A confirmed order has its full reservation and its money."""
    return """
        SELECT o.number || ' (' || o.status || '): reservation ' || coalesce(r.status, 'none') || ', invoice '
                 || coalesce(i.status, 'none') AS what,
               coalesce(r.status, '') NOT IN ('held', 'committed', 'shipped')
                 OR coalesce(i.paid_minor, 0) <> o.total_minor
                 OR coalesce(wanted.units, 0) <> coalesce(held.units, 0) AS bad
        FROM ordering_order AS o
        LEFT JOIN inventory_reservation AS r ON r."order" = o.number
        LEFT JOIN billing_invoice AS i ON i."order" = o.number
        LEFT JOIN (SELECT order_id, sum(quantity) AS units FROM ordering_orderline GROUP BY order_id) AS wanted
            ON wanted.order_id = o.number
        LEFT JOIN (SELECT reservation_id, sum(quantity) AS units FROM inventory_reservationline
                   GROUP BY reservation_id) AS held ON held.reservation_id = o.number
        WHERE o.status IN ('confirmed', 'shipped', 'delivered')
    """


@always("process.nothing_ships_unconfirmed")
def nothing_ships_unconfirmed() -> str:
    """A dispatched shipment belongs to an order that is confirmed and not cancelled."""
    return """
        SELECT s.id || ' (' || s.status || '): order ' || coalesce(o.status, 'unknown') AS what,
               coalesce(o.status, '') NOT IN ('confirmed', 'shipped', 'delivered') AS bad
        FROM fulfillment_shipment AS s LEFT JOIN ordering_order AS o ON o.number = s."order"
        WHERE s.status IN ('dispatched', 'delivered')
    """


@always("process.contexts_agree_at_rest")
def contexts_agree_at_rest() -> str:
    """An order at rest has a reservation and a shipment whose states match its own."""
    return f"""
        SELECT o.number || ' (' || o.status || '): reservation ' || coalesce(r.status, 'none') || ', shipment '
                 || coalesce(s.status, 'none') AS what,
               NOT ((o.status = 'cancelled' AND coalesce(r.status, '') IN ('released', 'expired', 'refused')
                       AND coalesce(s.status, 'cancelled') = 'cancelled')
                 OR (o.status = 'delivered' AND r.status = 'shipped' AND s.status = 'delivered')
                 OR (o.status = 'shipped' AND r.status = 'shipped' AND s.status = 'dispatched')
                 OR (o.status = 'confirmed' AND r.status = 'committed' AND s.status = 'arranged')
                 OR (o.status = 'payment_pending' AND r.status = 'held' AND s.id IS NULL)
                 OR o.status = 'pending') AS bad
        FROM ordering_order AS o
        LEFT JOIN inventory_reservation AS r ON r."order" = o.number
        LEFT JOIN fulfillment_shipment AS s ON s."order" = o.number
        WHERE NOT {WAITS_FOR_A_DELIVERY}
    """  # noqa: S608 - made of constants in the code only


@always("money.captured_less_refunded_is_what_orders_owe")
def captured_less_refunded_is_what_orders_owe() -> str:
    """At rest, captured less refunded is what the order owes: its total less granted refunds, or nothing."""
    owed = """
        CASE WHEN o.status IN ('confirmed', 'shipped', 'delivered')
             THEN o.total_minor - coalesce(i.granted_minor, 0) ELSE 0 END
    """
    return f"""
        SELECT o.number || ' (' || o.status || '): captured ' || coalesce(i.paid_minor, 0) || ', refunded '
                 || coalesce(i.refunded_minor, 0) || ', owes ' || {owed} AS what,
               coalesce(i.paid_minor - i.refunded_minor, 0) <> {owed}
                 OR coalesce(i.total_minor, -1) <> o.total_minor
                 OR coalesce(i.paid_minor, 0) <> o.paid_minor
                 OR coalesce(i.refunded_minor, 0) <> o.refunded_minor AS bad
        FROM ordering_order AS o LEFT JOIN billing_invoice AS i ON i."order" = o.number
        WHERE NOT {WAITS_FOR_A_DELIVERY}
    """  # noqa: S608 - made of constants in the code only


def _a_minute_ago() -> str:
    """A minute ago, as an SQL literal; the routine that acts on deadlines runs every few seconds."""
    return f"'{(clock.now() - timedelta(minutes=1)):%Y-%m-%d %H:%M:%S}'"
