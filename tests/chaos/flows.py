"""The business flows that the harness kills, doubles and shuffles: each is a list of steps and the ends it may have.

After a crash a flow runs again from its first step, and its requests carry the same idempotency keys, as a client
would send them. Flows that begin with the same steps share them: the crash matrix kills a shared step only once.
To add a flow, write its steps and a line in `FLOWS`.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from functools import cache
from math import ceil
from typing import Any, Literal, NamedTuple
from unittest import mock

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.db import OperationalError
from django.db.models import Min
from rest_framework.test import APIClient

from billing import commands as billing
from billing.gateways import Booked, Disputed, OutcomeUnknown, RefundFailed
from billing.gateways.sandbox.adapter import SandboxProvider, adapter
from billing.gateways.sandbox.courses import CannotPlay
from billing.models import Payment, PaymentStatus, Refund, invoice_of
from integration.domain import clock
from integration.domain.identifiers import OrderNumber, RefundId, Sku
from integration.domain.money import Money
from integration.gateways.posts import Post, Posted
from integration.messaging import routines as routines_module
from integration.messaging.claim import CLOCKS_DIFFER, due_delivery_queues
from integration.messaging.deliver import deliver_due
from integration.messaging.models import Delivery, Status
from integration.messaging.wakeups import DeliveryQueue
from integration.read_models.catch_up import catch_up_all
from integration.webhooks.models import EndpointDelivery
from integration.webhooks.sending import send_due
from inventory import commands as inventory
from inventory.commands import stock_up
from inventory.models import StockItem
from ordering.commands import create_voucher, list_products
from ordering.models import Order

ADDRESS = {"recipient": "Ada", "street": "1 Row", "city": "London", "postal_code": "W1", "country": "GB"}
GOODS = {"MUG": ("12.50", 100_000), "LAMP": ("80.00", 100_000), "RELIC": ("9.00", 0), "LEAFLET": ("0.00", 100_000)}


def open_shop() -> None:
    """Fill an empty database with goods, a buyer and an operator, and handle all deliveries."""
    list_products([(Sku(sku), sku, "", Money(price, "USD")) for sku, (price, _) in GOODS.items()])
    stock_up([(Sku(sku), stock) for sku, (_, stock) in GOODS.items() if stock])
    users = get_user_model().objects
    users.create_user("buyer", "buyer@example.com", "buyer")
    create_voucher("FEW", {"kind": "percent", "value": Decimal(10), "limit": 2})
    users.create_user("operator", "", "operator", is_staff=True).groups.set(Group.objects.all())
    drain()


DrainStep = Callable[[list[DeliveryQueue]], bool]
"""Handles some of the due deliveries of these delivery queues; returns whether it has claimed more than it handled."""


def in_batches(delivery_queues: list[DeliveryQueue]) -> bool:
    """Handle one delivery queue after another in batches, as workers do."""
    for delivery_queue in delivery_queues:
        deliver_due(delivery_queue)
    return False


_drain_step: DrainStep = in_batches


@contextmanager
def draining_with(drain_step: DrainStep) -> Iterator[None]:
    """Let `drain` handle deliveries with another function."""
    global _drain_step
    before, _drain_step = _drain_step, drain_step
    try:
        yield
    finally:
        _drain_step = before


def drain(*contexts: str, timeout: timedelta = timedelta(0)) -> None:
    """Handle all due deliveries, and let the read models catch up.

    Args:
        contexts: the contexts whose deliveries are handled; all without.
        timeout: deliveries that become due within it are handled as well. The clock is moved to each of them.
    """
    busy = False
    while True:
        delivery_queues = [
            delivery_queue
            for delivery_queue in sorted(due_delivery_queues())
            if not contexts or delivery_queue.context in contexts
        ]
        if delivery_queues or busy:
            busy = _drain_step(delivery_queues)
        elif timeout:
            wait = min(_until_next_due(contexts), timeout)
            clock.advance(wait)
            timeout -= wait
        else:
            return catch_up_all()


def _until_next_due(contexts: Sequence[str]) -> timedelta:
    """The seconds until the next delivery is due. To look at every second would take a fifth of a flow's time.

    The seconds are rounded up, as for a worker that looks every second, so that deliveries that failed together are
    retried together.
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
        cart: the path of a guest's cart, once it is opened.
        token: the token of that cart, and later that of the guest's order.
    """

    tag: str
    order: str = ""
    requests: int = 0
    cart: str = ""
    token: str = ""

    def post(self, path: str, body: dict[str, Any], *, by: str = "buyer") -> Any:
        """Send a request, and repeat it once under the same key after an exception or a 503; returns the response.

        Args:
            by: a username; empty for a guest, who sends the token of the cart, if there is one.
        """
        return self._send("post", path, body, by)

    def put(self, path: str, body: dict[str, Any]) -> Any:
        """Change the guest's cart, as `post` sends a request."""
        return self._send("put", path, body, "")

    def delete(self, path: str, *, by: str) -> Any:
        """Delete something, as `post` sends a request."""
        return self._send("delete", path, {}, by)

    def _send(self, method: str, path: str, body: dict[str, Any], by: str) -> Any:
        client = _client()
        client.force_authenticate(get_user_model().objects.get(username=by) if by else None)
        key = {"Idempotency-Key": f"{self.tag}-{self.requests}", **({} if by else {"Cart-Token": self.token})}
        self.requests += 1
        for attempt in range(2):
            try:
                response = getattr(client, method)(f"/api/v1{path}", body, format="json", headers=key)
            except Exception:
                if attempt:
                    raise
            else:
                if response.status_code != 503 or attempt:
                    return response

    def place(self, lines: dict[str, int], method: str = "pm_card_visa", **more: Any) -> None:
        """Place the order of the flow, without a payment method if that is empty; fails unless it is created."""
        lines_sent = [{"sku": sku, "quantity": quantity} for sku, quantity in lines.items()]
        paid_with = {"payment_method": method} if method else {}
        body = {"lines": lines_sent, "shipping_address": ADDRESS, **paid_with, **more}
        response = self.post("/orders", body)
        assert response.status_code == 201, response.content
        self.order = response.data["number"]

    def dispatch(self, parcel: int = 1, lines: dict[str, int] | None = None) -> Any:
        """Dispatch a shipment of the order, or only these units of it; returns the response."""
        body: dict[str, Any] = {"carrier": "DHL", "tracking_number": "1"}
        if lines:
            body["lines"] = [{"sku": sku, "quantity": quantity} for sku, quantity in lines.items()]
        return self.post(f"/shipments/S{self.order[1:]}-{parcel}/dispatch", body, by="operator")

    def deliver(self, parcel: int = 1) -> Any:
        """Record that a shipment of the order arrived; returns the response."""
        return self.post(f"/shipments/S{self.order[1:]}-{parcel}/deliver", {}, by="operator")

    def report(self, what: str, body: dict[str, Any] | None = None) -> Any:
        """Say what became of the order's shipment; returns the response."""
        return self.post(f"/shipments/S{self.order[1:]}-1/{what}", body or {}, by="operator")

    def cancel(self, lines: dict[str, int] | None = None) -> Any:
        """Request the cancellation of the order, or only of these units of it; returns the response."""
        body: dict[str, Any] = {"reason": "changed my mind"}
        if lines:
            body["lines"] = [{"sku": sku, "quantity": quantity} for sku, quantity in lines.items()]
        return self.post(f"/orders/{self.order}/cancel", body)

    @property
    def end(self) -> str:
        """The order's status, cancellation reason and payment status, without those that are empty."""
        order = Order.objects.get(pk=self.order)
        return " ".join(filter(None, [order.status, order.cancellation_reason, order.payment_status]))


