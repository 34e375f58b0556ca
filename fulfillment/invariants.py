"""Fulfillment's invariants: rules about shipments, each checked by one SQL query."""

from integration.invariants import Check, always


@always("fulfillment.what_left_has_a_carrier")
def what_left_has_a_carrier() -> Check:
    """Every shipment has lines, and every dispatched or delivered shipment has a carrier."""
    return Check(
        rows="""
            fulfillment_shipment AS shipment LEFT JOIN (
                SELECT shipment_id, count(*) AS n FROM fulfillment_shipmentline GROUP BY shipment_id
            ) AS lines ON lines.shipment_id = shipment.id
        """,
        what="""
            shipment.id || ' (' || shipment.status || '): carrier "' || shipment.carrier || '", '
              || coalesce(lines.n, 0) || ' lines'
        """,
        never={
            "there are no lines": "coalesce(lines.n, 0) = 0",
            "there is no carrier": "shipment.status IN ('dispatched', 'delivered') AND shipment.carrier = ''",
        },
    )
