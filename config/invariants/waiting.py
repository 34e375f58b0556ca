"""What must always be true of what has not ended: it waits for a delivery, a deadline or a person."""

from datetime import timedelta

from integration.domain import clock
from integration.invariants import Check, always, json_text

MOVES_NO_ORDER = (
    *("ordering.show-in-stock", "ordering.show-low-stock", "ordering.show-out-of-stock", "inventory.open-stock-item"),
    *("ordering.tell-buyer-of-confirmation", "ordering.tell-buyer-of-dispatch"),
    *("ordering.tell-buyer-of-cancellation", "ordering.tell-buyer-of-refund"),
    *("ordering.notify-buyer-of-refused-cancellation", "ordering.notify-buyer-of-cancelled-lines"),
    *("ordering.notify-buyer-of-failed-delivery", "ordering.notify-buyer-of-loss"),
    *("ordering.notify-buyer-of-replacement", "ordering.note-late-scan", "fulfillment.cancel-label"),
    *("billing.forget-payment-method", "billing.record-payer", "fulfillment.forget-recipient"),
    *("ordering.notify-buyer-of-approved-return", "ordering.notify-buyer-of-refused-return"),
    *("ordering.notify-buyer-of-received-return", "ordering.acknowledge-withdrawal"),
    *("ordering.notify-buyer-of-required-action", "ordering.notify-buyer-of-lapsed-authorization"),
)
"""Consumers that change neither the state of an order nor its money, so no order waits for them."""

UNDER_WAY = """
    (status IN ('dispatched', 'in_transit', 'failed') OR (status IN ('returned', 'lost') AND resolution = ''))
"""
"""SQL for whether a shipment is on its way, or waits for a person's decision because it is lost or came back."""

WAITS_FOR_A_DELIVERY = f"""
    EXISTS (SELECT 1 FROM integration_delivery AS delivery JOIN integration_message AS message
            ON message.id = delivery.message_id
            WHERE message.correlation_id = o.correlation_id AND delivery.status IN ('pending', 'dead')
              AND delivery.consumer NOT IN ({", ".join(f"'{name}'" for name in MOVES_NO_ORDER)}))
"""  # noqa: S608 - made of constants in the code only
"""The order's story has a pending delivery that can move it, or such a dead letter, which waits for an operator."""


WAITS_FOR_A_PERSON = """
    EXISTS (SELECT 1 FROM billing_discrepancy AS task JOIN billing_payment AS differs ON differs.id = task.subject
            WHERE differs."order" = o.number)
"""
"""What the provider has of the order's payment is not what was requested: an operator has a task that names it."""


@always("process.every_order_ended_or_waits_for_something")
def every_order_ended_or_waits() -> Check:
    """Every order has ended, or waits for a delivery, for a deadline, or for a person to handle its shipment."""
    return Check(
        rows="ordering_order AS o",
        what="o.number || ': ' || o.status || ', and waits for nothing'",
        never={
            "it waits for nothing": f"""
                NOT (o.status IN ('delivered', 'returned', 'cancelled')
                  OR (o.status IN ('pending', 'payment_pending') AND o.payment_due_at > {_a_minute_ago()})
                  OR (o.status IN ('confirmed', 'partly_shipped') AND EXISTS (SELECT 1 FROM fulfillment_shipment AS s
                      WHERE s."order" = o.number AND s.status = 'arranged'))
                  OR (o.status = 'shipped' AND EXISTS (SELECT 1 FROM fulfillment_shipment AS s
                      WHERE s."order" = o.number AND {UNDER_WAY}))
                  OR (o.status = 'payment_pending' AND {WAITS_FOR_A_PERSON})
                  OR {WAITS_FOR_A_DELIVERY})
            """,  # noqa: S608 - made of constants in the code and a time of our own clock
            "its requested cancellation waits for nothing": f"o.cancellation_requested AND NOT {WAITS_FOR_A_DELIVERY}",
            "its requested cancellation of lines waits for nothing": f"""
                {_has_requested("o.line_cancellations")} AND o.status <> 'cancelled' AND NOT {WAITS_FOR_A_DELIVERY}
            """,
            "its requested hold waits for nothing": f"""
                {_has_requested("o.order_holds")} AND o.status NOT IN ('pending', 'payment_pending', 'cancelled')
                  AND NOT {WAITS_FOR_A_DELIVERY}
            """,
        },
    )


@always("process.every_request_waits_for_something")
def every_request_waits() -> Check:
    """A payment, refund or capture without an outcome has a delivery that asks for it, or an operator's task."""
    asking = {
        "payment": ("billing.collect-payment", "'requested', 'unknown'"),
        "refund": ("billing.issue-refund", "'requested'"),
        "capture": ("billing.make-capture", "'requested'"),
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


@always("process.every_waiting_payment_ends")
def every_waiting_payment_ends() -> Check:
    """A payment that waits for the buyer or their bank is of an order that waits as long, or a delivery ends it."""
    unpaid = "o.status IN ('pending', 'payment_pending')"
    return Check(
        rows=f"""
            billing_payment AS payment JOIN ordering_order AS o ON o.number = payment."order"
            WHERE payment.status IN ('action', 'pending') AND NOT {WAITS_FOR_A_DELIVERY} AND NOT {WAITS_FOR_A_PERSON}
        """,
        what="""
            payment.id || ' (' || payment.status || ' until ' || coalesce(CAST(payment.expires_at AS text), '?')
              || '): its order is ' || o.status || ', and waits until ' || o.payment_due_at
        """,
        never={
            "nobody ends it": f"NOT ({unpaid})",
            "its order does not wait as long": f"{unpaid} AND coalesce(o.payment_due_at < payment.expires_at, TRUE)",
        },
    )


def _has_requested(column: str) -> str:
    """Whether one of the requests in a JSON column has the status `requested`; databases put spaces differently."""
    return f"""coalesce(replace(CAST({column} AS text), ' ', ''), '') LIKE '%"status":"requested"%'"""


def _a_minute_ago() -> str:
    """A minute ago, as an SQL literal; the routine that acts on deadlines runs every few seconds."""
    return f"'{(clock.now() - timedelta(minutes=1)):%Y-%m-%d %H:%M:%S}'"