@cache
def _client() -> APIClient:
    """One client for all requests, because a client builds the chain of middleware for its first request."""
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
    """The buyer places an order; without a payment method it has no payment, which is stored in other statements."""
    return Step("place" if method else "place for nothing", lambda world: world.place(lines, method))


def settle(name: str = "settle") -> Step:
    """All deliveries are handled, and those that become due within `TIMEOUT`."""
    return Step(name, lambda world: drain(timeout=TIMEOUT))


def _place_with_a_voucher(world: World) -> None:
    world.place({"MUG": 2, "LAMP": 1}, vouchers=["FEW"])


def _reserve(world: World) -> None:
    drain("inventory", "ordering")


def _dispatch(world: World) -> None:
    assert world.dispatch().status_code == 200


def _deliver(world: World) -> None:
    assert world.deliver().status_code == 200


def _dispatch_a_part(world: World) -> None:
    assert world.dispatch(lines={"MUG": 1}).status_code == 200


def _dispatch_the_rest(world: World) -> None:
    assert world.dispatch(2).status_code == 200


def _deliver_both(world: World) -> None:
    assert world.deliver(2).status_code == 200
    _deliver(world)


def _dispatch_a_part_and_the_rest_if_possible(world: World) -> None:
    if world.dispatch(lines={"MUG": 1}).status_code == 200:
        _dispatch_the_rest(world)
        drain(timeout=TIMEOUT)
        _deliver_both(world)


