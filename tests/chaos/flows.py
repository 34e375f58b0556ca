"""The flows of business the harness kills, doubles and shuffles: each a few requests, and where it must end.

A flow is run again from its beginning after every crash, its requests under the same idempotency keys, as a client
would. Adding one is a function and a line in `FLOWS`.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from math import ceil
from typing import Any
from unittest import mock

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.db.models import Min
from rest_framework.test import APIClient

from billing import commands as billing
from billing.gateways import OutcomeUnknown
from billing.gateways.sandbox.adapter import SandboxProvider, adapter
from billing.models import Payment, PaymentStatus, Refund, invoice_of
from integration.domain import clock
from integration.domain.identifiers import OrderNumber, Sku
from integration.domain.money import Money
from integration.messaging import routines as routines_module
from integration.messaging.claim import CLOCKS_DIFFER, due_delivery_queues
from integration.messaging.deliver import deliver_due
from integration.messaging.models import Delivery, Status
from integration.messaging.wakeups import DeliveryQueue
from integration.read_models.catch_up import catch_up_all
from inventory.commands import stock_up
from ordering.commands import list_products
from ordering.models import Order

ADDRESS = {"recipient": "Ada", "street": "1 Row", "city": "London", "postal_code": "W1", "country": "GB"}
GOODS = {"MUG": ("12.50", 100_000), "LAMP": ("80.00", 100_000), "RELIC": ("9.00", 0)}


def open_shop() -> None:
    """Goods, a buyer and an operator, and nothing on its way."""
    list_products([(Sku(sku), sku, "", Money(price, "USD")) for sku, (price, _) in GOODS.items()])
    stock_up([(Sku(sku), stock) for sku, (_, stock) in GOODS.items() if stock])
    users = get_user_model().objects
    users.create_user("buyer", "buyer@example.com", "buyer")
    users.create_user("operator", "", "operator", is_staff=True).groups.set(Group.objects.all())
    drain()


Way = Callable[[list[DeliveryQueue]], bool]
"""A way of draining: does some of what is due in the lanes, and says whether it has claimed more than it has done."""


def all_at_once(delivery_queues: list[DeliveryQueue]) -> bool:
    """Handle one lane after the other, in batches, as workers do."""
    for delivery_queue in delivery_queues:
        deliver_due(delivery_queue)
    return False


_way: Way = all_at_once


@contextmanager
def drained(way: Way) -> Iterator[None]:
    """Let flows be drained in another way."""
    global _way
    before, _way = _way, way
    try:
        yield
    finally:
        _way = before


def drain(*contexts: str, timeout: timedelta = timedelta(0)) -> None:
    """Handle what is due, of all contexts or of some, and what becomes due within `patience`; show what came of it."""
    busy = False
    while True:
        delivery_queues = [
            delivery_queue
            for delivery_queue in sorted(due_delivery_queues())
            if not contexts or delivery_queue.context in contexts
        ]
        if delivery_queues or busy:
            busy = _way(delivery_queues)
        elif timeout:
            wait = min(_until_next_due(contexts), timeout)
            clock.advance(wait)
            timeout -= wait
        else:
            return catch_up_all()


def _until_next_due(contexts: Sequence[str]) -> timedelta:
    """The whole seconds for which nothing will be due. To look in each of them would be a fifth of a flow.

    Whole ones, as of a worker that looks every second: what failed together is so tried again together.
    """
    waiting = Delivery.objects.filter(status=Status.PENDING, **({"context__in": contexts} if contexts else {}))
    next_due = waiting.aggregate(Min("due_at"))["due_at__min"]
    if next_due is None:
        return timedelta.max
    return timedelta(seconds=max(1, ceil((next_due - CLOCKS_DIFFER - clock.now()).total_seconds())))


@dataclass
class World:
    """One telling of a flow: its clients, who repeat under the same keys, and what they were answered."""

    tag: str
    order: str = ""
    _keys: Iterator[int] = field(default_factory=lambda: iter(range(1_000)))

    def post(self, path: str, body: dict[str, Any], *, by: str = "buyer") -> Any:
        """Send a request, and once more if it was not answered; both under one key."""
        client = _client()
        client.force_authenticate(get_user_model().objects.get(username=by))
        key = {"Idempotency-Key": f"{self.tag}-{next(self._keys)}"}
        for attempt in range(2):
            try:
                answer = client.post(f"/api/v1{path}", body, format="json", headers=key)
            except Exception:
                if attempt:
                    raise
            else:
                if answer.status_code != 503 or attempt:
                    return answer

    def place(self, lines: dict[str, int], method: str = "pm_card_visa") -> None:
        """Place the flow's order."""
        lines_sent = [{"sku": sku, "quantity": quantity} for sku, quantity in lines.items()]
        body = {"lines": lines_sent, "shipping_address": ADDRESS, "payment_method": method}
        answer = self.post("/orders", body)
        assert answer.status_code == 201, answer.content
        self.order = answer.data["number"]

    def dispatch(self) -> Any:
        """Hand the order's shipment to a carrier."""
        body = {"carrier": "DHL", "tracking_number": "1"}
        return self.post(f"/shipments/S{self.order[1:]}-1/dispatch", body, by="operator")

    def deliver(self) -> Any:
        """Note that the order's shipment arrived."""
        return self.post(f"/shipments/S{self.order[1:]}-1/deliver", {}, by="operator")

    def cancel(self) -> Any:
        """No longer want the order."""
        return self.post(f"/orders/{self.order}/cancel", {"reason": "changed my mind"})

    @property
    def end(self) -> str:
        """Where the order is now: its status and the reason."""
        order = Order.objects.get(pk=self.order)
        return " ".join(filter(None, [order.status, order.cancellation_reason, order.payment_status]))


