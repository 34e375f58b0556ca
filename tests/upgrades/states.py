"""What a database must hold some of to be worth keeping: every state of everything, and work that lies undone."""

from collections.abc import Callable

STATES = {
    "orders": (
        "ordering_order.status",
        ("pending", "payment_pending", "confirmed", "shipped", "delivered", "cancelled"),
    ),
    "cancellations": (
        "ordering_order.cancellation_reason",
        ("out_of_stock", "payment_failed", "payment_timeout", "by_buyer", "by_operator"),
    ),
    "payments": ("billing_payment.status", ("requested", "unknown", "succeeded", "failed", "abandoned")),
    "refunds": ("billing_refund.status", ("requested", "issued")),
    "invoices": ("billing_invoice.status", ("open", "paid", "refunded", "void")),
    "shipments": ("fulfillment_shipment.status", ("arranged", "dispatched", "delivered", "cancelled")),
    "reservations": (
        "inventory_reservation.status",
        ("held", "committed", "shipped", "released", "expired", "refused"),
    ),
    "deliveries": ("integration_delivery.status", ("pending", "done", "dead", "skipped")),
    "events": (
        "ordering_history.name",
        (
            *("ordering.order_cancellation_requested", "ordering.order_cancellation_refused"),
            *("ordering.order_paid_too_late", "ordering.order_refunded", "ordering.order_anonymized"),
            *("ordering.buyer_erased", "ordering.buyer_discount_changed", "ordering.product_changed"),
        ),
    ),
    "movements": ("inventory_history.name", ("inventory.stock_received", "inventory.stock_adjusted")),
}
"""By what is counted: a column, and its values."""

PENDING = "integration_delivery WHERE status = 'pending'"
OTHERS = {
    "pending for ordering": f"{PENDING} AND context = 'ordering'",
    "pending for inventory": f"{PENDING} AND context = 'inventory'",
    "pending for billing": f"{PENDING} AND context = 'billing'",
    "pending for fulfillment": f"{PENDING} AND context = 'fulfillment'",
    "claimed by a worker that was killed": f"{PENDING} AND in_hand",
    "failed and to be tried again": f"{PENDING} AND error <> ''",
    "orders whose cancellation is requested": "ordering_order WHERE cancellation_requested",
    "orders refunded in part": "ordering_order WHERE refunded_minor > 0 AND refunded_minor < paid_minor",
    "standing orders refunded in whole": (
        "ordering_order WHERE status <> 'cancelled' AND refunded_minor > 0 AND refunded_minor = paid_minor"
    ),
    "deadlines years ahead": (
        "ordering_order WHERE status IN ('pending', 'payment_pending') AND payment_due_at > '2034-01-01'"
    ),
    "archived messages": "integration_archivedmessage",
    "idempotency keys": "integration_idempotencykey",
    "snapshots": "integration_snapshot",
    "personal values": "integration_personaldata",
    "call-backs": "billing_providerevent",
    "live read models": "integration_readmodelbuild WHERE live AND error = ''",
}
"""By what is counted: a table, and which of its rows."""


def counted(count: Callable[[str], int]) -> dict[str, int]:
    """How many there are of each.

    Args:
        count: answers a query with one number.
    """
    rows = {
        f"{what} {value}": f"{column.partition('.')[0]} WHERE {column} = '{value}'"
        for what, (column, values) in STATES.items()
        for value in values
    }
    return {what: count(f"SELECT count(*) FROM {which}") for what, which in {**rows, **OTHERS}.items()}  # noqa: S608