def _lose(world: World) -> None:
    assert world.report("lose").status_code == 200


def _resolve(world: World, resolution: str) -> None:
    assert world.report("resolve", {"as": resolution}).status_code == 200


def _send_again(world: World) -> None:
    _resolve(world, "send_again")


def _refund_what_was_lost(world: World) -> None:
    _resolve(world, "refund")


def _cancel(world: World) -> None:
    assert world.cancel().status_code == 202


def _cancel_unpaid(world: World) -> None:
    world.cancel()


def _dispatch_and_deliver_if_possible(world: World) -> None:
    if world.dispatch().status_code == 200:
        drain(timeout=TIMEOUT)
        _deliver(world)


def _hold(world: World) -> None:
    response = world.post(f"/orders/{world.order}/holds", {"reason": "fraud_risk"}, by="operator")
    assert response.status_code == 202, response.content


def _hold_if_possible(world: World) -> None:
    world.post(f"/orders/{world.order}/holds", {"reason": "fraud_risk"}, by="operator")


def _lift(world: World) -> None:
    assert world.delete(f"/orders/{world.order}/holds/H{world.order[1:]}-1", by="operator").status_code == 202


def _wait_too_long(world: World) -> None:
    with clock.moved(timedelta(days=15)):
        routines_module.routines.get("ordering.note-overdue-refunds").run()


def _settle_without_a_response(world: World) -> None:
    with _connection_lost_after_charging():
        drain(timeout=TIMEOUT)


def _settle_with_the_call_back_first(world: World) -> None:
    with _connection_lost_after_charging(call_back=True):
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


def _quarantine(world: World) -> None:
    """Put goods into quarantine, unless a run before the crash did."""
    if not StockItem.objects.get(pk="LAMP").quarantined:
        inventory.quarantine_stock(Sku("LAMP"), 2, "box damaged")


def _inspect(world: World) -> None:
    for to in "sellable", "written_off":
        body = {"quantity": 1, "to": to, "reason": "looked at"}
        assert world.post("/stock/LAMP/quarantine", body, by="operator").status_code == 201


def _cancel_a_unit(world: World) -> None:
    assert world.cancel({"MUG": 1}).status_code == 202


def _cancel_most(world: World) -> None:
    assert world.cancel({"MUG": 1, "LAMP": 1}).status_code == 202


def _dispatch_a_mug_if_possible(world: World) -> None:
    assert world.dispatch(lines={"MUG": 1}).status_code in (200, 409)


def _number(world: World) -> None:
    billing.number_documents()


def _fail_the_refund(world: World) -> None:
    """The buyer's bank sends the money of the refund back, unless a run before the crash recorded it."""
    refund = Refund.objects.get(order=world.order)
    failed = RefundFailed(refund.reference or "re_lost", "lost_or_stolen_card")
    if not refund.earlier_keys:
        billing.settle_refund(RefundId(refund.id), Booked(refund.idempotency_key, failed, refund.amount))


