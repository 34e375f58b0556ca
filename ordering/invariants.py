"""Ordering's invariants: rules about orders, buyers and read models, each checked by one SQL query."""

from integration.gateways.mail_files import persons_with_letters
from integration.invariants import Check, always, json_elements, json_number, json_text, rows_of
from integration.read_models.verify import caught_up, own_build, shown
from integration.storage.sql import is_postgresql

BOARD, SALES, SPEND = "ordering.order-board", "ordering.sales-per-day", "ordering.lifetime-spend"

CONFIRMED = "('confirmed', 'partially_shipped', 'shipped', 'delivered')"
"""SQL for the states of an order that is paid and not cancelled."""

SHIPMENTS = ("arranged", "dispatched", "delivered", "cancelled")
"""The states of a shipment; the board shows the first of them that a shipment of the order has."""


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
    """A shipped or delivered order has shipped all lines in full, a partially shipped one some units, others none."""
    return Check(
        rows="""
            ordering_orderline AS line JOIN ordering_order AS o ON o.number = line.order_id
            JOIN (SELECT order_id, sum(quantity) AS ordered, sum(shipped) AS shipped
                  FROM ordering_orderline GROUP BY order_id) AS whole ON whole.order_id = o.number
        """,
        what="""
            line.order_id || ' (' || o.status || '): ' || line.shipped || ' of ' || line.quantity || ' ' || line.sku
              || ' shipped'
        """,
        never={
            "not all of it is shipped": "o.status IN ('shipped', 'delivered') AND line.shipped <> line.quantity",
            "some of it is shipped": """
                o.status NOT IN ('partially_shipped', 'shipped', 'delivered') AND line.shipped <> 0
            """,
            "all or nothing is shipped in part": """
                o.status = 'partially_shipped' AND whole.shipped NOT BETWEEN 1 AND whole.ordered - 1
            """,
        },
    )


@always("ordering.refunded_at_most_paid")
def refunded_at_most_paid() -> Check:
    """No order has more money refunded than paid, and a confirmed, shipped or delivered order is paid in full."""
    return Check(
        rows="ordering_order AS o",
        what="""
            o.number || ' (' || o.status || '): paid ' || o.paid_minor || ' of ' || o.total_minor || ', refunded '
              || o.refunded_minor
        """,
        never={
            "more is refunded than paid": "o.refunded_minor > o.paid_minor",
            "it is confirmed and not paid in full": f"o.status IN {CONFIRMED} AND o.paid_minor <> o.total_minor",
        },
    )


@always("ordering.spend_is_its_confirmed_orders")
def spend_is_its_confirmed_orders() -> Check:
    """A buyer's spend is what they paid for confirmed orders in its currency, less the refunds that lowered it."""
    return Check(
        rows=f"""
            ordering_buyer AS buyer LEFT JOIN (
                SELECT buyer_id, currency, sum(total_minor - spend_refunded_minor) AS total FROM ordering_order
                WHERE status IN {CONFIRMED} GROUP BY buyer_id, currency
            ) AS orders ON orders.buyer_id = buyer.id AND orders.currency = buyer.currency
        """,  # noqa: S608 - made of constants in the code only
        what="""
            buyer.id || ': spent ' || buyer.spend_minor || ', but the orders are ' || coalesce(orders.total, 0)
        """,
        never={"spend is not its orders": "buyer.spend_minor <> coalesce(orders.total, 0)"},
    )


@always("ordering.refunds_lower_the_spend")
def refunds_lower_the_spend() -> Check:
    """Each refund of a confirmed order lowered its buyer's spend once, unless older code recorded the refund."""
    return Check(
        rows="ordering_order AS o",
        what="o.number || ': of ' || o.refunded_minor || ' back, ' || o.spend_refunded_minor || ' lowered the spend'",
        never={
            "more lowered the spend than was refunded": "o.spend_refunded_minor > o.refunded_minor",
            "a refund raised the spend": "o.spend_refunded_minor < 0",
            "a refund did not lower the spend": f"""
                o.status IN {CONFIRMED} AND o.spend_refunded_minor <> o.refunded_minor AND NOT EXISTS (
                  SELECT 1 FROM ordering_history AS history
                  WHERE history.stream = 'order' AND history.stream_id = o.number
                    AND history.name = 'ordering.order_refunded' AND {json_text("history.data", "buyer")} IS NULL)
            """,  # noqa: S608 - made of constants in the code only
        },
    )


@always("ordering.every_order_has_a_buyer")
def every_order_has_a_buyer() -> Check:
    """The buyer of an order exists."""
    return Check(
        rows="ordering_order AS o LEFT JOIN ordering_buyer AS buyer ON buyer.id = o.buyer_id",
        what="o.number || ': buyer ' || o.buyer_id || ' does not exist'",
        never={"there is no such buyer": "buyer.id IS NULL"},
    )


@always("erasing.no_letter_to_an_erased_buyer_is_stored")
def no_letter_to_an_erased_buyer_is_stored() -> Check:
    """No e-mail to an erased buyer is stored as a file on this machine."""
    letters = rows_of(persons_with_letters(), "person")
    erased = """
        EXISTS (SELECT 1 FROM ordering_history AS history WHERE history.stream = 'buyer'
                AND history.stream_id = buyer.id AND history.name = 'ordering.buyer_erased')
    """
    return Check(
        rows=f"{letters} JOIN ordering_buyer AS buyer ON buyer.id = person.value",
        what="buyer.id || ': e-mails are stored as files'",
        never={"the buyer is erased": f"buyer.email = '' AND {erased}"},
    )


