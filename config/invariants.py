"""What must always be true of an order across contexts; only these queries read tables of more than one context."""

from datetime import timedelta

from integration.domain import clock
from integration.domain.address import ERASED
from integration.invariants import Check, always, json_text

MOVES_NO_ORDER = (
    *("ordering.show-in-stock", "ordering.show-low-stock", "ordering.show-out-of-stock", "inventory.open-stock-item"),
    *("ordering.tell-buyer-of-confirmation", "ordering.tell-buyer-of-dispatch"),
    *("ordering.tell-buyer-of-cancellation", "ordering.tell-buyer-of-refund"),
    "ordering.notify-buyer-of-refused-cancellation",
    *("billing.forget-payment-method", "fulfillment.forget-recipient"),
)
"""Consumers that change neither the state of an order nor its money, so no order waits for them."""

WAITS_FOR_A_DELIVERY = f"""
    EXISTS (SELECT 1 FROM integration_delivery AS delivery JOIN integration_message AS message
            ON message.id = delivery.message_id
            WHERE message.correlation_id = o.correlation_id AND delivery.status IN ('pending', 'dead')
              AND delivery.consumer NOT IN ({", ".join(f"'{name}'" for name in MOVES_NO_ORDER)}))
"""  # noqa: S608 - made of constants in the code only
"""The order's story has a pending delivery that can move it, or such a dead letter, which waits for an operator."""


CONFIRMED = "('confirmed', 'partially_shipped', 'shipped', 'delivered')"
"""SQL for the states of an order that is paid and not cancelled."""

SHIPPED_ORDERS = '(SELECT DISTINCT "order" FROM fulfillment_shipment)'
PACKED_LINES = """
    (SELECT s."order", line.sku, line.quantity, s.status
     FROM fulfillment_shipmentline AS line JOIN fulfillment_shipment AS s ON s.id = line.shipment_id) AS packed
"""
"""The orders that have shipments, and the lines of all shipments of an order."""


@always("process.every_order_ended_or_waits_for_something")
def every_order_ended_or_waits() -> Check:
    """Every order has ended, or waits for a delivery, for a deadline, or for a person to handle its shipment."""
    return Check(
        rows="ordering_order AS o",
        what="o.number || ': ' || o.status || ', and waits for nothing'",
        never={
            "it waits for nothing": f"""
                NOT (o.status IN ('delivered', 'cancelled')
                  OR (o.status IN ('pending', 'payment_pending') AND o.payment_due_at > {_a_minute_ago()})
                  OR (o.status IN ('confirmed', 'partially_shipped') AND EXISTS (SELECT 1 FROM fulfillment_shipment AS s
                      WHERE s."order" = o.number AND s.status = 'arranged'))
                  OR (o.status = 'shipped' AND EXISTS (SELECT 1 FROM fulfillment_shipment AS s
                      WHERE s."order" = o.number AND s.status = 'dispatched'))
                  OR {WAITS_FOR_A_DELIVERY})
            """,  # noqa: S608 - made of constants in the code and a time of our own clock
            "its requested cancellation waits for nothing": f"o.cancellation_requested AND NOT {WAITS_FOR_A_DELIVERY}",
        },
    )


@always("process.every_request_waits_for_something")
def every_request_waits() -> Check:
    """A payment or refund without an outcome has a delivery that asks for it, or an operator's task that names it."""
    asking = {
        "payment": ("billing.collect-payment", "'requested', 'unknown'"),
        "refund": ("billing.issue-refund", "'requested'"),
    }
    requests = " UNION ALL ".join(
        f"SELECT '{kind}' AS kind, id, status FROM billing_{kind} WHERE status IN ({statuses})"  # noqa: S608 - constants
        for kind, (_, statuses) in asking.items()
    )
    deliveries = " UNION ".join(
        f"""
            SELECT '{kind}' AS kind, {json_text("message.data", kind)} AS id
            FROM integration_delivery AS delivery JOIN integration_message AS message
              ON message.id = delivery.message_id
            WHERE delivery.consumer = '{consumer}' AND delivery.status IN ('pending', 'dead', 'skipped')
        """  # noqa: S608 - made of constants in the code only
        for kind, (consumer, _) in asking.items()
    )
    return Check(
        rows=f"""
            ({requests}) AS request
            LEFT JOIN ({deliveries}) AS waiting ON waiting.kind = request.kind AND waiting.id = request.id
            LEFT JOIN billing_discrepancy AS task ON task.subject = request.id
        """,
        what="request.kind || ' ' || request.id || ': ' || request.status || ', and nobody asks for its outcome'",
        never={
            f"a {kind} waits for nothing": f"""
                request.kind = '{kind}' AND waiting.id IS NULL AND task.subject IS NULL
            """
            for kind in asking
        },
    )