def _request_the_refund_again(world: World) -> None:
    refund = Refund.objects.get(order=world.order)
    if not refund.earlier_keys:
        billing.retry_refund(RefundId(refund.id))


def _dispute(status: Literal["needs_response", "won", "lost"]) -> Callable[[World], None]:
    def report(world: World) -> None:
        payment = Payment.objects.get(order=world.order)
        about = (f"dp_{world.order}", payment.reference, payment.amount)
        billing.note_dispute(Disputed(*about, "chargeback", status))

    return report


def _refund_lines(world: World) -> None:
    body = {"lines": [{"sku": "MUG", "quantity": 1}], "reason": "broken"}
    assert world.post(f"/invoices/I{world.order[1:]}/refunds", body, by="operator").status_code == 202


def _fill_cart(world: World) -> None:
    """A guest fills a cart, unless a run before the crash has checked it out."""
    opened = world.post("/carts", {}, by="")
    assert opened.status_code == 201, opened.content
    world.cart, world.token = f"/carts/{opened.data['id']}", opened.data["token"]
    for what, body in (("items/MUG", {"quantity": 2}), ("shipping-address", ADDRESS)):
        assert world.put(f"{world.cart}/{what}", body).status_code in (200, 409)


def _check_out(world: World) -> None:
    body = {"payment_method": "pm_card_visa", "email": "guest@example.com"}
    ordered = world.post(f"{world.cart}/checkout", body, by="")
    assert ordered.status_code == 201, ordered.content
    world.order, world.token = ordered.data["number"], ordered.data["access_token"]


def _claim(world: World) -> None:
    claimed = world.post(f"/orders/{world.order}/claim", {"access_token": world.token})
    assert claimed.status_code == 200, claimed.content


def _ask_for_a_return(world: World) -> None:
    body = {"order": world.order, "lines": [{"sku": "MUG", "quantity": 2, "reason": "damaged"}]}
    assert world.post("/returns", body).status_code == 201
    assert world.post(f"/returns/{world.order}-1/approve", {}, by="operator").status_code == 200


def _receive(disposition: str) -> Callable[[World], None]:
    def receive(world: World) -> None:
        body = {"lines": [{"sku": "MUG", "quantity": 1, "disposition": disposition}]}
        assert world.post(f"/returns/{world.order}-1/receive", body, by="operator").status_code == 200

    return receive


def _withdraw(world: World) -> None:
    assert world.post(f"/orders/{world.order}/withdraw", {}).status_code == 202


def _receive_the_rest(world: World) -> None:
    """Receive the mug that had left before the withdrawal."""
    body = {"lines": [{"sku": "MUG", "quantity": 1, "disposition": "quarantine"}]}
    assert world.post(f"/returns/{world.order}-1/receive", body, by="operator").status_code == 200


class Receivers:
    """Receivers of webhooks in memory: each accepts what it gets."""

    def __init__(self) -> None:
        self._ended: list[Posted] = []

    def start(self, post: Post) -> None:
        self._ended.append(Posted(post.key, 200, 1, "thanks"))

    def ended(self, seconds: float) -> list[Posted]:
        ended, self._ended = self._ended, []
        return ended


def _register_endpoint(world: World) -> None:
    body = {"url": "https://hooks.example/waybill", "events": ["*"], "ordered": True}
    assert world.post("/webhook-endpoints", body, by="operator").status_code == 201


def _send_webhooks(world: World) -> None:
    """Send all that is owed, as often as a killed sender makes necessary. The next run goes on after an error."""
    for _ in range(5):
        with suppress(OperationalError):
            send_due(lambda: nullcontext(Receivers()))
        clock.advance(timedelta(minutes=1))
    left = EndpointDelivery.objects.exclude(status="done").count()
    assert not left, f"{left} messages were not sent to the endpoint"


