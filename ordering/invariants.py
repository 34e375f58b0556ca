"""What must always be true of orders and buyers."""

from integration.domain.invariants import always


@always("ordering.total_is_its_lines_less_discount")
def total_is_its_lines_less_discount() -> str:
    """An order's total is the sum of its lines less its discount, exact in minor units."""
    return """
        SELECT o.number || ': total ' || o.total_minor || ', but its lines less discount are '
                 || (coalesce(lines.total, 0) - o.discount_minor) AS what,
               o.total_minor <> coalesce(lines.total, 0) - o.discount_minor AS bad
        FROM ordering_order AS o
        LEFT JOIN (
            SELECT order_id, sum(quantity * unit_price_minor) AS total FROM ordering_orderline GROUP BY order_id
        ) AS lines ON lines.order_id = o.number
    """


@always("ordering.what_is_shipped_was_ordered")
def what_is_shipped_was_ordered() -> str:
    """Per line, no more is shipped than was ordered; of a shipped order all, of any other nothing."""
    return """
        SELECT line.order_id || ' (' || o.status || '): ' || line.shipped || ' of ' || line.quantity || ' ' || line.sku
                 || ' shipped' AS what,
               line.shipped <> CASE WHEN o.status IN ('shipped', 'delivered') THEN line.quantity ELSE 0 END AS bad
        FROM ordering_orderline AS line JOIN ordering_order AS o ON o.number = line.order_id
    """


@always("ordering.refunded_at_most_paid")
def refunded_at_most_paid() -> str:
    """No order knows of more money given back than came in, and a confirmed one is paid for in full."""
    return """
        SELECT o.number || ' (' || o.status || '): paid ' || o.paid_minor || ' of ' || o.total_minor || ', refunded '
                 || o.refunded_minor AS what,
               o.refunded_minor > o.paid_minor
                 OR (o.status IN ('confirmed', 'shipped', 'delivered') AND o.paid_minor <> o.total_minor) AS bad
        FROM ordering_order AS o
    """


@always("ordering.spend_is_its_confirmed_orders")
def spend_is_its_confirmed_orders() -> str:
    """A buyer's spend is the sum of their confirmed orders in the shop's currency."""
    return """
        SELECT buyer.id || ': spent ' || buyer.spend_minor || ', but the orders are ' || coalesce(orders.total, 0)
                 AS what,
               buyer.spend_minor <> coalesce(orders.total, 0) AS bad
        FROM ordering_buyer AS buyer
        LEFT JOIN (
            SELECT buyer_id, currency, sum(total_minor) AS total FROM ordering_order
            WHERE status IN ('confirmed', 'shipped', 'delivered') GROUP BY buyer_id, currency
        ) AS orders ON orders.buyer_id = buyer.id AND orders.currency = buyer.currency
    """
