"""What must always be true of the order board: it shows every order as it is, and nothing else."""

from integration.invariants import Check, always, json_elements, json_number, json_text
from integration.read_models.verify import own_build, shown
from ordering.invariants.orders import CONFIRMED

BOARD = "ordering.order-board"

REQUESTS = ("line_cancellations", "order_holds", "payment_progress")
"""Columns with JSON that is empty in most orders."""

SHIPMENTS = ("arranged", "dispatched", "in_transit", "failed", "lost", "returned", "delivered", "cancelled")
"""The states of a shipment; the board shows the first of them that a shipment of the order has."""


@always("read_models.order_board_is_the_orders")
def order_board_is_the_orders() -> Check:
    """The row of an order on the order board equals the order, once the board has caught up with it."""
    behind = "coalesce(b.version, 0) < o.version"
    same = (
        *("status", "cancellation_reason", "currency", "subtotal_minor", "discount_minor", "total_minor"),
        *("shipping_minor", "shipping_total_minor", "tax_minor", "prices_include_tax"),
        *("paid_minor", "refunded_minor", "payment_method", "shipping_address", "shipments", "replaces"),
        *("correlation_id", "created_at", "updated_at"),
    )
    payment = f"""
        CASE WHEN o.authorized_minor > 0 AND o.refunded_minor = 0 THEN 'authorized'
             WHEN o.paid_minor > 0 AND o.refunded_minor = o.paid_minor THEN 'refunded'
             WHEN o.paid_minor > 0 AND o.refunded_minor > 0 THEN 'partly_refunded'
             WHEN o.paid_minor > 0 OR o.total_minor = 0 AND o.status IN {CONFIRMED} THEN 'paid'
             WHEN o.status <> 'cancelled' AND {_needs_action()} THEN 'action_required'
             WHEN o.status <> 'cancelled' AND {_progress_is("declined")} THEN 'failed'
             WHEN o.status <> 'cancelled' THEN 'pending'
             WHEN o.cancellation_reason = 'payment_failed' THEN 'failed' ELSE 'cancelled' END
    """
    shipment = f"""
        CASE {" ".join(f"WHEN {_has_shipment(status)} THEN '{status}'" for status in SHIPMENTS)} ELSE 'none' END
    """
    expected = {name: f"o.{name}" for name in same}
    expected |= {"buyer": "o.buyer_id", "payment_status": payment, "shipment_status": shipment, "on_hold": _is_held()}
    nullable = (*REQUESTS, "authorized_minor")
    requests = {
        name: f"(b.{name} IS NULL) <> (o.{name} IS NULL) OR coalesce(b.{name} <> o.{name}, FALSE)" for name in nullable
    }
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
            **{f"{name} differs": f"NOT ({behind}) AND ({differs})" for name, differs in requests.items()},
        },
    )


def _is_held() -> str:
    """SQL for whether an order has an open hold; databases put the spaces of JSON differently."""
    holds = "coalesce(replace(CAST(o.order_holds AS text), ' ', ''), '')"
    return f"""({holds} LIKE '%"status":"requested"%' OR {holds} LIKE '%"status":"active"%')"""


def _progress_is(status: str) -> str:
    """SQL for whether the payment that is under way is in this state."""
    progress = "coalesce(replace(CAST(o.payment_progress AS text), ' ', ''), '')"
    return f"""{progress} LIKE '%"status":"{status}"%'"""


def _needs_action() -> str:
    """SQL for whether the buyer must do something, so that an order can be paid; not once the money is authorized."""
    return f"""o.authorized_minor IS NULL AND {_progress_is("action_required")}"""


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
        + [f"coalesce({json_number('fact.value', 'cancelled')}, 0) AS cancelled"]
    )
    board = f"""
        (SELECT b.number, b.line_facts FROM ordering_orderboard AS b JOIN ordering_order AS o ON o.number = b.number
         WHERE b.build = {own_build(BOARD)} AND b.version = o.version) AS b
    """  # noqa: S608 - contains only names from the code
    return Check(
        rows=f"""
            (
                SELECT number, sku, name, quantity, shipped, cancelled, unit_price, sum(side) AS difference
                FROM (
                    SELECT b.number, {facts}, 1 AS side FROM {board} {json_elements("b.line_facts", "fact")}
                    UNION ALL
                    SELECT b.number, own.sku, own.name, own.quantity, own.shipped, own.unit_price_minor,
                        own.cancelled, -1
                    FROM {board} JOIN ordering_orderline AS own ON own.order_id = b.number
                ) AS sides
                GROUP BY number, sku, name, quantity, shipped, cancelled, unit_price
            ) AS line
        """,  # noqa: S608 - contains only names from the code
        what="""
            line.number || ': ' || line.quantity || ' ' || line.sku || ' for ' || line.unit_price || ', '
              || line.shipped || ' shipped, ' || line.cancelled || ' cancelled'
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
