"""Checks for bugs that no flow shows. Each does one thing to a filled database, and returns what is wrong, or None.

Without a bug each check returns None; the hunt makes sure of it before it plants one.
"""

import os
from contextlib import suppress
from functools import partial
from typing import Any
from unittest import mock

import msgspec
from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import IntegrityError
from msgspec.structs import replace
from rest_framework.test import APIClient

from billing import commands as billing
from billing.gateways import Booked, CallBack, Declined, signatures
from billing.gateways.sandbox.adapter import SIGNATURE_HEADER
from billing.models import MoreThanIsLeft, Payment, Refund, invoice_of
from config.verification import verify
from fulfillment.models import Shipment
from integration.aggregates.unit_of_work import unit_of_work
from integration.domain import clock
from integration.domain.address import Address
from integration.domain.errors import DomainError
from integration.domain.identifiers import BuyerId, OrderNumber, PaymentMethodId, ShipmentId, Sku
from integration.domain.money import Money
from integration.gateways import posts
from integration.gateways.posts import Post
from integration.messaging import consumer_states, outcomes, tasks
from integration.messaging.claim import LEASE, claim
from integration.messaging.dead_letters import replay
from integration.messaging.deliver import _attempt, deliver_due
from integration.messaging.models import Delivery, Message
from integration.messaging.wakeups import DeliveryQueue
from integration.read_models.catch_up import catch_up_all
from integration.read_models.registry import read_models
from integration.webhooks.claim import claim as claim_rows
from integration.webhooks.endpoints import register
from integration.webhooks.fan_out import fan_out
from integration.webhooks.requests import requests_of
from inventory import commands as inventory
from inventory.events import ReservedLine
from inventory.models import Reservation, StockItem
from ordering.commands import grant_discount, list_products, place_order, register_buyer_if_new
from ordering.models import Order, SalesOfDay, ShippingRate, TaxRate
from tests.chaos.at_once import at_once
from tests.chaos.crash_matrix import run_in_child
from tests.chaos.flows import ADDRESS, FLOWS, TIMEOUT, World, drain

INVENTORY = DeliveryQueue("inventory", False)


def _placed(lines: dict[str, int] | None = None, tag: str = "own") -> OrderNumber:
    world = World(tag)
    world.place(lines or {"MUG": 2})
    return OrderNumber(world.order)


def personal_data_reaches_only_endpoints_with_the_right() -> str | None:
    """Send an order's messages to an endpoint without the right to personal data: the recipient is in none of them."""
    register({"url": "https://hooks.example/", "events": ["ordering.shipping-requested"]}, None)
    _placed(tag="hook")
    drain(timeout=TIMEOUT)
    fan_out()
    bodies = [post.body for _, post in requests_of(claim_rows(100)) if isinstance(post, Post)]
    if not bodies:
        return "nothing is sent"
    return "the recipient is sent to an endpoint without the right" if any(b"Ada" in body for body in bodies) else None


def webhooks_reach_public_addresses_only() -> str | None:
    """Request a URL whose host resolves to this machine: no connection is opened."""
    with mock.patch.object(posts, "resolve", return_value=["127.0.0.1"]), posts.Posts(2, local=False) as sender:
        sender.start(Post(1, "https://rebinding.example:9/", b"{}", {}))
        (result,) = sender.ended(5)
    return None if "ForbiddenAddress" in result.error else f"a request to 127.0.0.1 was made: {result.error}"


def a_cart_becomes_one_order() -> str | None:
    """Check out a buyer's cart twice: the second time is refused, and there is one order."""
    client = _client("buyer")
    cart = f"/api/v1/carts/{client.post('/api/v1/carts', {}, format='json').data['id']}"
    client.put(f"{cart}/items/MUG", {"quantity": 1}, format="json")
    body = {"payment_method": "pm_card_visa", "shipping_address": ADDRESS}
    statuses = [client.post(f"{cart}/checkout", body, format="json").status_code for _ in range(2)]
    return None if statuses == [201, 409] and Order.objects.count() == 1 else f"{statuses}: a cart became two orders"


def an_access_token_opens_one_order() -> str | None:
    """Read two guests' orders, each with the token of both: each token opens its own."""
    world, orders = World("first"), []
    for _ in range(2):
        world.cart = world.token = ""
        for step in FLOWS["guest_checkout"].steps[:2]:
            step.run(world)
        orders.append((world.order, world.token))
    client, opened = APIClient(HTTP_HOST="localhost"), []
    for number, _ in orders:
        for _, token in orders:
            headers = {"Authorization": f"Bearer {token}"}
            opened.append(client.get(f"/api/v1/orders/{number}", headers=headers).status_code)
    return None if opened == [200, 404, 404, 200] else f"the tokens of two orders opened {opened}"