@cache
def _client() -> APIClient:
    """One for all: a client builds the whole chain of middleware for its first request."""
    return APIClient(HTTP_HOST="localhost")


def place_and_pay(world: World) -> None:
    """An order goes all the way."""
    world.place({"MUG": 2, "LAMP": 1})
    drain(timeout=TIMEOUT)
    assert world.dispatch().status_code == 200
    drain(timeout=TIMEOUT)
    assert world.deliver().status_code == 200


def run_out_of_stock(world: World) -> None:
    """One of the goods is not there."""
    world.place({"MUG": 1, "RELIC": 1})


def have_the_card_declined(world: World) -> None:
    """The payment is declined."""
    world.place({"MUG": 3}, "pm_card_chargeDeclined")


def lose_the_outcome(world: World) -> None:
    """The provider takes the money, and the line is cut before it can say so."""
    with _line_cut_after_charging():
        world.place({"LAMP": 2})
        drain(timeout=TIMEOUT)


def hear_the_call_back_first(world: World) -> None:
    """The provider's call-back is here before its own answer."""
    with _line_cut_after_charging(call_back=True):
        world.place({"LAMP": 2})
        drain(timeout=TIMEOUT)


def miss_the_deadline(world: World) -> None:
    """The money does not come in time."""
    world.place({"MUG": 4})
    drain("inventory", "ordering")
    with clock.moved(timedelta(minutes=31)):
        routines_module.routines.get("ordering.cancel-overdue-orders").run()
        drain(timeout=TIMEOUT)


def cancel_before_payment(world: World) -> None:
    """The buyer cancels while the order waits for its money."""
    world.place({"MUG": 5})
    drain("inventory", "ordering")
    world.cancel()


def cancel_after_payment(world: World) -> None:
    """The buyer cancels when the order is confirmed and not yet shipped."""
    world.place({"MUG": 5})
    drain(timeout=TIMEOUT)
    assert world.cancel().status_code == 202


def cancel_too_late(world: World) -> None:
    """The buyer asks for a cancellation while the carrier takes the goods; whoever comes first is right."""
    world.place({"MUG": 1})
    drain(timeout=TIMEOUT)
    assert world.cancel().status_code == 202
    if world.dispatch().status_code == 200:
        drain(timeout=TIMEOUT)
        assert world.deliver().status_code == 200


def refund_in_part(world: World) -> None:
    """An operator gives some of the money back, after looking whether that was done before the lights went out."""
    world.place({"LAMP": 2})
    drain(timeout=TIMEOUT)
    invoice = invoice_of(OrderNumber(world.order))
    if not Refund.objects.filter(invoice=invoice).exists():
        billing.refund_in_part(invoice, Money("95.50", "USD"), "scratched")
    drain(timeout=TIMEOUT)


TIMEOUT = timedelta(seconds=20)
"""Long enough for a claim that was lost with its worker, and for a few attempts."""

FLOWS: dict[Callable[[World], None], set[str]] = {
    place_and_pay: {"delivered paid"},
    run_out_of_stock: {"cancelled out_of_stock cancelled"},
    have_the_card_declined: {"cancelled payment_failed failed"},
    lose_the_outcome: {"confirmed paid"},
    hear_the_call_back_first: {"confirmed paid"},
    miss_the_deadline: {"cancelled payment_timeout cancelled", "cancelled payment_timeout refunded"},
    cancel_before_payment: {"cancelled by_buyer cancelled", "cancelled by_buyer refunded"},
    cancel_after_payment: {"cancelled by_buyer refunded"},
    cancel_too_late: {"delivered paid", "cancelled by_buyer refunded"},
    refund_in_part: {"confirmed paid"},
}
"""Each flow, and where its order may end."""


@contextmanager
def _line_cut_after_charging(call_back: bool = False) -> Iterator[None]:
    """Lose the provider's first answer about each payment, after it took the money."""
    charge = SandboxProvider.charge

    def charge_and_lose(self: SandboxProvider, key: str, *args: Any) -> Any:
        outcome = charge(self, key, *args)
        if call_back:
            body, headers = adapter.call_back(key)
            client = APIClient(HTTP_HOST="localhost")
            client.post("/api/v1/webhooks/payments/sandbox", body, content_type="application/json", headers=headers)
        if Payment.objects.get(pk=key).status in (PaymentStatus.REQUESTED, PaymentStatus.SUCCEEDED):
            raise OutcomeUnknown
        return outcome

    with mock.patch.object(SandboxProvider, "charge", charge_and_lose):
        yield
