"""What must always be true of goods that come back: each unit once, and the same in all contexts."""

from config.invariants.waiting import WAITS_FOR_A_DELIVERY
from integration.invariants import Check, always, json_number, json_text


@always("process.what_came_back_is_the_same_everywhere")
def what_came_back_is_the_same_everywhere() -> Check:
    """At rest, ordering counts the units that fulfillment received, and inventory put them where fulfillment said."""
    order, quantity = json_text("data", "order"), json_number("data", "quantity")

    def moved(name: str) -> str:
        return f"sum(CASE name WHEN 'inventory.{name}' THEN {quantity} ELSE 0 END)"

    return Check(
        rows=f"""
            ordering_order AS o JOIN ordering_orderline AS line ON line.order_id = o.number
            LEFT JOIN (
                SELECT r."order", l.sku, sum(l.restocked) AS restocked, sum(l.quarantined) AS quarantined,
                       sum(l.restocked + l.quarantined + l.written_off) AS received
                FROM fulfillment_returnline AS l JOIN fulfillment_return AS r ON r.id = l.return_of_id
                GROUP BY r."order", l.sku
            ) AS back ON back."order" = o.number AND back.sku = line.sku
            LEFT JOIN (
                SELECT stream_id AS sku, {order} AS for_order, {moved("stock_came_back")} AS restocked,
                       {moved("stock_came_back_to_quarantine")} AS quarantined
                FROM inventory_history
                WHERE stream = 'stock_item'
                  AND name IN ('inventory.stock_came_back', 'inventory.stock_came_back_to_quarantine')
                GROUP BY stream_id, {order}
            ) AS moved ON moved.for_order = o.number AND moved.sku = line.sku
            WHERE NOT {WAITS_FOR_A_DELIVERY}
        """,  # noqa: S608 - made of constants in the code only
        what="""
            o.number || ', ' || line.sku || ': ' || line.returned || ' returned, ' || coalesce(back.received, 0)
              || ' received, of which ' || coalesce(back.restocked, 0) || ' to the stock and '
              || coalesce(back.quarantined, 0) || ' to quarantine; the stock got ' || coalesce(moved.restocked, 0)
              || ' and ' || coalesce(moved.quarantined, 0)
        """,
        never={
            "the order counts other units": "line.returned <> coalesce(back.received, 0)",
            "other units are in the stock": "coalesce(moved.restocked, 0) <> coalesce(back.restocked, 0)",
            "other units are in quarantine": "coalesce(moved.quarantined, 0) <> coalesce(back.quarantined, 0)",
        },
    )


@always("process.what_came_back_is_settled")
def what_came_back_is_settled() -> Check:
    """At rest, an order shows each return with its status, and a return that is complete is closed."""
    return Check(
        rows=f"""
            fulfillment_return AS r LEFT JOIN ordering_order AS o ON o.number = r."order"
            LEFT JOIN (
                SELECT return_of_id,
                       sum(quantity - restocked - quarantined - written_off - missing - lapsed) AS left_over
                FROM fulfillment_returnline GROUP BY return_of_id
            ) AS lines ON lines.return_of_id = r.id
            WHERE NOT coalesce({WAITS_FOR_A_DELIVERY}, FALSE)
        """,  # noqa: S608 - made of constants in the code only
        what="""r.id || ' (' || r.status || '), ' || coalesce(lines.left_over, 0) || ' expected'""",
        never={
            "there is no such order": "o.number IS NULL",
            "it has no lines": "lines.left_over IS NULL",
            "it is complete and not closed": "r.status = 'received' AND lines.left_over = 0",
            "it is closed and not complete": "r.status = 'closed' AND lines.left_over > 0",
        },
    )