def a_lost_parcel_is_decided_about_once() -> str | None:
    """Lose a parcel, and decide to send it again and to refund it: only the first decision counts."""
    world = _lost()
    statuses = [world.report("resolve", {"as": each}).status_code for each in ("send_again", "refund")]
    drain(timeout=TIMEOUT)
    return _offenders() or (None if statuses == [200, 409] else f"two decisions were responded to with {statuses}")


def a_late_scan_changes_nothing() -> str | None:
    """Lose a parcel, refund it, and let the carrier find it: the order stays as it was, and a task is open."""
    world = _lost()
    world.report("resolve", {"as": "refund"})
    drain(timeout=TIMEOUT)
    before = world.end
    shipment = Shipment.objects.get(order=world.order)
    with unit_of_work() as work:
        work.get(Shipment, shipment.pk).scan("late", "delivered", clock.now())
    drain(timeout=TIMEOUT)
    after = Shipment.objects.get(pk=shipment.pk)
    if (after.status, after.needs_human, world.end) != ("lost", True, before):
        return f"after a late scan the shipment is {after.status} and its order {world.end}"
    return _offenders()


def _lost() -> World:
    """An order whose parcel is lost."""
    world = World("own")
    for step in FLOWS["lose_and_refund"].steps[:-2]:
        step.run(world)
    return world


def _client(username: str) -> APIClient:
    client = APIClient(HTTP_HOST="localhost")
    users = get_user_model().objects
    client.force_authenticate(users.filter(username=username).first() or users.create_user(username))
    return client


def _order(**unasked: Any) -> Any:
    """Place an order with fields that the API does not know; returns the response."""
    line = {"sku": "MUG", "quantity": 2, **unasked.pop("line", {})}
    body = {"lines": [line], "shipping_address": ADDRESS, "payment_method": "pm_card_visa", **unasked}
    return _client("buyer").post("/api/v1/orders", body, format="json")


def _offenders() -> str | None:
    wrong = [f"{name}: {what}" for name, finding in verify().items() for what in finding.complaints]
    return wrong[0] if wrong else None


def _unexpected(results: list[Any], refusal: type[DomainError] | None = None) -> str | None:
    """A sentence about the errors among the results that are not of the type `refusal`; None without one."""
    errors = [r for r in results if isinstance(r, BaseException) and not (refusal and isinstance(r, refusal))]
    return f"{len(errors)} of {len(results)} failed: {str(errors[0]).splitlines()[0]}" if errors else None


# --- Races ---


def every_receipt_at_once_is_counted() -> str | None:
    """One mug is received twenty times at once."""
    before = StockItem.objects.get(pk="MUG").on_hand
    results = at_once(*[partial(inventory.receive_stock, Sku("MUG"), 1, "")] * 20)
    received = StockItem.objects.get(pk="MUG").on_hand - before
    return _unexpected(results) or (f"{received} of 20 counted" if received != 20 else None)


def orders_for_the_same_goods_do_not_deadlock() -> str | None:
    """Twenty orders for the same ten goods are reserved at once."""
    skus = [Sku(f"SKU-{n}") for n in range(10)]
    list_products([(sku, sku, "", Money("1", "USD")) for sku in skus])
    inventory.stock_up([(sku, 100) for sku in skus])
    orders = [_placed(dict.fromkeys(skus, 1), f"own-{n}") for n in range(20)]
    lines = [ReservedLine(sku, 1) for sku in skus]
    return _unexpected(at_once(*[partial(inventory.reserve_stock, order, lines) for order in orders]))


def one_of_many_simultaneous_refunds_succeeds() -> str | None:
    """Sixty percent of one invoice is refunded twenty times at once."""
    order = _placed()
    drain(timeout=TIMEOUT)
    most_of_it = Order.objects.get(pk=order).total.percent(60)
    results = at_once(*[partial(billing.refund_in_part, invoice_of(order), most_of_it, "scratched")] * 20)
    given = Refund.objects.count()
    return _unexpected(results, MoreThanIsLeft) or (f"{given} refunds were given" if given != 1 else None)


def the_lines_of_an_order_add_up_to_it() -> str | None:
    """A loyal buyer orders goods whose discount and tax leave an odd cent."""
    TaxRate.objects.create(country="GB", tax_class="standard", percent_thousandths=17_500, valid_from="2020-01-01")
    ShippingRate.objects.create(option="post", name="Post", currency="USD", price_minor=333)
    list_products([(Sku(f"SKU-{n}"), "", "", Money(price, "USD")) for n, price in enumerate(["4.33", "1.41", "2.33"])])
    register_buyer_if_new(BuyerId("own"))
    grant_discount(BuyerId("own"), 10, "for being there")
    try:
        lines = [(Sku(f"SKU-{n}"), 1) for n in range(3)]
        order = place_order(BuyerId("own"), lines, Address(**ADDRESS), PaymentMethodId("pm_card_visa"))
    except IntegrityError as error:
        return " ".join(str(error).split())
    charged = order.subtotal - order.discount + order.shipping_price + order.tax
    return None if order.total == charged else f"the total is {order.total} instead of {charged}"


