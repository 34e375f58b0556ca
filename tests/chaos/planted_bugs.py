"""Bugs that are planted into the code to test the harness: each must be caught by some check.

A bug is a patch that breaks one thing the code does right. The hunt runs a flow with the bug and judges its end, kills
the flow at points until one of the ends is wrong, or calls a check written for the bug.
"""

import random
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any
from unittest import mock
from uuid import uuid4

from django.db import connection, transaction
from django.db.models import F, Q, QuerySet
from django.test import override_settings
from msgspec.structs import replace
from rest_framework.serializers import Serializer

from billing import commands as billing
from billing import events as payment_events
from billing.commands import capturing, documents, proposing, refunding
from billing.commands import payments as payment_commands
from billing.gateways import Booked, Refunded, signatures
from billing.gateways.sandbox import courses
from billing.gateways.stripe import requests as stripe_requests
from billing.gateways.stripe.models import Request as StripeRequest
from billing.models import Capture, Invoice, Payment, RefundProposal, invoice_of
from billing.models import payment as payment_models
from billing.policies import saga as billing_saga
from billing.policies import waiting_payments
from fulfillment import events as shipment_events
from fulfillment.models import STORED, FulfillmentLine, FulfillmentOrder, Shipment
from fulfillment.models.tracking import Scan, latest
from integration.admin.question import Question
from integration.aggregates import unit_of_work as uow
from integration.aggregates.aggregate import Aggregate
from integration.aggregates.unit_of_work import UnitOfWork
from integration.domain import clock
from integration.domain.money import Money
from integration.gateways import posts
from integration.messaging import claim, deliver, external, outcomes, parking, tasks
from integration.messaging.consumers import consumers
from integration.messaging.feed import read_messages
from integration.messaging.models import Delivery, Message
from integration.messaging.wakeups import DeliveryQueue
from integration.read_models.registry import ReadModel
from integration.rest import idempotency
from integration.rest.fields import Input
from integration.storage import reading, writing
from integration.webhooks import fan_out as sharing
from integration.webhooks import requests as hook_requests
from integration.webhooks.models import EndpointDelivery, SharedOut, WebhookEndpoint
from inventory import commands as inventory
from inventory import events as stock_events
from inventory.models import Reservation, StockItem
from ordering import commands as ordering
from ordering import queries
from ordering.api import orders as order_views
from ordering.commands import placing
from ordering.events import OrderCancelled
from ordering.models import Cart, Order, Voucher
from ordering.pricing import tax
from tests.chaos import goods_checks, money_checks, own_checks, provider_checks
from tests.chaos.crash_matrix import finish, points, run_in_child
from tests.chaos.databases import Fresh
from tests.chaos.flows import FLOWS, Flow, World, open_shop

Patch = Callable[[], AbstractContextManager[Any]]


@dataclass(frozen=True)
class Bug:
    """A bug, and where it must show.

    Args:
        name: the bug, for the report.
        plant: returns the patch as a context manager.
        flows: the flows in which it must show.
        seen_without_a_crash: whether a flow ends wrong without being killed.
        check: a function that returns what is wrong; it is called instead of running flows.
        needs_postgresql: whether it cannot show on SQLite, which has one writer.
    """

    name: str
    plant: Patch
    flows: tuple[Flow, ...] = ()
    seen_without_a_crash: bool = False
    check: Callable[[], str | None] | None = None
    needs_postgresql: bool = False


def replaced(target: Any, name: str, by: Any) -> Patch:
    """A patch that replaces one attribute."""
    return partial(mock.patch.object, target, name, by)


# --- What each bug does wrong ---


def note_nothing(self: Invoice, *args: Any) -> None:
    """Refund a part of an invoice, and write no credit note."""


def skip_a_number(series: str) -> int:
    """Go on after the number that a failed transaction took, as a sequence of the database would."""
    return _last(series) + 1


def decide_again(self: Shipment) -> None:
    """Let a second decision about a lost parcel count, too."""


def obey_every_scan(self: Shipment, scan: Scan, note: str) -> None:
    """Change the status by a scan that came after the decision about the parcel."""
    self.record(shipment_events.ShipmentScanned(**self._ids, scan=scan.id, status=scan.status, at=scan.at, note=note))
    if (status := STORED[latest(self.all_scans)]) != self.status:
        self._change_status(status)


def confirm_before_the_id_is_known(row: StripeRequest, look: Any, create: Any) -> Any:
    """Keep the id of a new object at Stripe in memory only."""
    made = create(stripe_requests.idempotency_key(row))
    row.object = made["id"]
    return made


def count_no_disputes(charge: Any) -> courses.Moved:
    """Leave out what disputes have withdrawn."""
    return _moved_of(charge)._replace(disputed=0)


def count_no_captures(charge: Any) -> courses.Moved:
    """Take an authorization for captured."""
    return _moved_of(charge)._replace(captured=charge.amount_minor)


_moved_of = courses.moved_of