@always("process.nothing_is_confirmed_without_goods_and_money")
def nothing_is_confirmed_without_goods_and_money() -> Check:
    """A confirmed order has its reservation and its money."""
    return Check(
        rows=f"""
            ordering_order AS o
            LEFT JOIN inventory_reservation AS r ON r."order" = o.number
            LEFT JOIN billing_invoice AS i ON i."order" = o.number
            WHERE o.status IN {CONFIRMED}
        """,
        what="""
            o.number || ' (' || o.status || '): reservation ' || coalesce(r.status, 'none') || ', invoice '
              || coalesce(i.status, 'none')
        """,
        never={
            "there are no goods": "coalesce(r.status, '') NOT IN ('held', 'committed', 'shipped')",
            "there is no money": "coalesce(i.paid_minor, 0) <> o.total_minor",
            "its invoice is not settled": "coalesce(i.status, '') NOT IN ('paid', 'refunded')",
        },
    )


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


@always("process.everything_is_of_an_order")
def everything_is_of_an_order() -> Check:
    """Invoices, reservations and shipments are of orders that exist, an invoice in its currency and of its buyer."""
    return Check(
        rows="""
            (
                SELECT 'invoice' AS kind, number AS id, "order", currency, payer FROM billing_invoice
                UNION ALL SELECT 'reservation', "order", "order", NULL, NULL FROM inventory_reservation
                UNION ALL SELECT 'shipment', id, "order", NULL, NULL FROM fulfillment_shipment
            ) AS document LEFT JOIN ordering_order AS o ON o.number = document."order"
        """,
        what="""
            document.kind || ' ' || document.id || ': order ' || document."order" || coalesce(' in ' || o.currency
              || ' of ' || o.buyer_id, ' does not exist')
        """,
        never={
            "an invoice of an order that does not exist": "document.kind = 'invoice' AND o.number IS NULL",
            "a reservation of an order that does not exist": "document.kind = 'reservation' AND o.number IS NULL",
            "a shipment of an order that does not exist": "document.kind = 'shipment' AND o.number IS NULL",
            "the currencies differ": "document.kind = 'invoice' AND document.currency <> o.currency",
            "the payer is not the buyer": "document.kind = 'invoice' AND document.payer <> o.buyer_id",
        },
    )


@always("process.nothing_ships_unconfirmed")
def nothing_ships_unconfirmed() -> Check:
    """A dispatched shipment belongs to an order that is confirmed and not cancelled."""
    return Check(
        rows="""
            fulfillment_shipment AS s LEFT JOIN ordering_order AS o ON o.number = s."order"
            WHERE s.status IN ('dispatched', 'delivered')
        """,
        what="s.id || ' (' || s.status || '): order ' || coalesce(o.status, 'unknown')",
        never={
            "the order is not confirmed": f"coalesce(o.status, '') NOT IN {CONFIRMED}",
        },
    )


@always("process.contexts_agree_at_rest")
def contexts_agree_at_rest() -> Check:
    """An order at rest has a reservation and shipments whose states match its own."""

    def never(status: str, fits: str) -> str:
        return f"o.status = '{status}' AND (({fits}) IS NOT TRUE)"

    states = ("arranged", "dispatched", "delivered", "cancelled")
    counted = ", ".join(f"sum(CASE status WHEN '{state}' THEN 1 ELSE 0 END) AS {state}" for state in states)
    return Check(
        rows=f"""
            ordering_order AS o
            LEFT JOIN inventory_reservation AS r ON r."order" = o.number
            LEFT JOIN (SELECT "order", count(*) AS n, {counted} FROM fulfillment_shipment GROUP BY "order") AS s
                ON s."order" = o.number
            LEFT JOIN billing_invoice AS i ON i."order" = o.number
            WHERE NOT {WAITS_FOR_A_DELIVERY}
        """,  # noqa: S608 - made of constants in the code only
        what=f"""
            o.number || ' (' || o.status || '): reservation ' || coalesce(r.status, 'none') || ', shipments '
              || coalesce({" || ', ' || ".join(f"s.{state} || ' {state}'" for state in states)}, 'none')
              || ', invoice ' || coalesce(i.status, 'none')
        """,
        never={
            "cancelled, and not in all contexts": never(
                "cancelled",
                "r.status IN ('released', 'expired', 'refused') AND coalesce(s.cancelled = s.n, TRUE)",
            ),
            "delivered, and not in all contexts": never("delivered", "r.status = 'shipped' AND s.delivered = s.n"),
            "shipped, and not in all contexts": never(
                "shipped", "r.status = 'shipped' AND s.dispatched > 0 AND s.dispatched + s.delivered = s.n"
            ),
            "shipped in part, and not in all contexts": never(
                "partially_shipped",
                "r.status = 'committed' AND s.arranged = 1 AND s.n > 1 AND s.dispatched + s.delivered = s.n - 1",
            ),
            "confirmed, and not in all contexts": never(
                "confirmed", "r.status = 'committed' AND s.arranged = 1 AND s.n = 1"
            ),
            "unpaid, and not in all contexts": never("payment_pending", "r.status = 'held' AND s.n IS NULL"),
            "pending, and shipped": never("pending", "s.n IS NULL"),
            "cancelled, and its invoice waits": never("cancelled", "i.status <> 'open'"),
            "unpaid, and its invoice does not wait": never("payment_pending", "i.status = 'open'"),
        },
    )


