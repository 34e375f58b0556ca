"""What must always be true of the goods of an order: invoiced, reserved, packed and shipped is what was ordered."""

from config.invariants.waiting import WAITS_FOR_A_DELIVERY
from integration.invariants import Check, always

SHIPPED_ORDERS = '(SELECT DISTINCT "order" FROM fulfillment_shipment)'
PACKED_LINES = """
    (SELECT s."order", line.sku, line.quantity, s.status
     FROM fulfillment_shipmentline AS line JOIN fulfillment_shipment AS s ON s.id = line.shipment_id
     WHERE s.status <> 'cancelled' OR NOT EXISTS (
         SELECT 1 FROM fulfillment_fulfillmentorder AS goods WHERE goods."order" = s."order")
     UNION ALL
     SELECT fulfillment_order_id, sku, stopped, 'stopped' FROM fulfillment_fulfillmentline WHERE stopped <> 0) AS packed
"""
"""The orders that have shipments, and the lines of all shipments of an order, with what was stopped before it left."""


@always("process.all_contexts_have_the_same_goods")
def all_contexts_have_the_same_goods() -> Check:
    """The invoice, the reservation and all shipments together of an order have its very lines."""
    documents = (
        ("invoice", "billing_invoice", "number", "billing_invoiceline", "invoice_id", "unit_price_minor"),
        ("reservation", "inventory_reservation", '"order"', "inventory_reservationline", "reservation_id", "0"),
        ("shipment", SHIPPED_ORDERS, '"order"', PACKED_LINES, '"order"', "0"),
    )
    sides = " UNION ALL ".join(
        f"""
            SELECT '{kind}' AS kind, {reference} AS document, sku, {price} AS price, quantity FROM {lines}
            UNION ALL
            SELECT '{kind}', document.{key}, line.sku, {"line." * (price != "0")}{price}, -line.quantity
            FROM {table} AS document JOIN ordering_orderline AS line ON line.order_id = document."order"
        """  # noqa: S608 - made of constants in the code only
        for kind, table, key, lines, reference, price in documents
    )
    return Check(
        rows=f"""
            (SELECT kind, document, sku, price, sum(quantity) AS difference FROM ({sides}) AS sides
             GROUP BY kind, document, sku, price) AS line
        """,  # noqa: S608 - made of constants in the code only
        what="line.kind || ' ' || line.document || ': ' || line.difference || ' ' || line.sku || ' more than ordered'",
        never={
            "what is invoiced was not ordered": "line.kind = 'invoice' AND line.difference <> 0",
            "what is reserved was not ordered": "line.kind = 'reservation' AND line.difference <> 0",
            "what is packed was not ordered": "line.kind = 'shipment' AND line.difference <> 0",
        },
    )


@always("process.what_left_is_shipped")
def what_left_is_shipped() -> Check:
    """At rest, the shipped units of an order line are those of its shipments that left the warehouse."""
    return Check(
        rows=f"""
            ordering_order AS o JOIN ordering_orderline AS line ON line.order_id = o.number
            LEFT JOIN (SELECT "order", sku, sum(quantity) AS quantity FROM {PACKED_LINES}
                       WHERE status NOT IN ('arranged', 'cancelled', 'stopped') GROUP BY "order", sku) AS gone
                ON gone."order" = o.number AND gone.sku = line.sku
            WHERE NOT {WAITS_FOR_A_DELIVERY}
        """,  # noqa: S608 - made of constants in the code only
        what="""
            o.number || ': ' || line.shipped || ' of ' || line.quantity || ' ' || line.sku || ' shipped, but '
              || coalesce(gone.quantity, 0) || ' left'
        """,
        never={"what is shipped did not leave": "line.shipped <> coalesce(gone.quantity, 0)"},
    )


@always("process.what_is_cancelled_is_cancelled_everywhere")
def what_is_cancelled_is_cancelled_everywhere() -> Check:
    """At rest, the cancelled units of an order that goes on are stopped, no longer reserved, and refunded."""
    return Check(
        rows=f"""
            ordering_order AS o JOIN ordering_orderline AS line ON line.order_id = o.number
            LEFT JOIN fulfillment_fulfillmentline AS goods
                ON goods.fulfillment_order_id = o.number AND goods.sku = line.sku
            LEFT JOIN inventory_reservationline AS held ON held.reservation_id = o.number AND held.sku = line.sku
            LEFT JOIN billing_invoice AS i ON i."order" = o.number
            LEFT JOIN billing_invoiceline AS paid ON paid.invoice_id = i.number AND paid.sku = line.sku
            WHERE o.status <> 'cancelled' AND NOT {WAITS_FOR_A_DELIVERY}
        """,
        what="""
            o.number || ': ' || line.cancelled || ' of ' || line.quantity || ' ' || line.sku || ' cancelled, '
              || coalesce(goods.stopped, 0) || ' stopped, ' || coalesce(held.released, 0) || ' released, '
              || coalesce(paid.units_gone, 0) || ' refunded'
        """,
        never={
            "what is cancelled was not stopped": "line.cancelled <> coalesce(goods.stopped, 0)",
            "what is cancelled is still reserved": "line.cancelled <> coalesce(held.released, 0)",
            "what is cancelled is not refunded": """
                coalesce(paid.units_gone, 0) <> line.cancelled + line.returned + line.lost
            """,
        },
    )


@always("process.every_product_can_be_stocked")
def every_product_can_be_stocked() -> Check:
    """Every product has a stock item, unless the message of its listing is under way."""
    return Check(
        rows="""
            ordering_product AS product LEFT JOIN inventory_stockitem AS item ON item.sku = product.sku
            WHERE NOT EXISTS (SELECT 1 FROM integration_delivery AS delivery
                              WHERE delivery.consumer = 'inventory.open-stock-item'
                                AND delivery.status IN ('pending', 'dead'))
        """,
        what="product.sku || ': its stock item is ' || coalesce(item.sku, 'missing')",
        never={"there is no stock item": "item.sku IS NULL"},
    )