def _play(what: str, after: timedelta = timedelta(0)) -> Callable[[World], None]:
    """Let the sandbox do what the buyer or their bank does; a second time, after a crash, it refuses."""

    def play(world: World) -> None:
        with clock.moved(after):
            response = world.post(f"/sandbox/payments/P{world.order[1:]}-1/{what}", {}, by="operator")
            assert response.status_code in (200, 409), response.content
            drain(timeout=TIMEOUT)

    return play


def _overdue(after: timedelta) -> Callable[[World], None]:
    """Let the deadline of a payment that waits pass."""

    def run(world: World) -> None:
        with clock.moved(after):
            routines_module.routines.get("ordering.cancel-overdue-orders").run()
            drain(timeout=TIMEOUT)

    return run


def _waiting(method: str) -> tuple[Step, ...]:
    """The payment waits for the buyer or their bank."""
    placed = Step(f"place with {method}", place({"MUG": 2, "LAMP": 1}, method).run)
    return (placed, settle(f"settle {method}"))


def _authorize(world: World) -> None:
    """All deliveries are handled in a shop that captures as goods leave."""
    with mock.patch.object(settings, "CAPTURE", "at_dispatch"):
        drain(timeout=TIMEOUT)


def _capture_a_mug(parcel: int) -> Callable[[World], None]:
    def dispatch(world: World) -> None:
        assert world.dispatch(parcel, {"MUG": 1}).status_code == 200

    return dispatch


def _cancel_the_lamp(world: World) -> None:
    assert world.cancel({"LAMP": 1}).status_code == 202


def _end_the_authorization(world: World) -> None:
    """The bank ends the authorization without a word, unless it did before the crash."""
    with suppress(CannotPlay):
        adapter.play(Payment.objects.get(order=world.order).key, "expire")


def _lapse(world: World) -> None:
    with clock.moved(timedelta(days=6, hours=1)):
        routines_module.routines.get("billing.lapse-authorizations").run()
        drain(timeout=TIMEOUT)


TRANSFER, AUTHENTICATION = "pm_bank_transfer", "pm_card_authenticationRequired"

PLACED = (place({"MUG": 2, "LAMP": 1}),)
RESERVED = (*PLACED, Step("reserve", _reserve))
"""The goods are reserved, and billing has not received the order yet."""
PAID = (*PLACED, settle())
"""The order is paid and confirmed, and its shipment is arranged."""

AUTHORIZED = (*PLACED, Step("authorize", _authorize))
"""The order is confirmed by an authorization, and nothing is charged yet."""