@always("process.what_left_is_shipped")
def what_left_is_shipped() -> Check:
    """At rest, the shipped units of an order line are those of its dispatched and delivered shipments."""
    return Check(
        rows=f"""
            ordering_order AS o JOIN ordering_orderline AS line ON line.order_id = o.number
            LEFT JOIN (SELECT "order", sku, sum(quantity) AS quantity FROM {PACKED_LINES}
                       WHERE status IN ('dispatched', 'delivered') GROUP BY "order", sku) AS gone
                ON gone."order" = o.number AND gone.sku = line.sku
            WHERE NOT {WAITS_FOR_A_DELIVERY}
        """,  # noqa: S608 - made of constants in the code only
        what="""
            o.number || ': ' || line.shipped || ' of ' || line.quantity || ' ' || line.sku || ' shipped, but '
              || coalesce(gone.quantity, 0) || ' left'
        """,
        never={"what is shipped did not leave": "line.shipped <> coalesce(gone.quantity, 0)"},
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


@always("money.captured_less_refunded_is_what_orders_owe")
def captured_less_refunded_is_what_orders_owe() -> Check:
    """At rest, captured less refunded is what the order owes: its total less granted refunds, or nothing."""
    owed = f"""
        CASE WHEN o.status IN {CONFIRMED}
             THEN o.total_minor - coalesce(i.granted_minor, 0) ELSE 0 END
    """
    return Check(
        rows=f"""
            ordering_order AS o LEFT JOIN billing_invoice AS i ON i."order" = o.number
            WHERE NOT {WAITS_FOR_A_DELIVERY}
        """,
        what=f"""
            o.number || ' (' || o.status || '): captured ' || coalesce(i.paid_minor, 0) || ', refunded '
              || coalesce(i.refunded_minor, 0) || ', owes ' || {owed}
        """,
        never={
            "captured less refunded is not what it owes": f"coalesce(i.paid_minor - i.refunded_minor, 0) <> {owed}",
            "the invoice is missing": "i.number IS NULL",
            "the invoice has another total": "coalesce(i.total_minor <> o.total_minor, FALSE)",
            "the invoice has another amount paid": "coalesce(i.paid_minor, 0) <> o.paid_minor",
            "the invoice has another amount refunded": "coalesce(i.refunded_minor, 0) <> o.refunded_minor",
        },
    )


@always("erasing.nothing_is_left_of_an_anonymized_order")
def nothing_is_left_of_an_anonymized_order() -> Check:
    """No context has personal data of an anonymized order, once the message of its erasure is handled."""
    street, recipient = json_text("s.recipient", "street"), json_text("o.shipping_address", "recipient")
    return Check(
        rows=f"""
            ordering_order AS o WHERE o.payment_method = '' AND {recipient} = '{ERASED}'
              AND NOT EXISTS (
                SELECT 1 FROM integration_delivery AS delivery
                WHERE delivery.consumer IN ('billing.forget-payment-method', 'fulfillment.forget-recipient')
                  AND delivery.status IN ('pending', 'dead'))
        """,  # noqa: S608 - made of constants in the code only
        what="o.number || ' is anonymized'",
        never={
            "its history has personal values": """
                EXISTS (SELECT 1 FROM ordering_history AS h
                        JOIN integration_personaldata AS personal ON personal.event_id = h.id
                        WHERE h.stream = 'order' AND h.stream_id = o.number)
            """,
            "its invoice has the payment method": """
                EXISTS (SELECT 1 FROM billing_invoice AS i WHERE i."order" = o.number AND i.payment_method <> '')
            """,
            "its payment has the payment method": """
                EXISTS (SELECT 1 FROM billing_payment AS p WHERE p."order" = o.number AND p.method <> '')
            """,
            "its shipment has the recipient": f"""
                EXISTS (SELECT 1 FROM fulfillment_shipment AS s
                        WHERE s."order" = o.number AND {street} <> '{ERASED}')
            """,  # noqa: S608 - made of constants in the code only
        },
    )


def _a_minute_ago() -> str:
    """A minute ago, as an SQL literal; the routine that acts on deadlines runs every few seconds."""
    return f"'{(clock.now() - timedelta(minutes=1)):%Y-%m-%d %H:%M:%S}'"