@always("read_models.order_board_is_the_orders")
def order_board_is_the_orders() -> Check:
    """The row of an order on the order board equals the order, once the board has caught up with it."""
    behind = "coalesce(b.version, 0) < o.version"
    same = (
        *("status", "cancellation_reason", "currency", "subtotal_minor", "discount_minor", "total_minor"),
        *("shipping_minor", "shipping_total_minor", "tax_minor", "prices_include_tax"),
        *("paid_minor", "refunded_minor", "payment_method", "shipping_address", "shipments"),
        *("correlation_id", "created_at", "updated_at"),
    )
    payment = """
        CASE WHEN o.paid_minor > 0 THEN CASE WHEN o.refunded_minor = o.paid_minor THEN 'refunded' ELSE 'paid' END
             WHEN o.total_minor = 0 AND o.status IN ('confirmed', 'shipped', 'delivered') THEN 'paid'
             WHEN o.status <> 'cancelled' THEN 'pending'
             WHEN o.cancellation_reason = 'payment_failed' THEN 'failed' ELSE 'cancelled' END
    """
    shipment = f"""
        CASE {" ".join(f"WHEN {_has_shipment(status)} THEN '{status}'" for status in SHIPMENTS)} ELSE 'none' END
    """
    expected = {name: f"o.{name}" for name in same}
    expected |= {"buyer": "o.buyer_id", "payment_status": payment, "shipment_status": shipment}
    return Check(
        rows=f"""
            ordering_order AS o
            LEFT JOIN ordering_orderboard AS b ON b.number = o.number AND b.build = {own_build(BOARD)}
        """,
        what="""
            o.number || ' (' || o.status || ', version ' || o.version || '): the board shows '
              || coalesce(b.status || ', version ' || b.version, 'nothing')
        """,
        never={
            "it does not show the last event": f"{behind} AND {shown(BOARD, 'order', 'o.number', 'o.version')}",
            "it shows a later event": "coalesce(b.version, 0) > o.version",
            **{
                f"{name} differs": f"NOT ({behind}) AND b.{name} <> {value}" for name, value in sorted(expected.items())
            },
        },
    )


def _has_shipment(status: str) -> str:
    """SQL for whether an order has a shipment in this state."""
    shipments = f"(SELECT 1) AS one {json_elements('o.shipments', 'shipment')}"
    return f"EXISTS (SELECT 1 FROM {shipments} WHERE {json_text('shipment.value', 'status')} = '{status}')"  # noqa: S608 - contains only names from the code


@always("read_models.order_board_shows_the_lines")
def order_board_shows_the_lines() -> Check:
    """The lines of an order on the order board equal those of the order, as far as the board has caught up with it."""
    facts = ", ".join(
        [f"{json_text('fact.value', name)} AS {name}" for name in ("sku", "name")]
        + [f"{json_number('fact.value', name)} AS {name}" for name in ("quantity", "shipped", "unit_price")]
    )
    board = f"""
        (SELECT b.number, b.line_facts FROM ordering_orderboard AS b JOIN ordering_order AS o ON o.number = b.number
         WHERE b.build = {own_build(BOARD)} AND b.version = o.version) AS b
    """  # noqa: S608 - contains only names from the code
    return Check(
        rows=f"""
            (
                SELECT number, sku, name, quantity, shipped, unit_price, sum(side) AS difference
                FROM (
                    SELECT b.number, {facts}, 1 AS side FROM {board} {json_elements("b.line_facts", "fact")}
                    UNION ALL
                    SELECT b.number, own.sku, own.name, own.quantity, own.shipped, own.unit_price_minor, -1
                    FROM {board} JOIN ordering_orderline AS own ON own.order_id = b.number
                ) AS sides
                GROUP BY number, sku, name, quantity, shipped, unit_price
            ) AS line
        """,  # noqa: S608 - contains only names from the code
        what="""
            line.number || ': ' || line.quantity || ' ' || line.sku || ' for ' || line.unit_price || ', '
              || line.shipped || ' shipped'
        """,
        never={
            "only the board has this line": "line.difference > 0",
            "only the order has this line": "line.difference < 0",
        },
    )


@always("read_models.order_board_shows_only_orders")
def order_board_shows_only_orders() -> Check:
    """Every row of the order board is of an order that exists."""
    return Check(
        rows=f"""
            (SELECT * FROM ordering_orderboard WHERE build = {own_build(BOARD)}) AS b
            LEFT JOIN ordering_order AS o ON o.number = b.number
        """,  # noqa: S608 - contains only names from the code
        what="b.number || ': the board shows version ' || b.version",
        never={"there is no such order": "o.number IS NULL"},
    )


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
    """The sales of a product on a day equal the orders confirmed on that day; checked only once they have caught up."""
    day = "(history.occurred_at AT TIME ZONE 'UTC')::date" if is_postgresql() else "date(history.occurred_at)"
    return _both_sides(
        SALES,
        key=("day", "sku", "currency"),
        shown=f"""
            SELECT day, sku, currency, orders, amount_minor AS amount, quantity FROM ordering_salesofday
            WHERE build = {own_build(SALES)}
        """,  # noqa: S608 - contains only names from the code
        expected=f"""
            SELECT {day}, line.sku, line.currency, 1, line.quantity * line.unit_price_minor, line.quantity
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