FLOWS = {
    "place_and_pay": Flow(
        "An order goes all the way.",
        (*PAID, Step("dispatch", _dispatch), settle(), Step("deliver", _deliver), settle()),
        frozenset({"delivered paid"}),
    ),
    "order_what_costs_nothing": Flow(
        "An order that costs nothing is confirmed without a payment.",
        (place({"LEAFLET": 1}, ""), settle("settle without a payment")),
        frozenset({"confirmed paid"}),
    ),
    "cancel_what_costs_nothing": Flow(
        "The buyer cancels an order that costs nothing.",
        (place({"LEAFLET": 1}, ""), settle("settle without a payment"), Step("cancel", _cancel), settle()),
        frozenset({"cancelled by_buyer cancelled"}),
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
        "The provider takes the money, and the connection breaks before its response arrives.",
        (*RESERVED, Step("settle without a response", _settle_without_a_response), settle()),
        frozenset({"confirmed paid"}),
    ),
    "hear_the_call_back_first": Flow(
        "The provider's call-back arrives before its response.",
        (*RESERVED, Step("settle with the call-back first", _settle_with_the_call_back_first), settle()),
        frozenset({"confirmed paid"}),
    ),
    "miss_the_deadline": Flow(
        "The money does not come in time.",
        (*RESERVED, Step("expire", _expire), settle()),
        # The reason is `not_processed` unless billing received the order before the deadline, in a run after a crash.
        frozenset(
            f"cancelled {reason} {payment}"
            for reason in ("not_processed", "payment_timeout")
            for payment in ("cancelled", "refunded")
        ),
    ),
    "complete_an_action": Flow(
        "The buyer's bank asks them, and they agree.",
        (*_waiting(AUTHENTICATION), Step("complete action", _play("complete_action"))),
        frozenset({"confirmed paid"}),
    ),
    "abandon_an_action": Flow(
        "The buyer's bank asks them, and they never reply.",
        (*_waiting(AUTHENTICATION), Step("be overdue", _overdue(timedelta(hours=2)))),
        frozenset({"cancelled payment_timeout cancelled"}),
    ),
    "settle_a_transfer": Flow(
        "A transfer settles after the deadline of cards.",
        (
            *_waiting(TRANSFER),
            Step("pass the deadline of cards", _overdue(timedelta(hours=1))),
            Step("settle transfer", _play("settle", timedelta(days=1))),
        ),
        frozenset({"confirmed paid"}),
    ),
    "find_a_transfer": Flow(
        "A transfer settled, and its call-back was lost; billing asks at the deadline.",
        (*_waiting(TRANSFER), Step("be overdue", _overdue(timedelta(days=8)))),
        frozenset({"confirmed paid"}),
    ),
    "cancel_a_transfer": Flow(
        "The buyer cancels while their transfer is on its way.",
        (*_waiting(TRANSFER), Step("cancel unpaid", _cancel_unpaid), settle()),
        frozenset({"cancelled by_buyer cancelled"}),
    ),
    "settle_a_transfer_too_late": Flow(
        "A transfer settles after its order was cancelled.",
        (*_waiting(TRANSFER), Step("cancel unpaid", _cancel_unpaid), settle(), Step("settle late", _play("settle"))),
        frozenset({"cancelled by_buyer refunded"}),
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
    "ship_in_parts": Flow(
        "A part of the order leaves, then the rest; the second parcel arrives first.",
        (
            *(*PAID, Step("dispatch a part", _dispatch_a_part), settle()),
            *(Step("dispatch the rest", _dispatch_the_rest), settle(), Step("deliver both", _deliver_both), settle()),
        ),
        frozenset({"delivered paid"}),
    ),
    "cancel_with_a_part_gone": Flow(
        "The buyer asks for a cancellation while the carrier takes a part; the first of the two wins.",
        (
            *(*PAID, Step("cancel", _cancel)),
            *(Step("dispatch a part all the same", _dispatch_a_part_and_the_rest_if_possible), settle()),
        ),
        frozenset({"delivered paid", "cancelled by_buyer refunded"}),
    ),
    "cancel_lines": Flow(
        "The buyer cancels a unit, and the rest is shipped.",
        (
            *(*PAID, Step("cancel a unit", _cancel_a_unit), settle("settle the cancelled unit")),
            *(Step("dispatch what is left", _dispatch), settle("settle what is left")),
        ),
        frozenset({"shipped partly_refunded"}),
    ),
    "cancel_lines_with_a_part_gone": Flow(
        "The buyer cancels a unit and another line while the carrier takes a part; what left first is not cancelled.",
        (
            *(*PAID, Step("cancel lines", _cancel_most)),
            *(Step("dispatch a mug all the same", _dispatch_a_mug_if_possible), settle()),
        ),
        frozenset({"shipped partly_refunded"}),
    ),
    "hold": Flow(
        "An operator holds the order back and lifts the hold, and then the goods leave.",
        (
            *(*PAID, Step("hold", _hold), settle("settle the hold")),
            *(Step("lift", _lift), settle("settle the lift")),
            *(Step("dispatch what was held", _dispatch), settle("settle what was held")),
        ),
        frozenset({"shipped paid"}),
    ),
    "hold_too_late": Flow(
        "An operator holds the order back while the carrier takes the goods: the hold comes too late.",
        (*PAID, Step("dispatch", _dispatch), Step("hold too late", _hold_if_possible), settle("settle a late hold")),
        frozenset({"shipped paid"}),
    ),
    "voucher": Flow(
        "A voucher is held with the order, redeemed with its confirmation, and released by its cancellation.",
        (
            *(Step("place with a voucher", _place_with_a_voucher), settle("settle with a voucher")),
            *(Step("cancel with a voucher", _cancel), settle("settle without the voucher")),
        ),
        frozenset({"cancelled by_buyer refunded"}),
    ),
    "return_in_two_parts": Flow(
        "The buyer sends goods back in two parcels: one unit is restocked, the other goes to quarantine.",
        (
            *(*PAID, Step("dispatch", _dispatch), settle(), Step("deliver", _deliver), settle()),
            *(Step("ask for a return", _ask_for_a_return), settle("settle the request")),
            *(Step("receive a part", _receive("restock")), settle("settle a part")),
            *(Step("receive the rest", _receive("quarantine")), settle("settle the rest")),
        ),
        frozenset({"delivered partly_refunded"}),
    ),
    "withdraw": Flow(
        "The buyer withdraws after a part has left: the rest is stopped, and the part comes back.",
        (
            *(*PAID, Step("dispatch a part", _dispatch_a_part), settle()),
            *(Step("withdraw", _withdraw), settle("settle the withdrawal")),
            *(Step("receive what had left", _receive_the_rest), settle("settle what came back")),
        ),
        frozenset({"returned refunded"}),
    ),
    "wait_for_the_goods": Flow(
        "The refund of a withdrawal is due, and the goods have not come: a person decides how long it waits.",
        (
            *(*PAID, Step("dispatch a part", _dispatch_a_part), settle()),
            *(Step("withdraw", _withdraw), settle("settle the withdrawal")),
            *(Step("wait too long", _wait_too_long), settle("settle what is overdue")),
        ),
        frozenset({"shipped partly_refunded"}),
    ),
    "lose_and_send_again": Flow(
        "The carrier loses the parcel, and its goods are sent again with an order that costs nothing.",
        (
            *(*PAID, Step("dispatch", _dispatch), settle(), Step("lose", _lose), settle()),
            *(Step("send again", _send_again), settle("settle sent again")),
        ),
        frozenset({"delivered paid"}),
    ),
    "lose_and_refund": Flow(
        "The carrier loses the parcel, and the buyer is refunded.",
        (
            *(*PAID, Step("dispatch", _dispatch), settle(), Step("lose", _lose), settle()),
            *(Step("refund what was lost", _refund_what_was_lost), settle("settle the refund of what was lost")),
        ),
        frozenset({"returned refunded"}),
    ),
    "refund_in_part": Flow(
        "An operator gives some of the money back.",
        (*PAID, Step("refund", _refund), settle()),
        frozenset({"confirmed partly_refunded"}),
    ),
    "refund_lines": Flow(
        "An operator refunds a unit of a line.",
        (*PAID, Step("refund lines", _refund_lines), settle("settle the refund")),
        frozenset({"confirmed partly_refunded"}),
    ),
    "number_documents": Flow(
        "Money is refunded, and the invoice and its credit note get their numbers.",
        (*PAID, Step("refund", _refund), settle(), Step("number documents", _number)),
        frozenset({"confirmed partly_refunded"}),
    ),
    "refund_fails": Flow(
        "The buyer's bank sends a refund back after it was issued, and an operator requests it again.",
        (
            *(*PAID, Step("refund lines", _refund_lines), settle("settle the refund")),
            *(Step("fail the refund", _fail_the_refund), settle("settle the failure")),
            *(Step("request it again", _request_the_refund_again), settle("settle the second attempt")),
        ),
        frozenset({"confirmed partly_refunded"}),
    ),
    "win_a_dispute": Flow(
        "The buyer disputes the payment, and an operator refunds a part; then we win, and the refund is issued.",
        (
            *(*PAID, Step("dispute", _dispute("needs_response")), settle("settle the dispute")),
            *(Step("refund disputed money", _refund), settle("settle the blocked refund")),
            *(Step("win the dispute", _dispute("won")), settle("settle the won dispute")),
        ),
        frozenset({"confirmed partly_refunded"}),
    ),
    "lose_a_dispute": Flow(
        "The buyer disputes the payment, and we lose: what has not left is cancelled without a refund.",
        (
            *(*PAID, Step("dispute", _dispute("needs_response")), settle("settle the dispute")),
            *(Step("lose the dispute", _dispute("lost")), settle("settle the lost dispute")),
        ),
        frozenset({"cancelled by_operator paid"}),
    ),
    "capture_and_void": Flow(
        "Two parcels leave and are captured; the rest is cancelled, and what is authorized for it is released.",
        (
            *(*AUTHORIZED, Step("capture a mug", _capture_a_mug(1)), settle("settle the first capture")),
            *(Step("capture another mug", _capture_a_mug(2)), settle("settle the second capture")),
            *(Step("cancel the lamp", _cancel_the_lamp), settle("settle the release")),
        ),
        frozenset({"shipped paid"}),
    ),
    "cancel_an_authorized_order": Flow(
        "The buyer cancels before anything has left: the authorization is released, and nothing is charged.",
        (*AUTHORIZED, Step("cancel authorized", _cancel), settle("settle the void")),
        frozenset({"cancelled by_buyer cancelled"}),
    ),
    "fail_to_capture": Flow(
        "The bank has ended the authorization when goods leave: they are owed, and the rest is held.",
        (
            *(*AUTHORIZED, Step("end the authorization", _end_the_authorization)),
            *(Step("send a mug all the same", _capture_a_mug(1)), settle("settle the failed capture")),
        ),
        frozenset({"partly_shipped pending"}),
    ),
    "lapse": Flow(
        "The authorization is about to end, so the goods are held; then the buyer cancels.",
        (
            *(*AUTHORIZED, Step("lapse", _lapse), settle("settle the hold")),
            *(Step("cancel what is held", _cancel), settle("settle the void of what lapsed")),
        ),
        frozenset({"cancelled by_buyer cancelled"}),
    ),
    "inspect_goods": Flow(
        "Goods go into quarantine, and leave it for sale and for good.",
        (*PLACED, Step("quarantine", _quarantine), Step("inspect", _inspect), settle("settle inspected")),
        frozenset({"confirmed paid"}),
    ),
    "guest_checkout": Flow(
        "A guest fills a cart and checks it out, and then a buyer claims the order.",
        (
            *(Step("fill a cart", _fill_cart), Step("check out", _check_out), settle("settle a guest's order")),
            *(Step("claim", _claim), settle("settle the claim")),
        ),
        frozenset({"confirmed paid"}),
    ),
    "notify_an_endpoint": Flow(
        "An endpoint is registered, and every message of the rest of the order is sent to it.",
        (
            *(*PAID, Step("register an endpoint", _register_endpoint)),
            *(Step("dispatch with an endpoint", _dispatch), settle("settle with an endpoint")),
            Step("send webhooks", _send_webhooks),
        ),
        frozenset({"shipped paid"}),
    ),
    "refund_in_part_and_cancel": Flow(
        "An operator gives some of the money back, and then the buyer cancels and gets the rest.",
        (*PAID, Step("refund", _refund), settle(), Step("cancel", _cancel), settle()),
        frozenset({"cancelled by_buyer refunded"}),
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
def _connection_lost_after_charging(call_back: bool = False) -> Iterator[None]:
    """Lose the provider's first response about each payment, after the provider has charged.

    Args:
        call_back: whether the provider's call-back about the charge arrives first.
    """
    charge = SandboxProvider.charge

    def charge_and_lose(self: SandboxProvider, key: str, *args: Any, **options: Any) -> Any:
        outcome = charge(self, key, *args, **options)
        if call_back:
            body, headers = adapter.call_back(key)
            client = APIClient(HTTP_HOST="localhost")
            client.post("/api/v1/webhooks/payments/sandbox", body, content_type="application/json", headers=headers)
        if Payment.objects.get(key=key).status in (PaymentStatus.REQUESTED, PaymentStatus.SUCCEEDED):
            raise OutcomeUnknown
        return outcome

    with mock.patch.object(SandboxProvider, "charge", charge_and_lose):
        yield