# --- Workers ---


def a_delivery_that_kills_its_workers_becomes_a_dead_letter() -> str | None:
    """A handler ends its process at every attempt."""
    _placed()
    attempts = settings.DELIVERY_MAX_ATTEMPTS + 1
    with mock.patch.object(inventory, "reserve_stock", side_effect=lambda *args: os._exit(1)):
        for _ in range(attempts):
            run_in_child(partial(drain, "inventory"), None)
            clock._offset += 2 * LEASE
    status = Delivery.objects.get(consumer="inventory.reserve-stock").status
    return None if status == "dead" else f"{status} after {attempts} dead workers"


def a_claim_whose_lease_passed_has_no_effect() -> str | None:
    """A worker handles a delivery after its lease has passed and another worker has handled it."""
    _placed()
    before = StockItem.objects.get(pk="MUG").on_hand
    with mock.patch.object(
        inventory, "reserve_stock", side_effect=lambda *args: inventory.adjust_stock(Sku("MUG"), -1, "")
    ):
        claims = [each for each in claim(INVENTORY, 50) if each.consumer == "inventory.reserve-stock"]
        clock._offset += 2 * LEASE
        deliver_due(INVENTORY)
        _attempt("inventory.reserve-stock", claims, [])
    taken = before - StockItem.objects.get(pk="MUG").on_hand
    return None if taken == 1 else f"handled {taken} times"


def deliveries_of_a_dead_worker_are_swept() -> str | None:
    """A worker claims the due deliveries and dies."""
    _placed()
    claim(INVENTORY, 50)
    clock._offset += 2 * LEASE
    with mock.patch.object(tasks, "wake") as wake:
        tasks.sweep()
    return None if INVENTORY in wake.call_args.args[0] else "the sweep sends no wake-up for it"


def a_poison_message_does_not_block_others() -> str | None:
    """One of two messages to a consumer always fails."""
    poison, neighbour = _placed(tag="poison"), _placed(tag="neighbour")
    reserve = inventory.reserve_stock

    def fail_for_poison(order: Any, lines: Any) -> None:
        if order == poison:
            raise RuntimeError("poison")
        reserve(order, lines)

    with mock.patch.object(inventory, "reserve_stock", fail_for_poison):
        drain("inventory", timeout=TIMEOUT)
    return None if Reservation.objects.filter(pk=neighbour).exists() else f"{neighbour} is blocked by {poison}"


def a_failure_of_an_outdated_claim_changes_nothing() -> str | None:
    """An operator replays a claimed delivery, another worker claims it, and then the first worker fails."""
    _placed()
    (outdated,) = (each for each in claim(INVENTORY, 50) if each.consumer == "inventory.reserve-stock")
    replay(Delivery.objects.filter(pk=outdated.id))
    claim(INVENTORY, 50)
    outcomes.record_failure(outdated, OSError("failed at last"))
    return None if Delivery.objects.get(pk=outdated.id).in_flight else "the claim of the second worker has ended"


def a_paused_consumer_handles_nothing() -> str | None:
    """An operator pauses a consumer, and an order is placed."""
    consumer_states.pause("inventory.reserve-stock", "the shelf is being moved", "user:1")
    order = _placed()
    drain("inventory")
    return f"{order} has its reservation" if Reservation.objects.filter(pk=order).exists() else None


def a_parked_delivery_uses_up_no_attempt() -> str | None:
    """A worker meets a delivery in a version that only newer code knows."""
    _placed()
    delivery = Delivery.objects.get(consumer="inventory.reserve-stock")
    Message.objects.filter(pk=delivery.message_id).update(version=99)
    drain("inventory")
    delivery.refresh_from_db()
    return None if delivery.attempts == 0 else f"{delivery.attempts} attempts are used up"


def old_code_does_not_catch_up_what_new_code_shows() -> str | None:
    """Code that does not know confirmations catches up read models next to this code."""
    new = read_models.get(SalesOfDay.read_model)
    old = replace(new, events=new.events - {"ordering.order_confirmed"})
    _placed()
    with mock.patch.dict(read_models._by_name, {new.name: old}):
        drain(timeout=TIMEOUT)
    catch_up_all()
    return _offenders()


# --- Providers and clients ---


