"""Lists the states that a saved database must contain: each state of each aggregate, and unfinished work."""

from collections.abc import Callable, Mapping, Sequence

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
"""The column to count, and the values that must occur, by what the rows are."""

LIVE_READ_MODELS = "live read models"
"""Later code marks the builds of its read models otherwise."""
PENDING = "integration_delivery WHERE status = 'pending'"
OTHERS = {
    "pending for ordering": f"{PENDING} AND context = 'ordering'",
    "pending for inventory": f"{PENDING} AND context = 'inventory'",
    "pending for billing": f"{PENDING} AND context = 'billing'",
    "pending for fulfillment": f"{PENDING} AND context = 'fulfillment'",
    "claimed by a worker that was killed": f"{PENDING} AND in_hand",
    "failed and waiting for a retry": f"{PENDING} AND error <> ''",
    "orders with a requested cancellation": "ordering_order WHERE cancellation_requested",
    "orders refunded in part": "ordering_order WHERE refunded_minor > 0 AND refunded_minor < paid_minor",
    "orders refunded in full but not cancelled": (
        "ordering_order WHERE status <> 'cancelled' AND refunded_minor > 0 AND refunded_minor = paid_minor"
    ),
    "payment deadlines years ahead": (
        "ordering_order WHERE status IN ('pending', 'payment_pending') AND payment_due_at > '2034-01-01'"
    ),
    "archived messages": "integration_archivedmessage",
    "idempotency keys": "integration_idempotencykey",
    "snapshots": "integration_snapshot",
    "personal values": "integration_personaldata",
    "call-backs": "billing_providerevent",
    LIVE_READ_MODELS: "integration_readmodelbuild WHERE live AND error = ''",
}
"""A table and a condition that must match some of its rows, by what the rows are."""


def counted(count: Callable[[str], int]) -> dict[str, int]:
    """Count the rows in each state.

    Args:
        count: returns the number that a query selects.

    Returns:
        The number of rows, by the name of the state.
    """
    others = {what: count(f"SELECT count(*) FROM {which}") for what, which in OTHERS.items()}  # noqa: S608
    return {**in_states(STATES, count), **others}


def in_states(states: Mapping[str, tuple[str, Sequence[str]]], count: Callable[[str], int]) -> dict[str, int]:
    """Count the rows with each value of a column, by their name: the column and its values, by what the rows are."""
    return {
        f"{what} {value}": count(f"SELECT count(*) FROM {column.partition('.')[0]} WHERE {column} = '{value}'")  # noqa: S608
        for what, (column, values) in states.items()
        for value in values
    }
