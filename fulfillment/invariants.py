"""What must always be true of shipments."""

from integration.invariants import always


@always("fulfillment.what_left_has_a_carrier")
def what_left_has_a_carrier() -> str:
    """What is on its way or has arrived is in somebody's hands, and has goods in it."""
    return """
        SELECT shipment.id || ' (' || shipment.status || '): carrier "' || shipment.carrier || '", '
                 || coalesce(lines.n, 0) || ' lines' AS what,
               coalesce(lines.n, 0) = 0
                 OR (shipment.status IN ('dispatched', 'delivered') AND shipment.carrier = '') AS bad
        FROM fulfillment_shipment AS shipment
        LEFT JOIN (SELECT shipment_id, count(*) AS n FROM fulfillment_shipmentline GROUP BY shipment_id) AS lines
            ON lines.shipment_id = shipment.id
    """
