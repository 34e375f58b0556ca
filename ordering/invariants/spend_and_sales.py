"""What must always be true of lifetime spend and sales per day: the sums equal those over confirmed orders."""

from integration.invariants import Check, always
from integration.read_models.verify import caught_up, own_build
from integration.storage.sql import is_postgresql
from ordering.invariants.orders import CONFIRMED

SALES, SPEND = "ordering.sales-per-day", "ordering.lifetime-spend"


@always("read_models.lifetime_spend_is_what_buyers_spent")
def lifetime_spend_is_what_buyers_spent() -> Check:
    """The lifetime spend in each currency is that of confirmed orders less refunds; checked once it has caught up."""
    return _both_sides(
        SPEND,
        key=("buyer", "currency"),
        shown=f"""
            SELECT buyer, currency, orders, spend_minor AS amount, 0 AS quantity FROM ordering_lifetimespend
            WHERE build = {own_build(SPEND)}
        """,  # noqa: S608 - contains only names from the code
        expected=f"""
            SELECT buyer_id, currency, 1, total_minor - spend_refunded_minor, 0 FROM ordering_order
            WHERE status IN {CONFIRMED}
        """,  # noqa: S608 - contains only constants from the code
        compared=("orders", "amount"),
    )


@always("read_models.sales_are_what_was_ordered")
def sales_are_what_was_ordered() -> Check:
    """The sales of a day are the units confirmed on it and not cancelled since; checked once they have caught up."""
    day = "(history.occurred_at AT TIME ZONE 'UTC')::date" if is_postgresql() else "date(history.occurred_at)"
    return _both_sides(
        SALES,
        key=("day", "sku", "currency"),
        shown=f"""
            SELECT day, sku, currency, orders, amount_minor AS amount, quantity FROM ordering_salesofday
            WHERE build = {own_build(SALES)}
        """,  # noqa: S608 - contains only names from the code
        expected=f"""
            SELECT {day}, line.sku, line.currency, CASE WHEN line.quantity > line.cancelled THEN 1 ELSE 0 END,
                   (line.quantity - line.cancelled) * line.unit_price_minor, line.quantity - line.cancelled
            FROM ordering_orderline AS line
            JOIN ordering_order AS o ON o.number = line.order_id AND o.status IN {CONFIRMED}
            JOIN ordering_history AS history ON history.stream = 'order' AND history.stream_id = o.number
                AND history.name = 'ordering.order_confirmed'
        """,  # noqa: S608 - contains only constants from the code
        compared=("orders", "amount", "quantity"),
    )


def _both_sides(name: str, *, key: tuple[str, ...], shown: str, expected: str, compared: tuple[str, ...]) -> Check:
    """The check that the sums of a read model equal the sums over orders, once it has caught up.

    Args:
        name: the read model.
        key: the columns that identify a row.
        shown: a SELECT of the key, `orders`, `amount` and `quantity` in the read model.
        expected: a SELECT of the same over orders, one row for each that counts.
        compared: the columns that are compared.
    """
    keys = ", ".join(key)
    sums = ", ".join(
        f"sum(CASE WHEN side = 1 THEN {column} ELSE 0 END) AS shown_{column}, "
        f"sum(CASE WHEN side = 2 THEN {column} ELSE 0 END) AS has_{column}"
        for column in compared
    )
    return Check(
        rows=f"""
            (
                SELECT {keys}, {sums}
                FROM (SELECT 1 AS side, shown.* FROM ({shown}) AS shown
                      UNION ALL SELECT 2, expected.* FROM ({expected}) AS expected) AS both_sides
                WHERE {caught_up(name)}
                GROUP BY {keys}
            ) AS sums
        """,  # noqa: S608 - contains only names from the code
        what=" || ', ' || ".join([*key, *(f"'{each} ' || shown_{each} || ' of ' || has_{each}" for each in compared)]),
        never={f"{column} differs": f"shown_{column} <> has_{column}" for column in compared},
    )
