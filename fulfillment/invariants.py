"""Fulfillment's invariants: rules about shipments, each checked by one SQL query."""

from integration.domain.address import ERASED
from integration.invariants import Check, always, json_text
from integration.read_models.verify import caught_up, own_build

SEARCH = "fulfillment.shipment-search"

GONE = "('dispatched', 'in_transit', 'failed', 'returned', 'lost', 'delivered')"
"""SQL for the states of a shipment that left the warehouse."""


@always("fulfillment.what_left_has_a_carrier")
def what_left_has_a_carrier() -> Check:
    """Every shipment that is not cancelled has lines, and every shipment that left the warehouse has a carrier."""
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
            "there is no carrier": f"shipment.status IN {GONE} AND shipment.carrier = ''",
        },
    )


@always("fulfillment.goods_are_in_shipments")
def goods_are_in_shipments() -> Check:
    """The goods of an order equal the sum of its shipments, of which at most one has not left."""
    return Check(
        rows=f"""
            fulfillment_fulfillmentorder AS goods
            JOIN fulfillment_fulfillmentline AS line ON line.fulfillment_order_id = goods."order"
            LEFT JOIN (
                SELECT shipment."order", packed.sku,
                    sum(CASE shipment.status WHEN 'arranged' THEN packed.quantity ELSE 0 END) AS arranged,
                    sum(CASE WHEN shipment.status IN {GONE} THEN packed.quantity ELSE 0 END)
                        AS gone
                FROM fulfillment_shipment AS shipment
                JOIN fulfillment_shipmentline AS packed ON packed.shipment_id = shipment.id
                GROUP BY shipment."order", packed.sku
            ) AS packed ON packed."order" = goods."order" AND packed.sku = line.sku
            LEFT JOIN (
                SELECT "order", count(*) AS n FROM fulfillment_shipment WHERE status = 'arranged' GROUP BY "order"
            ) AS waiting ON waiting."order" = goods."order"
        """,  # noqa: S608 - made of constants in the code only
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


@always("fulfillment.what_goes_wrong_is_decided")
def what_goes_wrong_is_decided() -> Check:
    """A shipment has scans if it is more than dispatched and not delivered, and a decision only if it went wrong."""
    return Check(
        rows="fulfillment_shipment AS shipment",
        what="""
            shipment.id || ' (' || shipment.status || '): resolution "' || shipment.resolution || '"'
              || CASE WHEN shipment.scans IS NULL THEN ', no scans' ELSE '' END
        """,
        never={
            "nobody reported it": """
                shipment.status IN ('in_transit', 'failed', 'returned', 'lost') AND shipment.scans IS NULL
            """,
            "it did not go wrong": "shipment.resolution <> '' AND shipment.status NOT IN ('returned', 'lost')",
            "the decision is unknown": "shipment.resolution NOT IN ('', 'refund', 'send_again')",
            "there is a task without a decision": "shipment.scanned_too_late AND shipment.resolution = ''",
        },
    )


@always("fulfillment.lost_goods_are_counted")
def lost_goods_are_counted() -> Check:
    """The lost units of an order are those of its shipments that are lost and whose buyer is refunded."""
    return Check(
        rows="""
            (
                SELECT "order", sku, sum(counted) AS counted, sum(lost) AS lost
                FROM (
                    SELECT fulfillment_order_id AS "order", sku, lost AS counted, 0 AS lost
                    FROM fulfillment_fulfillmentline
                    UNION ALL
                    SELECT shipment."order", packed.sku, 0, packed.quantity
                    FROM fulfillment_shipment AS shipment
                    JOIN fulfillment_shipmentline AS packed ON packed.shipment_id = shipment.id
                    WHERE shipment.status = 'lost' AND shipment.resolution = 'refund'
                ) AS sides
                GROUP BY "order", sku
            ) AS line
        """,
        what="""
            line."order" || ': ' || line.counted || ' ' || line.sku || ' counted as lost, but its shipments lost '
              || line.lost
        """,
        never={"what is lost is not counted": "line.counted <> line.lost"},
    )


@always("fulfillment.what_comes_back_had_left")
def what_comes_back_had_left() -> Check:
    """The units of all returns of an order, those that never came left out, are counted and had left before."""
    return Check(
        rows="""
            fulfillment_fulfillmentline AS line LEFT JOIN (
                SELECT r."order", l.sku, sum(l.quantity - l.missing - l.lapsed) AS asked
                FROM fulfillment_returnline AS l JOIN fulfillment_return AS r ON r.id = l.return_of_id
                WHERE r.status <> 'refused' GROUP BY r."order", l.sku
            ) AS back ON back."order" = line.fulfillment_order_id AND back.sku = line.sku
        """,
        what="""
            line.fulfillment_order_id || ': ' || line.return_asked || ' of ' || line.dispatched || ' ' || line.sku
              || ' are to come back, ' || line.lost || ' are lost, and its returns have ' || coalesce(back.asked, 0)
        """,
        never={
            "what comes back is in no return": "line.return_asked <> coalesce(back.asked, 0)",
            "more comes back than had left": "line.return_asked + line.lost > line.dispatched",
        },
    )


@always("read_models.erased_shipments_are_not_found")
def erased_shipments_are_not_found() -> Check:
    """No name finds a shipment whose recipient was erased; checked once the search has caught up."""
    return Check(
        rows=f"""
            fulfillment_shipmenttext AS t LEFT JOIN fulfillment_shipment AS s ON s.id = t.shipment
            WHERE t.build = {own_build(SEARCH)}
        """,
        what="t.shipment || ' is found by words'",
        never={
            "there is no such shipment": "s.id IS NULL",
            "the recipient was erased": f"{json_text('s.recipient', 'recipient')} = '{ERASED}' AND {caught_up(SEARCH)}",
        },
    )
