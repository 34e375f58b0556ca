"""Fulfillment's invariants: rules about shipments, each checked by one SQL query."""

from integration.invariants import Check, always


@always("fulfillment.what_left_has_a_carrier")
def what_left_has_a_carrier() -> Check:
    """Every shipment that is not cancelled has lines, and every dispatched or delivered shipment has a carrier."""
    return Check(
        rows="""
            fulfillment_shipment AS shipment LEFT JOIN (
                SELECT shipment_id, count(*) AS n FROM fulfillment_shipmentline WHERE quantity > 0 GROUP BY shipment_id
            ) AS lines ON lines.shipment_id = shipment.id
        """,
        what="""
            shipment.id || ' (' || shipment.status || '): carrier "' || shipment.carrier || '", '
              || coalesce(lines.n, 0) || ' lines'
        """,
        never={
            "there are no lines": "coalesce(lines.n, 0) = 0 AND shipment.status <> 'cancelled'",
            "there is no carrier": "shipment.status IN ('dispatched', 'delivered') AND shipment.carrier = ''",
        },
    )


@always("fulfillment.goods_are_in_shipments")
def goods_are_in_shipments() -> Check:
    """The goods of an order equal the sum of its shipments, of which at most one has not left."""
    return Check(
        rows="""
            fulfillment_fulfillmentorder AS goods
            JOIN fulfillment_fulfillmentline AS line ON line.fulfillment_order_id = goods."order"
            LEFT JOIN (
                SELECT shipment."order", packed.sku,
                    sum(CASE shipment.status WHEN 'arranged' THEN packed.quantity ELSE 0 END) AS arranged,
                    sum(CASE WHEN shipment.status IN ('dispatched', 'delivered') THEN packed.quantity ELSE 0 END)
                        AS gone
                FROM fulfillment_shipment AS shipment
                JOIN fulfillment_shipmentline AS packed ON packed.shipment_id = shipment.id
                GROUP BY shipment."order", packed.sku
            ) AS packed ON packed."order" = goods."order" AND packed.sku = line.sku
            LEFT JOIN (
                SELECT "order", count(*) AS n FROM fulfillment_shipment WHERE status = 'arranged' GROUP BY "order"
            ) AS waiting ON waiting."order" = goods."order"
        """,
        what="""
            goods."order" || ': ' || line.dispatched || ' of ' || line.to_ship || ' ' || line.sku
              || ' left, but its shipments have ' || coalesce(packed.gone, 0) || ' that left and '
              || coalesce(packed.arranged, 0) || ' that did not'
        """,
        never={
            "what left is in no shipment": "line.dispatched <> coalesce(packed.gone, 0)",
            "what is left is in no shipment": """
                line.to_ship - line.dispatched - line.stopped <> coalesce(packed.arranged, 0)
            """,
            "two shipments wait": "coalesce(waiting.n, 0) > 1",
        },
    )