def publish_after_the_commit(self: UnitOfWork, to: writing.Write, given: Any) -> None:
    """Write messages and deliveries after the commit, so that a crash in between loses them."""
    if to.model in {Message, Delivery}:
        transaction.on_commit(partial(writing.write, {to: list(given)}))
    else:
        _write(self, to, given)


def lose_the_odd_cent(self: Money, weights: Any) -> list[Money]:
    """Round every share of a discount down, and share out nothing of what is left."""
    return [Money.of_minor(self.minor * weight // (sum(weights) or 1), self.currency) for weight in weights]


def round_each_refund_down(self: Money, after: int, count: int, quantity: int) -> Money:
    """Refund each unit by itself, rounded down, so that the odd cents of a line are never refunded."""
    return Money.of_minor(self.minor // quantity * count, self.currency)


@contextmanager
def dispatch_what_was_stopped() -> Iterator[None]:
    """Say that units were stopped, and leave them in the shipment."""
    with (
        mock.patch.object(FulfillmentOrder, "_count_stopped", return_value=None),
        mock.patch.object(Shipment, "take_out", return_value=None),
    ):
        yield


def leave_shipping_untaxed(shipping: Any, taxes: Any, totals: Any) -> Any:
    """Show the tax of shipping among the taxes of the order, and do not charge it."""
    return shipping


def stay_open(self: Cart, order: Any) -> None:
    """Leave a cart open when its goods are ordered."""


def open_every_order(request: Any) -> Any:
    """Show the holder of an access token every order."""
    return Order.objects.all()


def claim_as_done(delivery_queue: Any, limit: int, newest_first: bool = False) -> Any:
    """Acknowledge a delivery before it is handled: at-most-once delivery."""
    claims = _claim(delivery_queue, limit)
    Delivery.objects.filter(pk__in=[each.id for each in claims]).update(due_at="2999-01-01T00:00:00Z")
    return claims


def share_after_moving_on() -> int:
    """Note that messages were shared out, and write their rows in another transaction."""
    found, until = read_messages(SharedOut.objects.get().number)
    SharedOut.objects.update(number=until)
    rows = sharing.new_rows([message for _, message in found], list(WebhookEndpoint.objects.all()))
    EndpointDelivery.objects.bulk_create(rows, ignore_conflicts=True)
    return len(found)


def swallow_errors(failed: Any, error: Exception) -> None:
    """Mark a delivery as done although its handler raised."""
    Delivery.objects.filter(pk=failed.id).update(status="done", done_at="2026-01-01T00:00:00Z")


def keep_the_deadline(self: Order, payment: Any, status: str, expires_at: Any, sequence: int) -> None:
    """Show what a payment waits for, and ask for it at the deadline of cards."""
    _await_payment_until(self, payment, status, self.payment_due_at, sequence)


def ask_under_a_new_key(payment: Payment) -> Any:
    """Charge under a new idempotency key at each attempt."""
    method, amount = payment.method, payment.amount
    return billing.provider().charge(f"{payment.id}-{uuid4()}", method, amount)  # type: ignore[arg-type]


def forget_the_key(*args: Any) -> None:
    """Do not store the response under its idempotency key."""


@contextmanager
def store_the_key_after_the_commit() -> Iterator[None]:
    """Store the response after the order is committed, so that a crash in between leads to a second order."""
    store = idempotency._store

    def store_later(*args: Any) -> None:
        with uow.unit_of_work():
            store(*args)

    with mock.patch.object(idempotency, "_store", lambda *args: transaction.on_commit(partial(store_later, *args))):
        yield


def reserve_without_looking(order: Any, lines: Any) -> None:
    """Reserve again when the message is delivered again, and without looking at the stock."""
    with uow.unit_of_work() as work:
        stock = work.get_many(StockItem, [line.sku for line in lines])
        if work.find(Reservation, order) is None:
            work.add(Reservation.hold(order, lines))
        for line in lines:
            if line.sku in stock:
                stock[line.sku].record(stock_events.StockSetAside(order=order, quantity=line.quantity))


def release_nothing(order: Any, reason: str) -> None:
    """Release the reservation, and leave its stock reserved."""
    with uow.unit_of_work() as work:
        work.get(Reservation, order).release(reason)


def ship_without_taking_stock(order: Any, shipment: Any, lines: Any) -> None:
    """Ship the reservation, and leave its goods on hand."""
    with uow.unit_of_work() as work:
        work.get(Reservation, order).ship(shipment, lines)


def ship_all_at_once(self: Reservation, shipment: Any, lines: Any) -> Any:
    """Take any shipment for the whole order, so that what another one has is lost."""
    left = self.open_lines
    return _ship(self, shipment, left) if left else []


def count_every_arrival(self: Reservation, shipment: Any, lines: Any) -> Any:
    """Count a shipment as often as it arrives."""
    return _ship(self, f"{shipment}-{uuid4()}"[:24], lines)  # type: ignore[arg-type]


def take_back_every_arrival(self: Reservation, receipt: Any, lines: Any) -> Any:
    """Count a receipt as often as its message arrives."""
    return _take_back(self, f"{receipt}-{uuid4()}"[:28], lines)  # type: ignore[arg-type]


def count_quarantined_as_available(self: StockItem) -> int:
    """Sell units that are in quarantine."""
    return self.on_hand + self.quarantined - self.reserved


def restock_and_keep_in_quarantine(self: StockItem, event: Any) -> None:
    """Put units on sale again, and leave them in quarantine."""
    self.on_hand += event.quantity


def issue_no_refund(refund: Any) -> Callable[[], None]:
    """Record the refund as issued without a request to the provider."""
    booked = Booked(refund.idempotency_key, Refunded(f"re_{refund.id}"), refund.amount)
    return partial(billing.settle_refund, refund.id, booked)


def void_nothing(self: Invoice, reason: str) -> None:
    """Leave the invoice of a cancelled order as it is."""


def confirm_unpaid(number: Any) -> None:
    """Confirm the order as soon as its goods are reserved."""
    with uow.unit_of_work() as work:
        order = work.get(Order, number)
        order.await_payment()
        order.status = "confirmed"


def lose_a_line(shipment: Any, order: Any, recipient: Any, lines: Any) -> Any:
    """Arrange the rest of a shipment without one of its lines."""
    return _arrange(shipment, order, recipient, lines[:-1] if str(shipment).endswith("-2") else lines)


def keep_what_did_not_leave(self: Shipment, event: Any) -> None:
    """Leave in a shipment what is in the next one, too."""
    self.status, self.carrier, self.tracking_number = "dispatched", event.carrier, event.tracking_number


def expect_one_parcel(self: Order, shipment: Any, *sent: Any) -> None:
    """Take the first parcel for the whole order, and ignore the next."""
    if self.status == "confirmed":
        _mark_shipped(self, shipment, *sent)


def stop_nothing(self: Shipment, reason: str) -> None:
    """Accept the request to stop a shipment, and do not stop it."""


def write_no_history(self: UnitOfWork) -> None:
    """Write the rows of aggregates without their events."""


def store_another_quantity(recorded: Any) -> Any:
    """Store events with another quantity."""
    entry, personal = _entry_of(recorded)
    data = {**entry["data"], "quantity": 1} if "quantity" in entry["data"] else entry["data"]
    return {**entry, "data": data}, personal


def write_no_lines(self: Aggregate) -> list[Any]:
    """Do not save parts that have changed."""
    return []


def pay_twice(self: Payment, reference: str) -> None:
    """Record a success again when it arrives again, whatever the state table says."""
    self.record(
        payment_events.PaymentSucceeded(
            payment=self.id, invoice=self.invoice_id, order=self.order, amount=self.amount, reference=reference
        )
    )


def lock_nothing(model: Any, attribute: str, values: Any, locked: bool = False) -> Any:
    """Read rows without a lock."""
    return reading.read(model, attribute, values)


def lock_in_any_order(self: UnitOfWork, model: Any, keys: Any) -> Any:
    """Lock one row after another in random order."""
    found: dict[str, Any] = {}
    for key in random.sample(list(keys), len(keys)):
        found |= _get_many(self, model, [key])
    return {key: found[key] for key in keys if key in found}


def refund_without_the_lock(number: Any, amount: Any, reason: str) -> None:
    """Check the refunds of an invoice that is read without a lock."""
    with uow.unit_of_work() as work:
        invoice = Invoice.objects.get(pk=number)
        work.add(invoice)
        invoice.refund_in_part(amount, reason)


def approve_for_anybody(self: RefundProposal, refund: Any, note: str, by: str) -> None:
    """Approve a refund for the person who proposed it, and say that it was the system."""
    facts = {"proposal": self.id, "order": self.order, "amount": self.amount}
    self.record(payment_events.RefundProposalApproved(**facts, refund=refund, note=note, by="system"))


def refund_under_a_new_key(refund: Any) -> Callable[[], None]:
    """Refund under a new idempotency key at each attempt."""
    key = f"{refund.id}-{uuid4()}"
    booked = billing.provider().refund(key, refund.payment.reference, refund.amount)
    return partial(billing.settle_refund, refund.id, booked)


def raise_the_spend_only(buyer: Any, order: Any, change: Money) -> None:
    """Add confirmed orders to the lifetime spend, and subtract nothing."""
    if change > Money.zero(change.currency):
        _change_spend(buyer, order, change)


def publish_no_word_of_free_orders(contract: Any) -> None:
    """Publish everything but that no payment is required."""
    if contract.wire_name != "billing.payment-not-required":
        _publish(contract)


def request_any_payment(order: Any) -> None:
    """Request the payment of an order, even if it costs nothing."""
    with uow.unit_of_work() as work:
        work.add(Payment.request(work.get(Invoice, invoice_of(order))))


def round_each_unit_down(self: Money, after: int, count: int, quantity: int) -> Money:
    """Round what units are worth down, each time, so that odd cents are lost."""
    return Money.of_minor(self.minor * count // quantity, self.currency)


def forget_refunded_units(self: Invoice, event: Any) -> None:
    """Forget which units were refunded."""


def fail_in_any_state(self: Payment, reason: str) -> None:
    """Record a failure in every state, so that the call-back that arrives last wins."""
    self.record(payment_events.PaymentFailed(payment=self.id, order=self.order, reason=reason))


def count_no_attempt(delivery_queue: Any, limit: int, newest_first: bool = False) -> Any:
    """Do not count an attempt when it is claimed, so that one that kills its worker is never counted."""
    claims = _claim(delivery_queue, limit)
    Delivery.objects.filter(pk__in=[each.id for each in claims]).update(attempts=F("attempts") - 1)
    return [each._replace(attempt=each.attempt - 1) for each in claims]


@contextmanager
def ignore_leases() -> Iterator[None]:
    """Let a worker handle its claims and mark them as done after their lease has passed."""

    def claimed(claims: Any) -> QuerySet[Delivery]:
        return Delivery.objects.filter(pk__in=[c.id for c in claims]).select_related("message").order_by("pk")

    def take(claims: Any, locked: bool = False) -> list[Delivery]:
        found = claimed(claims)
        return list(found.select_for_update(of=("self",), skip_locked=True) if locked else found)

    def mark(deliveries: Any, update: Any = None) -> None:
        done = Delivery.objects.filter(pk__in=[delivery.pk for delivery in deliveries])
        done.update(status="done", done_at=clock.now())

    with (
        mock.patch.multiple(deliver, take=take, mark_done=mark),
        mock.patch.multiple(external, take=take, mark_done=mark),
        mock.patch.object(outcomes, "claimed", claimed),
    ):
        yield


def claimed_by_anyone(claims: Any) -> QuerySet[Delivery]:
    """Find the deliveries of a claim even if another worker has claimed them since."""
    found = Delivery.objects.filter(pk__in=[each.id for each in claims], status="pending", in_flight=True)
    return found.select_related("message").order_by("pk")


def due_and_never_claimed() -> Any:
    """Find only deliveries that were never claimed."""
    due = Delivery.objects.filter(status="pending", attempts=0, due_at__lte=clock.now())
    return [DeliveryQueue(*row) for row in due.order_by().values_list("context", "external").distinct()]


@contextmanager
def fail_batches_as_a_whole() -> Iterator[None]:
    """Count a failure for each delivery of a batch when one of them fails."""

    def fail_together(name: str, claims: Any, early: Any) -> Any:
        try:
            deliver._handle_together(consumers.get(name), claims, early)
        except Exception as error:
            for each in claims:
                outcomes.record_failure(each, error)
        return []

    # With two attempts, a delivery is never tried alone before it becomes a dead letter.
    with (
        override_settings(DELIVERY_MAX_ATTEMPTS=2),
        mock.patch.object(deliver, "_attempt", fail_together),
        mock.patch.object(claim, "SECOND_BATCH", claim.BATCH),
    ):
        yield


@contextmanager
def take_the_clients_price() -> Iterator[None]:
    """Use the unit price that the client sends."""
    prices: dict[str, Any] = {}
    valid, items = order_views.Orders.valid, placing._items

    def remember(self: Any, request: Any) -> Any:
        for line in request.data["lines"]:
            if price := line.pop("unit_price", None):
                prices[line["sku"]] = Money(**price)
        return valid(self, request)

    def use_them(*arguments: Any) -> Any:
        return [replace(line, unit_price=prices.get(line.sku, line.unit_price)) for line in items(*arguments)]

    with (
        mock.patch.object(order_views.Orders, "valid", remember),
        mock.patch.object(placing, "_items", use_them),
    ):
        yield


def count_redeemed_as_held_too(self: Voucher, order: Any) -> None:
    """Count a redeemed voucher, and count it as held as well."""
    self._count(order, redeemed=self.redeemed + 1)


_ship = Reservation.ship
_take_back = Reservation.take_back
_publish = billing_saga.publish
_change_spend = ordering.change_spend
_claim = claim.claim
_arrange = Shipment.arrange
_await_payment_until = Order.await_payment_until
_mark_shipped = Order.mark_shipped
_get_many = UnitOfWork.get_many
_write = UnitOfWork.write
_last = documents._last
_entry_of = uow.entry_of


@contextmanager
def done_in_a_transaction_of_its_own() -> Iterator[None]:
    """Mark a delivery as done after its effects are committed, for a consumer that is not idempotent."""
    mark = outcomes.mark_done

    def mark_now(deliveries: Any) -> None:
        with uow.unit_of_work():
            mark(deliveries)

    def mark_later(deliveries: Any) -> None:
        transaction.on_commit(partial(mark_now, deliveries))

    with ExitStack() as stack:
        stack.enter_context(mock.patch.object(deliver, "mark_done", mark_later))
        stack.enter_context(mock.patch.object(inventory, "reserve_stock", reserve_without_looking))
        yield


ALL_THE_WAY = (FLOWS["place_and_pay"],)

BUGS = [
    Bug(
        "messages counted as shared out before their rows are written",
        replaced(sharing, "_share_some", share_after_moving_on),
        (FLOWS["notify_an_endpoint"],),
    ),
    Bug(
        "personal data sent to every endpoint",
        replaced(hook_requests, "_is_personal", lambda row: True),
        check=own_checks.personal_data_reaches_only_endpoints_with_the_right,
    ),
    Bug(
        "addresses of webhooks unchecked",
        replaced(posts, "allowed_addresses", lambda host, found, local: found),
        check=own_checks.webhooks_reach_public_addresses_only,
    ),
    Bug(
        "cart checked out twice",
        replaced(Cart, "check_out", stay_open),
        check=own_checks.a_cart_becomes_one_order,
    ),
    Bug(
        "token of one order opens another",
        replaced(order_views, "own_orders", open_every_order),
        check=own_checks.an_access_token_opens_one_order,
    ),
    Bug(
        "lost goods refunded and sent again",
        replaced(Shipment, "_require_unresolved", decide_again),
        check=own_checks.a_lost_parcel_is_decided_about_once,
    ),
    Bug(
        "a late scan moves a resolved shipment",
        replaced(Shipment, "_add_scan", obey_every_scan),
        check=own_checks.a_late_scan_changes_nothing,
    ),
    Bug(
        "returned goods restocked twice",
        replaced(Reservation, "take_back", take_back_every_arrival),
        check=goods_checks.a_receipt_of_a_return_counts_once,
    ),
    Bug(
        "returned more than was shipped",
        replaced(FulfillmentLine, "returnable", property(lambda line: line.dispatched)),
        check=goods_checks.no_unit_is_returned_twice,
    ),
    Bug(
        "hold ignored by the dispatch",
        replaced(FulfillmentOrder, "require_no_hold", lambda self: None),
        check=goods_checks.what_is_on_hold_is_not_dispatched,
    ),
    Bug(
        "overdue refund is no task",
        replaced(Order, "note_overdue_refund", lambda self, moment: None),
        check=goods_checks.an_overdue_refund_is_a_task,
    ),
    Bug(
        "reduction without a credit note",
        replaced(Invoice, "_credit_note", note_nothing),
        (FLOWS["refund_in_part"],),
        True,
    ),
    Bug(
        "number of a transaction that failed is lost",
        replaced(documents, "_last", skip_a_number),
        (FLOWS["number_documents"],),
        True,
    ),
    Bug(
        "failed refund still counts as refunded",
        replaced(Invoice, "take_back_refund", lambda self, refund, amount: None),
        (FLOWS["refund_fails"],),
        True,
    ),
    Bug(
        "capture under a new key each time",
        replaced(Capture, "idempotency_key", property(lambda self: f"{self.id}-{uuid4().hex}")),
        (FLOWS["capture_and_void"],),
    ),
    Bug(
        "goods captured before they leave",
        replaced(Invoice, "_worth_of_open", lambda self: Money.zero(self.currency)),
        (FLOWS["capture_and_void"],),
    ),
    Bug(
        "authorization never released",
        replaced(billing, "is_to_be_released", lambda number: False),
        (FLOWS["cancel_an_authorized_order"],),
    ),
    Bug(
        "failed capture is nobody's task",
        replaced(capturing, "note_discrepancy", lambda subject, finding: None),
        (FLOWS["fail_to_capture"],),
    ),
    Bug(
        "goods leave although the authorization ends",
        replaced(Order, "hold_until_paid", lambda self, payment: None),
        check=money_checks.a_lapsed_authorization_holds_the_goods,
    ),
    Bug(
        "disputed money refunded",
        replaced(refunding, "judge_by_disputes", lambda refund, invoice: None),
        check=money_checks.money_that_a_dispute_took_is_not_refunded,
    ),
    Bug(
        "one person refunds any amount",
        replaced(RefundProposal, "approve", approve_for_anybody),
        check=money_checks.nobody_approves_their_own_refund,
    ),
    Bug(
        "small refunds pass the limit",
        replaced(proposing, "_granted_for", lambda invoice: Money.zero(invoice.currency)),
        check=money_checks.small_refunds_do_not_pass_the_limit,
    ),
    Bug("publish only after the commit", replaced(UnitOfWork, "write", publish_after_the_commit), ALL_THE_WAY),
    Bug("acknowledge before handling", replaced(deliver, "claim", claim_as_done), ALL_THE_WAY),
    Bug("done-mark in another transaction", done_in_a_transaction_of_its_own, ALL_THE_WAY),
    Bug(
        "swallow a handler's error",
        replaced(outcomes, "record_failure", swallow_errors),
        (FLOWS["lose_the_outcome"],),
        True,
    ),
    Bug(
        "new provider key on each attempt",
        replaced(payment_commands, "_ask_for_money", ask_under_a_new_key),
        ALL_THE_WAY,
        True,
    ),
    Bug("idempotency key not stored", replaced(idempotency, "_store", forget_the_key), ALL_THE_WAY),
    Bug("idempotency key stored after the commit", store_the_key_after_the_commit, ALL_THE_WAY),
    Bug("oversell", replaced(inventory, "reserve_stock", reserve_without_looking), (FLOWS["run_out_of_stock"],), True),
    Bug(
        "released stock not freed",
        replaced(inventory, "release_reservation", release_nothing),
        (FLOWS["have_the_card_declined"],),
        True,
    ),
    Bug(
        "shipped stock still on hand",
        replaced(inventory, "ship_reservation", ship_without_taking_stock),
        ALL_THE_WAY,
        True,
    ),
    Bug(
        "first shipment takes the whole reservation",
        replaced(Reservation, "ship", ship_all_at_once),
        check=own_checks.two_shipments_take_what_they_have,
    ),
    Bug(
        "shipment counted twice",
        replaced(Reservation, "ship", count_every_arrival),
        check=own_checks.two_shipments_take_what_they_have,
    ),
    Bug(
        "quarantined goods sold",
        replaced(StockItem, "available", property(count_quarantined_as_available)),
        check=own_checks.quarantined_goods_are_not_sold,
    ),
    Bug(
        "restock twice",
        partial(mock.patch.dict, StockItem._appliers, {stock_events.StockCleared: restock_and_keep_in_quarantine}),
        check=own_checks.goods_are_restocked_once,
    ),
    Bug(
        "refund never requested from the provider",
        replaced(billing, "issue_refund", issue_no_refund),
        (FLOWS["cancel_after_payment"],),
        True,
    ),
    Bug(
        "cancelled order not refunded",
        replaced(Invoice, "void", void_nothing),
        (FLOWS["cancel_after_payment"],),
        True,
    ),
    Bug(
        "confirmed without its money",
        replaced(ordering, "await_payment", confirm_unpaid),
        (FLOWS["have_the_card_declined"],),
        True,
    ),
    Bug(
        "split shipment loses a line",
        replaced(Shipment, "arrange", lose_a_line),
        (FLOWS["ship_in_parts"],),
        True,
    ),
    Bug(
        "units in two parcels",
        partial(mock.patch.dict, Shipment._appliers, {shipment_events.ShipmentDispatched: keep_what_did_not_leave}),
        (FLOWS["ship_in_parts"],),
        True,
    ),
    Bug(
        "second parcel of an order ignored",
        replaced(Order, "mark_shipped", expect_one_parcel),
        (FLOWS["ship_in_parts"],),
        True,
    ),
    Bug(
        "shipment of a cancelled order not stopped",
        replaced(Shipment, "stop", stop_nothing),
        (FLOWS["cancel_after_payment"],),
        True,
    ),
    Bug("history not stored", replaced(UnitOfWork, "_add_history", write_no_history), ALL_THE_WAY, True),
    Bug(
        "history differs from the row",
        replaced(uow, "entry_of", store_another_quantity),
        ALL_THE_WAY,
        True,
    ),
    Bug("changed parts not saved", replaced(Aggregate, "touched_parts", property(write_no_lines)), ALL_THE_WAY, True),
    Bug(
        "call-back and response both counted",
        replaced(Payment, "succeed", pay_twice),
        (FLOWS["hear_the_call_back_first"],),
        True,
    ),
    Bug("deadline ignored", replaced(Order, "expire", lambda self: None), (FLOWS["miss_the_deadline"],), True),
    Bug(
        "new provider key on each refund",
        replaced(billing, "issue_refund", refund_under_a_new_key),
        (FLOWS["refund_in_part"],),
        True,
    ),
    Bug(
        "partial refund not recorded",
        replaced(ordering, "record_refund", lambda *args: None),
        (FLOWS["refund_in_part"],),
        True,
    ),
    Bug(
        "free order waits for ever",
        replaced(billing_saga, "publish", publish_no_word_of_free_orders),
        (FLOWS["order_what_costs_nothing"],),
        True,
    ),
    Bug(
        "payment requested for nothing",
        replaced(billing, "request_payment", request_any_payment),
        (FLOWS["order_what_costs_nothing"],),
        True,
    ),
    Bug(
        "refund in part does not lower the spend",
        replaced(ordering, "change_spend", raise_the_spend_only),
        (FLOWS["refund_in_part"],),
        True,
    ),
    Bug(
        "voucher not released",
        replaced(ordering, "release_vouchers", lambda order: None),
        (FLOWS["voucher"],),
        True,
    ),
    Bug(
        "use of a limited voucher not counted",
        replaced(Voucher, "count_held", lambda self, order: None),
        (FLOWS["voucher"],),
        True,
    ),
    Bug(
        "redeemed voucher counted twice",
        replaced(Voucher, "count_redeemed", count_redeemed_as_held_too),
        (FLOWS["voucher"],),
        True,
    ),
    Bug(
        "refund and cancellation both lower the spend",
        replaced(OrderCancelled, "lowers_spend_by", property(lambda event: event.total)),
        (FLOWS["refund_in_part_and_cancel"],),
        True,
    ),
    Bug(
        "odd cent lost",
        replaced(Money, "of_units", round_each_unit_down),
        check=money_checks.all_units_of_an_invoice_bring_all_that_was_paid,
    ),
    Bug(
        "units refunded again",
        partial(mock.patch.dict, Invoice._appliers, {payment_events.InvoiceLinesCredited: forget_refunded_units}),
        check=money_checks.a_unit_is_refunded_once,
    ),
    Bug(
        "no row lock",
        replaced(uow, "read", lock_nothing),
        check=own_checks.every_receipt_at_once_is_counted,
        needs_postgresql=True,
    ),
    Bug(
        "random lock order",
        replaced(UnitOfWork, "get_many", lock_in_any_order),
        check=own_checks.orders_for_the_same_goods_do_not_deadlock,
        needs_postgresql=True,
    ),
    Bug(
        "refund sum checked without the lock",
        replaced(billing, "refund_in_part", refund_without_the_lock),
        check=own_checks.one_of_many_simultaneous_refunds_succeeds,
        needs_postgresql=True,
    ),
    Bug(
        "odd cent of a discount lost",
        replaced(Money, "allocate", lose_the_odd_cent),
        check=own_checks.the_lines_of_an_order_add_up_to_it,
    ),
    Bug(
        "odd cent lost when units are refunded",
        replaced(Money, "of_units", round_each_refund_down),
        check=money_checks.units_refunded_one_by_one_add_up,
    ),
    Bug(
        "cancelled units stay reserved",
        replaced(Reservation, "release_units", lambda self, cancellation, lines: []),
        flows=(FLOWS["cancel_lines"],),
        seen_without_a_crash=True,
    ),
    Bug(
        "cancelled units are dispatched",
        dispatch_what_was_stopped,
        flows=(FLOWS["cancel_lines"],),
        seen_without_a_crash=True,
    ),
    Bug(
        "tax of shipping not charged",
        replaced(tax, "_with_tax", leave_shipping_untaxed),
        check=own_checks.the_lines_of_an_order_add_up_to_it,
    ),
    Bug(
        "call-backs applied by arrival",
        replaced(Payment, "fail", fail_in_any_state),
        check=own_checks.a_late_call_back_has_no_effect,
    ),
    Bug(
        "unsigned call-backs accepted",
        replaced(signatures, "check", lambda *args: None),
        check=own_checks.a_call_back_without_a_signature_is_refused,
    ),
    Bug(
        "owner filter missing",
        replaced(order_views.OrderView, "get_queryset", lambda self: Order.objects.all()),
        check=own_checks.only_its_buyer_sees_an_order,
    ),
    Bug(
        "amount of a charge not compared",
        replaced(payment_commands, "contradiction", lambda row, booked: ""),
        check=money_checks.a_charge_of_another_amount_pays_nothing,
    ),
    Bug(
        "order with a transfer cancelled at its deadline",
        replaced(Order, "ask_for_payment", Order.expire),
        (FLOWS["find_a_transfer"],),
        True,
    ),
    Bug(
        "deadline of cards used for a transfer",
        replaced(Order, "await_payment_until", keep_the_deadline),
        (FLOWS["settle_a_transfer"],),
        True,
    ),
    Bug(
        "payment of a cancelled order not cancelled",
        replaced(waiting_payments, "_request_cancellation", lambda order: None),
        (FLOWS["cancel_a_transfer"],),
        True,
    ),
    Bug(
        "key of a payment without its story",
        replaced(payment_models, "key_at_the_provider", lambda id, story: id),
        check=money_checks.a_forgotten_charge_pays_nothing,
    ),
    Bug(
        "deadline ignores money on its way",
        replaced(queries, "on_the_way", lambda context: Q(pk__in=[])),
        check=money_checks.an_order_whose_money_is_on_its_way_is_not_cancelled,
    ),
    Bug(
        "old key repeated at Stripe",
        replaced(stripe_requests, "GOOD_FOR", timedelta(days=9)),
        check=provider_checks.a_refund_is_issued_once_however_late_it_is_asked_for_again,
    ),
    Bug(
        "cancelled payment charged at Stripe",
        replaced(stripe_requests, "is_cancelled", lambda row: False),
        check=provider_checks.nothing_is_charged_under_a_cancelled_key,
    ),
    Bug(
        "intent confirmed before its id is committed",
        replaced(stripe_requests, "make", confirm_before_the_id_is_known),
        check=provider_checks.an_intent_is_known_before_it_is_confirmed,
    ),
    Bug(
        "authorization refunded",
        replaced(courses, "moved_of", count_no_captures),
        check=provider_checks.a_refund_of_an_authorization_needs_its_capture,
    ),
    Bug(
        "disputed money refunded",
        replaced(courses, "moved_of", count_no_disputes),
        check=provider_checks.disputed_money_is_not_refunded,
    ),
    Bug(
        "transfer not cancelled at its deadline",
        replaced(courses, "cancel", lambda entry: None),
        check=provider_checks.a_cancelled_transfer_takes_no_money_by_itself,
    ),
    Bug(
        "429 of the provider known to one worker only",
        replaced(outcomes, "note_wait", lambda name, until: None),
        check=provider_checks.no_worker_calls_who_asked_to_wait,
    ),
    Bug(
        "token of a form not used up",
        replaced(Question, "use_token", lambda self: True),
        check=money_checks.a_form_that_is_sent_twice_acts_once,
    ),
    Bug("price from the client", take_the_clients_price, check=own_checks.a_price_from_the_client_is_refused),
    Bug(
        "unknown fields accepted",
        replaced(Input, "to_internal_value", Serializer.to_internal_value),
        check=own_checks.unknown_fields_are_refused,
    ),
    Bug(
        "claimed delivery never swept",
        replaced(tasks, "due_delivery_queues", due_and_never_claimed),
        check=own_checks.deliveries_of_a_dead_worker_are_swept,
    ),
    Bug(
        "attempts of dead workers not counted",
        replaced(deliver, "claim", count_no_attempt),
        check=own_checks.a_delivery_that_kills_its_workers_becomes_a_dead_letter,
    ),
    Bug("passed lease not noticed", ignore_leases, check=own_checks.a_claim_whose_lease_passed_has_no_effect),
    Bug(
        "poison message blocks others",
        fail_batches_as_a_whole,
        check=own_checks.a_poison_message_does_not_block_others,
    ),
    Bug(
        "fencing token not compared",
        replaced(outcomes, "claimed", claimed_by_anyone),
        check=own_checks.a_failure_of_an_outdated_claim_changes_nothing,
    ),
    Bug(
        "paused consumer goes on",
        replaced(deliver, "PAUSED", None),
        check=own_checks.a_paused_consumer_handles_nothing,
    ),
    Bug(
        "parking uses up an attempt",
        replaced(parking, "RESCHEDULED", [name for name in outcomes.RESCHEDULED if name != "attempts"]),
        check=own_checks.a_parked_delivery_uses_up_no_attempt,
    ),
    Bug(
        "one build for all versions of the code",
        replaced(ReadModel, "code", "the same"),
        check=own_checks.old_code_does_not_catch_up_what_new_code_shows,
    ),
]


def hunt(bug: Bug, fresh: Fresh, seed: int = 1, most: int = 250) -> str | None:
    """Look for a planted bug; returns how it showed, or None if nothing caught it.

    Args:
        fresh: the database that is restored before each try.
        seed: for the order of the points.
        most: how many points of a flow are tried.
    """
    if bug.check:
        return _ask(bug.check, bug, fresh)
    for flow in bug.flows:
        with bug.plant():
            fresh.restore()
            _, counts = run_in_child(partial(flow.run, World("hunt")), None)
            todo: list[Any] = list(points(counts))
            random.Random(seed).shuffle(todo)
            todo.sort(key=lambda point: "commit" not in point.when)  # commits are few, and most bugs show there
            for point in [None] if bug.seen_without_a_crash else todo[:most]:
                fresh.restore()
                if point:
                    run_in_child(partial(flow.run, World("hunt")), point)
                found = _violations(flow)
                if found:
                    return f"{f'{point.when} {point.n}: ' if point else ''}{found[0][:150]}"
    return None


def _ask(check: Callable[[], str | None], bug: Bug, fresh: Fresh) -> str | None:
    """What a check finds with the bug; exits if it finds something without the bug."""
    fresh.restore()
    if (false_alarm := check()) is not None:
        raise SystemExit(f"{check.__name__} finds something without any bug: {false_alarm}")
    fresh.restore()
    with bug.plant():
        return check()


def _violations(flow: Flow) -> list[str]:
    try:
        return finish(flow, "hunt")
    except Exception as error:
        return [f"could not be finished: {error!r}"]


def hunt_all(part: int = 1, of: int = 1) -> dict[str, Any]:
    """Plant and hunt every bug, or those of one part of so many; returns the report."""
    planted = BUGS[part - 1 :: of]
    here = [bug for bug in planted if connection.vendor == "postgresql" or not bug.needs_postgresql]
    fresh = Fresh(open_shop)
    shown = {bug.name: hunt(bug, fresh) for bug in here}
    fresh.remove()
    missed = [name for name, how in shown.items() if how is None]
    return {
        "planted": len(here),
        "caught": len(here) - len(missed),
        "needs PostgreSQL": [bug.name for bug in planted if bug not in here],
        "shown": shown,
        "violations": missed,
    }
