"""The business flows that the harness kills, doubles and shuffles: each is a list of steps and the ends it may have.

After a crash a flow runs again from its first step, and its requests carry the same idempotency keys, as a client
would send them. Flows that begin with the same steps share them: the crash matrix kills a shared step only once.
To add a flow, write its steps and a line in `FLOWS`.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from math import ceil
from typing import Any, NamedTuple
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
    """One run of a flow: its clients, which repeat requests under the same keys, and the order that they placed.

    Args:
        tag: the beginning of its idempotency keys.
        order: the number of its order, once it is placed.
        requests: how many requests were sent; each has a key of its own.
    """

    tag: str
    order: str = ""
    requests: int = 0

    def post(self, path: str, body: dict[str, Any], *, by: str = "buyer") -> Any:
        """Send a request, and once more if it was not answered; both under one key."""
        client = _client()
        client.force_authenticate(get_user_model().objects.get(username=by))
        key = {"Idempotency-Key": f"{self.tag}-{self.requests}"}
        self.requests += 1
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


TIMEOUT = timedelta(seconds=20)
"""Long enough for the lease of a claim that died with its worker to pass, and for a few more attempts."""


class Step(NamedTuple):
    """A part of a flow. Flows whose first steps have the same names run the same statements in them."""

    name: str
    run: Callable[[World], None]


class Flow(NamedTuple):
    """A business flow.

    Args:
        what: a sentence about it.
        steps: what happens, in order.
        ends: the ends that its order may have, as `World.end` writes them.
    """

    what: str
    steps: tuple[Step, ...]
    ends: frozenset[str]

    def run(self, world: World, start: int = 0) -> None:
        """Run the steps from the number `start` on."""
        for step in self.steps[start:]:
            step.run(world)


def place(lines: dict[str, int], method: str = "pm_card_visa") -> Step:
    """The buyer places an order."""
    return Step("place", lambda world: world.place(lines, method))


def settle(name: str = "settle") -> Step:
    """All deliveries are handled, and those that become due within `TIMEOUT`."""
    return Step(name, lambda world: drain(timeout=TIMEOUT))


def _reserve(world: World) -> None:
    drain("inventory", "ordering")


def _dispatch(world: World) -> None:
    assert world.dispatch().status_code == 200


def _deliver(world: World) -> None:
    assert world.deliver().status_code == 200


def _cancel(world: World) -> None:
    assert world.cancel().status_code == 202


def _cancel_unpaid(world: World) -> None:
    world.cancel()


def _dispatch_and_deliver_if_possible(world: World) -> None:
    if world.dispatch().status_code == 200:
        drain(timeout=TIMEOUT)
        _deliver(world)


def _settle_without_an_answer(world: World) -> None:
    with _line_cut_after_charging():
        drain(timeout=TIMEOUT)


def _settle_with_the_call_back_first(world: World) -> None:
    with _line_cut_after_charging(call_back=True):
        drain(timeout=TIMEOUT)


def _expire(world: World) -> None:
    with clock.moved(timedelta(minutes=31)):
        routines_module.routines.get("ordering.cancel-overdue-orders").run()
        drain(timeout=TIMEOUT)


def _refund(world: World) -> None:
    """Give money back, unless a run before the crash did."""
    invoice = invoice_of(OrderNumber(world.order))
    if not Refund.objects.filter(invoice=invoice).exists():
        billing.refund_in_part(invoice, Money("95.50", "USD"), "scratched")


PLACED = (place({"MUG": 2, "LAMP": 1}),)
RESERVED = (*PLACED, Step("reserve", _reserve))
"""The goods are reserved, and billing has not heard of the order."""
PAID = (*PLACED, settle())
"""The order is paid and confirmed, and its shipment is arranged."""

FLOWS = {
    "place_and_pay": Flow(
        "An order goes all the way.",
        (*PAID, Step("dispatch", _dispatch), settle(), Step("deliver", _deliver), settle()),
        frozenset({"delivered paid"}),
    ),
    "run_out_of_stock": Flow(
        "One of the goods is not in stock.",
        (place({"MUG": 1, "RELIC": 1}), settle("settle out of stock")),
        frozenset({"cancelled out_of_stock cancelled"}),
    ),
    "have_the_card_declined": Flow(
        "The payment is declined.",
        (place({"MUG": 2, "LAMP": 1}, "pm_card_chargeDeclined"), RESERVED[1], settle("settle declined")),
        frozenset({"cancelled payment_failed failed"}),
    ),
    "lose_the_outcome": Flow(
        "The provider takes the money, and the connection breaks before it can answer.",
        (*RESERVED, Step("settle without an answer", _settle_without_an_answer), settle()),
        frozenset({"confirmed paid"}),
    ),
    "hear_the_call_back_first": Flow(
        "The provider's call-back arrives before its answer.",
        (*RESERVED, Step("settle with the call-back first", _settle_with_the_call_back_first), settle()),
        frozenset({"confirmed paid"}),
    ),
    "miss_the_deadline": Flow(
        "The money does not come in time.",
        (*RESERVED, Step("expire", _expire), settle()),
        frozenset({"cancelled payment_timeout cancelled", "cancelled payment_timeout refunded"}),
    ),
    "cancel_before_payment": Flow(
        "The buyer cancels while the order waits for its money.",
        (*RESERVED, Step("cancel unpaid", _cancel_unpaid), settle()),
        frozenset({"cancelled by_buyer cancelled", "cancelled by_buyer refunded"}),
    ),
    "cancel_after_payment": Flow(
        "The buyer cancels when the order is confirmed and not yet shipped.",
        (*PAID, Step("cancel", _cancel), settle()),
        frozenset({"cancelled by_buyer refunded"}),
    ),
    "cancel_too_late": Flow(
        "The buyer asks for a cancellation while the carrier takes the goods; the first of the two wins.",
        (*PAID, Step("cancel", _cancel), Step("dispatch all the same", _dispatch_and_deliver_if_possible), settle()),
        frozenset({"delivered paid", "cancelled by_buyer refunded"}),
    ),
    "refund_in_part": Flow(
        "An operator gives some of the money back.",
        (*PAID, Step("refund", _refund), settle()),
        frozenset({"confirmed paid"}),
    ),
}
"""Each flow by its name. The first flow that has a step after the same steps is the one that is killed in it."""


def own_steps() -> dict[str, list[int]]:
    """The numbers of the steps that the crash matrix kills in each flow, by the flow's name."""
    seen, own = set[tuple[str, ...]](), dict[str, list[int]]()
    for name, flow in FLOWS.items():
        paths = [tuple(step.name for step in flow.steps[: n + 1]) for n in range(len(flow.steps))]
        own[name] = [n for n, path in enumerate(paths) if path not in seen]
        seen.update(paths)
    return own


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
