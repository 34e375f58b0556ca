"""Creates orders with code from before read models: no refunds in part, no erasing, no archive, no numbered histories.

What matters in these databases is the order in which rows lie in the tables: several processes write to them at once.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Event

from tests.upgrades.life import TEN_YEARS, Life
from tests.upgrades.states import in_states

STATES = {
    "orders": (
        "ordering_order.status",
        ("pending", "payment_pending", "confirmed", "shipped", "delivered", "cancelled"),
    ),
    "payments": ("billing_payment.status", ("unknown", "succeeded", "failed")),
    "invoices": ("billing_invoice.status", ("open", "paid", "void")),
    "shipments": ("fulfillment_shipment.status", ("arranged", "dispatched", "delivered", "cancelled")),
    "reservations": ("inventory_reservation.status", ("held", "committed", "shipped", "released", "refused")),
    "deliveries": ("integration_delivery.status", ("pending", "done")),
}
"""The column to count, and the values that must occur, by what the rows are; as in `states.py`."""

OUT_OF_ORDER = """
    SELECT count(*) FROM (
        SELECT ctid < lag(ctid) OVER (PARTITION BY stream, stream_id ORDER BY version) AS wrong FROM ordering_history
    ) AS history WHERE wrong
"""
"""Counts the events that lie in the table before an earlier version of their aggregate; PostgreSQL only."""


class EarlyLife(Life):
    """The life of a shop with older code, from its opening to the end of its processes."""

    def live(self) -> None:
        self.open_shop()
        self.trade()
        self.leave_orders_open()
        self.check_orders()

    def trade(self) -> None:
        """Place most orders: paid, declined, out of stock, cancelled, shipped and delivered."""
        closing = Event()
        with ThreadPoolExecutor(1) as pool:
            carrier = pool.submit(self._carry, closing)
            try:
                self._at_once(self._order_something, range(self.orders - 2 - 4 * self.some))
                self.shop.settle()
            finally:
                closing.set()
            carrier.result()
        self._reward_a_loyal_buyer()
        self.shop.settle()

    def leave_orders_open(self) -> None:
        """Leave orders in every state before delivery, some with a payment deadline that passes soon."""
        self.shop.serve(("ordering", "inventory", "billing"))
        self._confirmed(self.some)
        for minutes in (TEN_YEARS, "30"):
            self.shop.serve(
                ("ordering", "inventory", "billing"), SANDBOX_FAILURE_RATE="2", PAYMENT_DEADLINE_MINUTES=minutes
            )
            numbers = self._at_once(lambda n, buyer: self._place(buyer), self._buyers(self.some))
            self._await_some(self.some, "ordering_order WHERE status = 'payment_pending' AND number", numbers)
        unknown = "SELECT count(*) FROM billing_payment WHERE status = 'unknown'"
        self.shop.until(lambda: self.shop.count(unknown), lambda n: n >= 2 * self.some, "payments of unknown outcome")
        self.shop.serve((), PAYMENT_DEADLINE_MINUTES=TEN_YEARS)
        self._at_once(lambda n, buyer: self._place(buyer), self._buyers(self.some))
        self.shop.kill()


def counted(count: Callable[[str], int], vendor: str) -> dict[str, int]:
    """Count the rows in each state, by the name of the state.

    Args:
        count: returns the number that a query selects.
        vendor: `sqlite` or `postgresql`.
    """
    seen = in_states(STATES, count)
    return {**seen, "events out of order": count(OUT_OF_ORDER)} if vendor == "postgresql" else seen
