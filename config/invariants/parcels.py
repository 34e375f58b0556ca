"""What must always be true of parcels that are lost or came back: both contexts know the same, and nothing twice."""

from config.invariants.waiting import WAITS_FOR_A_DELIVERY
from integration.invariants import Check, always, json_elements, json_text


@always("process.lost_goods_are_lost_in_all_contexts")
def lost_goods_are_lost_in_all_contexts() -> Check:
    """At rest, the lost units of an order line are those that fulfillment counts as lost."""
    return Check(
        rows=f"""
            ordering_order AS o JOIN ordering_orderline AS line ON line.order_id = o.number
            LEFT JOIN fulfillment_fulfillmentline AS goods
                ON goods.fulfillment_order_id = o.number AND goods.sku = line.sku
            WHERE NOT {WAITS_FOR_A_DELIVERY}
        """,
        what="""
            o.number || ': ' || line.lost || ' ' || line.sku || ' are lost, but fulfillment lost '
              || coalesce(goods.lost, 0)
        """,
        never={"other units are lost": "line.lost <> coalesce(goods.lost, 0)"},
    )


@always("process.goods_are_sent_again_once")
def goods_are_sent_again_once() -> Check:
    """At rest, each shipment that is resolved by sending again has one order with its goods, and no other has one."""
    shipments = json_elements("o.shipments", "shipment")
    replaced = json_text("shipment.value", "replaced_by")
    return Check(
        rows=f"""
            ordering_order AS o
            LEFT JOIN (SELECT "order", count(*) AS n FROM fulfillment_shipment WHERE resolution = 'send_again'
                       GROUP BY "order") AS decided ON decided."order" = o.number
            LEFT JOIN (SELECT replaces, count(*) AS n FROM ordering_order WHERE replaces <> ''
                       GROUP BY replaces) AS again ON again.replaces = o.number
            LEFT JOIN (SELECT o.number, count({replaced}) AS n FROM ordering_order AS o {shipments}
                       GROUP BY o.number) AS known ON known.number = o.number
            WHERE NOT {WAITS_FOR_A_DELIVERY}
        """,  # noqa: S608 - made of constants in the code only
        what="""
            o.number || ': ' || coalesce(decided.n, 0) || ' shipments to send again, ' || coalesce(again.n, 0)
              || ' orders that do, of which it knows ' || coalesce(known.n, 0)
        """,
        never={
            "goods are not sent again once": "coalesce(decided.n, 0) <> coalesce(again.n, 0)",
            "the order does not know them": "coalesce(known.n, 0) <> coalesce(again.n, 0)",
        },
    )


@always("process.what_is_sent_again_costs_nothing")
def what_is_sent_again_costs_nothing() -> Check:
    """An order that replaces another one costs nothing, and is of the same buyer."""
    return Check(
        rows="ordering_order AS o LEFT JOIN ordering_order AS earlier ON earlier.number = o.replaces",
        what="o.number || ': total ' || o.total_minor || ', replaces ' || o.replaces",
        never={
            "it costs something": "o.replaces <> '' AND o.total_minor <> 0",
            "it replaces no order of its buyer": "o.replaces <> '' AND coalesce(earlier.buyer_id, '') <> o.buyer_id",
        },
    )