def a_late_call_back_has_no_effect() -> str | None:
    """A signed call-back about an earlier, declined attempt arrives after the payment succeeded."""
    payment = Payment.objects.get(order=_paid())
    call_back = CallBack("evt_late", "declined", Booked(payment.idempotency_key, Declined("try_again"), payment.amount))
    body, secret = msgspec.json.encode(call_back), settings.SANDBOX_WEBHOOK_SECRETS[0]
    _call_back(body, signatures.sign(body, secret, int(clock.now().timestamp())))
    return _offenders()


def a_call_back_without_a_signature_is_refused() -> str | None:
    """A call-back without a signature arrives."""
    payment = Payment.objects.get(order=_paid())
    body = msgspec.json.encode(
        CallBack("evt_forged", "charged", Booked(payment.idempotency_key, Declined("x"), payment.amount))
    )
    status = _call_back(body, "")
    return None if status == 400 else f"got {status}"


def _paid() -> OrderNumber:
    order = _placed()
    drain(timeout=TIMEOUT)
    return order


def _call_back(body: bytes, signature: str) -> int:
    headers = {SIGNATURE_HEADER: signature}
    client = APIClient(HTTP_HOST="localhost")
    path = "/api/v1/webhooks/payments/sandbox"
    return client.post(path, body, content_type="application/json", headers=headers).status_code


def only_its_buyer_sees_an_order() -> str | None:
    """Another buyer requests an order by its number, its timeline, its cancellation, and the list of orders."""
    order, stranger = _placed(), _client("stranger")
    for path in (f"/orders/{order}", f"/orders/{order}/timeline"):
        status = stranger.get(f"/api/v1{path}").status_code
        if status != 404:
            return f"{path} gives a stranger {status}"
    status = stranger.post(f"/api/v1/orders/{order}/cancel", {}, format="json").status_code
    listed = stranger.get("/api/v1/orders").data["results"]
    return f"a stranger's cancellation: {status}, list: {len(listed)}" if status != 404 or listed else None


def a_price_from_the_client_is_refused() -> str | None:
    """A client sends a price."""
    response = _order(line={"unit_price": {"amount": "0.01", "currency": "USD"}})
    return None if response.status_code == 422 else f"{response.status_code}, total {response.data['total']}"


def unknown_fields_are_refused() -> str | None:
    """A client sends the buyer, the total and the status."""
    response = _order(buyer="U-1", total={"amount": "0.01", "currency": "USD"}, status="confirmed")
    return None if response.status_code == 422 else f"got {response.status_code}"


def quarantined_goods_are_not_sold() -> str | None:
    """The only unit of a SKU is in quarantine when somebody orders it."""
    inventory.stock_up([(Sku("RELIC"), 1)])
    inventory.quarantine_stock(Sku("RELIC"), 1, "box damaged")
    number = _placed({"RELIC": 1})
    drain(timeout=TIMEOUT)
    order = Order.objects.get(pk=number)
    return None if order.cancellation_reason == "out_of_stock" else f"{order} is {order.status}"


def goods_are_restocked_once() -> str | None:
    """One unit in quarantine is found to be good, twice."""
    inventory.stock_up([(Sku("RELIC"), 1)])
    inventory.quarantine_stock(Sku("RELIC"), 1, "box damaged")
    inventory.clear_stock(Sku("RELIC"), 1, "good")
    with suppress(DomainError):
        inventory.clear_stock(Sku("RELIC"), 1, "good")
    on_hand = StockItem.objects.get(pk="RELIC").on_hand
    return None if on_hand == 1 else f"{on_hand} units are on hand, and 1 was received"


def two_shipments_take_what_they_have() -> str | None:
    """Goods of one order leave in two shipments, and the first is reported twice."""
    number = _placed({"MUG": 3, "LAMP": 1})
    drain(timeout=TIMEOUT)
    before = dict(StockItem.objects.values_list("sku", "on_hand"))
    for n, lines in (1, {"MUG": 1}), (1, {"MUG": 1}), (2, {"MUG": 2, "LAMP": 1}):
        taken = [ReservedLine(Sku(sku), quantity) for sku, quantity in lines.items()]
        with suppress(DomainError):
            inventory.ship_reservation(number, ShipmentId(f"S{number[1:]}-{n}"), taken)
        now = dict(StockItem.objects.values_list("sku", "on_hand"))
        if n == 1 and (before["MUG"] - now["MUG"], before["LAMP"] - now["LAMP"]) != (1, 0):
            return f"{before} was on hand, and is {now} after one mug was shipped"
    found = verify(["inventory.reserved_goods_move_once"])["inventory.reserved_goods_move_once"].complaints
    return found[0] if found else None if now["MUG"] == before["MUG"] - 3 else f"{now} is on hand"
