"""Ordering's invariants: rules about orders, buyers and read models, each checked by one SQL query."""

from integration.invariants import always
from integration.read_models.verify import caught_up, own_build, shown


@always("ordering.total_is_its_lines_less_discount")
def total_is_its_lines_less_discount() -> str:
    """An order's total equals the sum of its lines minus its discount, exact in minor units."""
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
    """A shipped or delivered order has shipped every line in full; any other order has shipped nothing."""
    return """
        SELECT line.order_id || ' (' || o.status || '): ' || line.shipped || ' of ' || line.quantity || ' ' || line.sku
                 || ' shipped' AS what,
               line.shipped <> CASE WHEN o.status IN ('shipped', 'delivered') THEN line.quantity ELSE 0 END AS bad
        FROM ordering_orderline AS line JOIN ordering_order AS o ON o.number = line.order_id
    """


@always("ordering.refunded_at_most_paid")
def refunded_at_most_paid() -> str:
    """No order has more money refunded than paid, and a confirmed, shipped or delivered order is paid in full."""
    return """
        SELECT o.number || ' (' || o.status || '): paid ' || o.paid_minor || ' of ' || o.total_minor || ', refunded '
                 || o.refunded_minor AS what,
               o.refunded_minor > o.paid_minor
                 OR (o.status IN ('confirmed', 'shipped', 'delivered') AND o.paid_minor <> o.total_minor) AS bad
        FROM ordering_order AS o
    """


@always("ordering.spend_is_its_confirmed_orders")
def spend_is_its_confirmed_orders() -> str:
    """A buyer's spend equals the total of their confirmed orders in the shop's currency."""
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


@always("read_models.order_board_is_the_orders")
def order_board_is_the_orders() -> str:
    """The row of an order on the order board equals the order, once the board has caught up with it."""
    return f"""
        SELECT o.number || ' (' || o.status || ', version ' || o.version || '): the board shows '
                 || coalesce(b.status || ', version ' || b.version, 'nothing') AS what,
               CASE WHEN coalesce(b.version, 0) < o.version
                    THEN {shown("ordering.order-board", "order", "o.number", "o.version")}
                    ELSE b.version <> o.version OR b.status <> o.status OR b.buyer <> o.buyer_id
                      OR b.cancellation_reason <> o.cancellation_reason OR b.total_minor <> o.total_minor
                      OR b.paid_minor <> o.paid_minor OR b.refunded_minor <> o.refunded_minor
                      OR b.updated_at <> o.updated_at END AS bad
        FROM ordering_order AS o
        LEFT JOIN ordering_orderboard AS b
            ON b.number = o.number AND b.build = {own_build("ordering.order-board")}
    """  # noqa: S608 - contains only names from the code


@always("read_models.lifetime_spend_is_what_buyers_spent")
def lifetime_spend_is_what_buyers_spent() -> str:
    """In the shop's currency, the lifetime spend equals the buyer's spend; checked only once it has caught up."""
    return f"""
        SELECT buyer.id || ': spent ' || buyer.spend_minor || ', lifetime spend ' || coalesce(spend.spend_minor, 0)
                 AS what,
               buyer.spend_minor <> coalesce(spend.spend_minor, 0) AS bad
        FROM ordering_buyer AS buyer
        LEFT JOIN ordering_lifetimespend AS spend
            ON spend.buyer = buyer.id AND spend.currency = buyer.currency
            AND spend.build = {own_build("ordering.lifetime-spend")}
        WHERE {caught_up("ordering.lifetime-spend")}
    """  # noqa: S608 - contains only names from the code


@always("read_models.sales_are_what_was_ordered")
def sales_are_what_was_ordered() -> str:
    """The sales of a product over all days equal its confirmed orders; checked only once they have caught up."""
    return f"""
        SELECT sku || ' (' || currency || '): ' || sum(sold) || ' sold for ' || sum(taken) || ', but ' || sum(ordered)
                 || ' ordered for ' || sum(worth) AS what,
               sum(sold) <> sum(ordered) OR sum(taken) <> sum(worth) AS bad
        FROM (
            SELECT sku, currency, quantity AS sold, amount_minor AS taken, 0 AS ordered, 0 AS worth
            FROM ordering_salesofday WHERE build = {own_build("ordering.sales-per-day")}
            UNION ALL
            SELECT line.sku, line.currency, 0, 0, line.quantity, line.quantity * line.unit_price_minor
            FROM ordering_orderline AS line JOIN ordering_order AS o ON o.number = line.order_id
            WHERE o.status IN ('confirmed', 'shipped', 'delivered')
        ) AS both_sides
        WHERE {caught_up("ordering.sales-per-day")}
        GROUP BY sku, currency
    """  # noqa: S608 - contains only names from the code
