"""The harness is itself tested: each bug planted here must be caught by some check, or the harness proves nothing.

A bug is a patch that undoes one thing the code does right. It is looked for where it should show: by killing flows at
points until one of them ends wrongly, by walking them with deliveries doubled and shuffled, or by a check of its own.
"""

import random
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any
from unittest import mock
from uuid import uuid4

from django.db import connection, transaction
from django.db.models import F, QuerySet
from django.test import override_settings
from msgspec.structs import replace
from rest_framework.serializers import Serializer

from billing import commands as billing
from billing import events as payment_events
from billing.gateways import signatures
from billing.models import Invoice, Payment
from fulfillment.models import Shipment
from integration.aggregates import unit_of_work as uow
from integration.aggregates.aggregate import Aggregate
from integration.aggregates.unit_of_work import UnitOfWork
from integration.domain import clock
from integration.domain.money import Money
from integration.messaging import claim, deliver, external, outcomes, tasks
from integration.messaging.consumers import consumers
from integration.messaging.models import Delivery, Message
from integration.messaging.wakeups import DeliveryQueue
from integration.rest import idempotency
from integration.rest.fields import Input
from integration.storage import reading, writing
from inventory import commands as inventory
from inventory import events as stock_events
from inventory.models import Reservation, StockItem
from ordering import commands as ordering
from ordering.api import orders as order_views
from ordering.commands import orders as order_commands
from ordering.models import Order
from tests.chaos import own_checks
from tests.chaos.crash_matrix import finish, points, run_in_child
from tests.chaos.databases import Fresh
from tests.chaos.flows import FLOWS, Flow, World, open_shop

Patch = Callable[[], AbstractContextManager[Any]]


@dataclass(frozen=True)
class Bug:
    """A mistake, as a patch, and where it must show: in one of these flows, or by a check of its own."""

    name: str
    plant: Patch
    flows: tuple[Flow, ...] = ()
    seen_without_a_crash: bool = False
    check: Callable[[], str | None] | None = None
    needs_postgresql: bool = False


def replaced(target: Any, name: str, by: Any) -> Patch:
    """A patch of one attribute."""
    return partial(mock.patch.object, target, name, by)


# --- What each bug does wrong ---


def publish_after_the_commit(self: UnitOfWork, to: writing.Write, given: Any) -> None:
    """The outbox that is written when it is too late to be part of the transaction."""
    if to.model in {Message, Delivery}:
        transaction.on_commit(partial(writing.write, {to: list(given)}))
    else:
        _write(self, to, given)


def claim_as_done(delivery_queue: Any, limit: int) -> Any:
    """Acknowledge first, handle later: at most once."""
    claims = _claim(delivery_queue, limit)
    Delivery.objects.filter(pk__in=[each.id for each in claims]).update(due_at="2999-01-01T00:00:00Z")
    return claims


def swallow_errors(failed: Any, error: Exception) -> None:
    """Whatever went wrong, call it done."""
    Delivery.objects.filter(pk=failed.id).update(status="done", done_at="2026-01-01T00:00:00Z")


def ask_under_a_new_key(payment: Payment) -> Any:
    """Each attempt is a new wish to the provider."""
    method, amount = payment.method, payment.amount
    return billing.provider().charge(f"{payment.id}-{uuid4()}", method, amount)  # type: ignore[arg-type]


def forget_the_key(*args: Any) -> None:
    """The answer is not kept under its key."""


@contextmanager
def keep_the_key_outside_the_transaction() -> Iterator[None]:
    """The answer is kept when the order is committed already: between the two, a crash makes a second order."""
    keep = idempotency._keep

    def keep_later(*args: Any) -> None:
        with uow.unit_of_work():
            keep(*args)

    with mock.patch.object(idempotency, "_keep", lambda *args: transaction.on_commit(partial(keep_later, *args))):
        yield


def reserve_without_looking(order: Any, lines: Any) -> None:
    """Reserve again whenever the message comes again, and whatever there is."""
    with uow.unit_of_work() as work:
        stock = work.get_many(StockItem, [line.sku for line in lines])
        if work.find(Reservation, order) is None:
            work.add(Reservation.hold(order, lines))
        for line in lines:
            if line.sku in stock:
                stock[line.sku].record(stock_events.StockSetAside(order, line.quantity))


def release_nothing(order: Any, reason: str) -> None:
    """The reservation is let go of, its stock is not."""
    with uow.unit_of_work() as work:
        work.get(Reservation, order).release(reason)


def ship_off_no_shelf(order: Any, shipment: Any) -> None:
    """The goods leave, the shelf does not notice."""
    with uow.unit_of_work() as work:
        work.get(Reservation, order).ship(shipment)


def issue_no_refund(refund: Any) -> Callable[[], None]:
    """The refund is written down and never asked of the provider."""
    return partial(billing.settle_refund, refund.id, f"re_{refund.id}")


def call_nothing_off(self: Invoice, reason: str) -> None:
    """The order is cancelled, its invoice stays as it is."""


def confirm_unpaid(number: Any) -> None:
    """Confirm as soon as the goods are there."""
    with uow.unit_of_work() as work:
        order = work.get(Order, number)
        order.await_payment()
        order.status = "confirmed"


def stop_nothing(self: Shipment, reason: str) -> None:
    """Whatever fulfillment answers, the shipment goes on."""


def keep_no_history(self: UnitOfWork) -> None:
    """The rows are written, what happened is not."""


def tell_it_differently(recorded: Any) -> Any:
    """History tells it a little differently."""
    entry, personal = _entry_of(recorded)
    data = {**entry["data"], "quantity": 1} if "quantity" in entry["data"] else entry["data"]
    return {**entry, "data": data}, personal


def write_no_lines(self: Aggregate) -> list[Any]:
    """Parts that were changed are not saved."""
    return []


def pay_twice(self: Payment, reference: str) -> None:
    """A success heard twice counts twice, whatever the table says."""
    self.record(payment_events.PaymentSucceeded(self.id, self.invoice_id, self.order, self.amount, reference))


def lock_nothing(model: Any, attribute: str, values: Any, locked: bool = False) -> Any:
    """Read what others are writing."""
    return reading.read(model, attribute, values)


def lock_in_any_order(self: UnitOfWork, model: Any, keys: Any) -> Any:
    """One row after the other, in the order chance has it."""
    found: dict[str, Any] = {}
    for key in random.sample(list(keys), len(keys)):
        found |= _get_many(self, model, [key])
    return {key: found[key] for key in keys if key in found}


def refund_without_the_lock(number: Any, amount: Any, reason: str) -> None:
    """Look first, and lock later."""
    with uow.unit_of_work() as work:
        invoice = Invoice.objects.get(pk=number)
        work.add(invoice)
        invoice.refund_in_part(amount, reason)


def refund_under_a_new_key(refund: Any) -> Callable[[], None]:
    """Each attempt to give money back is a new wish to the provider."""
    key = f"{refund.id}-{uuid4()}"
    reference = billing.provider().refund(key, refund.payment.reference, refund.amount)
    return partial(billing.settle_refund, refund.id, reference)


def fail_in_any_state(self: Payment, reason: str) -> None:
    """What is heard last is true."""
    self.record(payment_events.PaymentFailed(self.id, self.order, reason))


def count_no_attempt(delivery_queue: Any, limit: int) -> Any:
    """An attempt counts when it has failed, so one that ends with its worker does not."""
    claims = _claim(delivery_queue, limit)
    Delivery.objects.filter(pk__in=[each.id for each in claims]).update(attempts=F("attempts") - 1)
    return [each._replace(attempt=each.attempt - 1) for each in claims]


@contextmanager
def keep_a_claim_for_ever() -> Iterator[None]:
    """Whoever has claimed goes on, however long ago that was."""

    def claimed(claims: Any) -> QuerySet[Delivery]:
        return Delivery.objects.filter(pk__in=[c.id for c in claims]).select_related("message").order_by("pk")

    def take(claims: Any, locked: bool = False) -> list[Delivery]:
        found = claimed(claims)
        return list(found.select_for_update(of=("self",), skip_locked=True) if locked else found)

    def mark(deliveries: Any) -> None:
        done = Delivery.objects.filter(pk__in=[delivery.pk for delivery in deliveries])
        done.update(status="done", done_at=clock.now())

    with (
        mock.patch.multiple(deliver, take=take, mark_done=mark),
        mock.patch.multiple(external, take=take, mark_done=mark),
        mock.patch.object(outcomes, "claimed", claimed),
    ):
        yield


def due_and_never_claimed() -> Any:
    """Look only for what nobody has tried yet."""
    due = Delivery.objects.filter(status="pending", attempts=0, due_at__lte=clock.now())
    return [DeliveryQueue(*row) for row in due.order_by().values_list("context", "external").distinct()]


@contextmanager
def give_batches_up_as_a_whole() -> Iterator[None]:
    """When one of a batch fails, the batch has failed, again, and is given up."""

    def fail_together(name: str, claims: Any, early: Any) -> Any:
        try:
            deliver._handle_together(consumers.get(name), claims, early)
        except Exception as error:
            for each in claims:
                outcomes.record_failure(each, error)
        return []

    # Two attempts, both with all neighbours: at the third, each would be alone.
    with (
        override_settings(DELIVERY_MAX_ATTEMPTS=2),
        mock.patch.object(deliver, "_attempt", fail_together),
        mock.patch.object(claim, "SECOND_BATCH", claim.BATCH),
    ):
        yield


@contextmanager
def take_the_clients_price() -> Iterator[None]:
    """If the client says what it costs, that is what it costs."""
    said: dict[str, Any] = {}
    valid, priced = order_views.Orders.valid, order_commands._priced

    def listen(self: Any, request: Any) -> Any:
        for line in request.data["lines"]:
            if price := line.pop("unit_price", None):
                said[line["sku"]] = Money(**price)
        return valid(self, request)

    def believe(*what: Any) -> Any:
        return [replace(line, unit_price=said.get(line.sku, line.unit_price)) for line in priced(*what)]

    with mock.patch.object(order_views.Orders, "valid", listen), mock.patch.object(order_commands, "_priced", believe):
        yield


_claim = claim.claim
_get_many = UnitOfWork.get_many
_write = UnitOfWork.write
_entry_of = uow.entry_of


@contextmanager
def done_in_a_transaction_of_its_own() -> Iterator[None]:
    """Handled and committed, and only then marked done, by a consumer that counts on being called once."""
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
        "new provider key on each attempt", replaced(billing, "_ask_for_money", ask_under_a_new_key), ALL_THE_WAY, True
    ),
    Bug("idempotency key not kept", replaced(idempotency, "_keep", forget_the_key), ALL_THE_WAY),
    Bug("idempotency key kept after the commit", keep_the_key_outside_the_transaction, ALL_THE_WAY),
    Bug("oversell", replaced(inventory, "reserve_stock", reserve_without_looking), (FLOWS["run_out_of_stock"],), True),
    Bug(
        "released stock not freed",
        replaced(inventory, "release_reservation", release_nothing),
        (FLOWS["have_the_card_declined"],),
        True,
    ),
    Bug(
        "shipped stock still on the shelf",
        replaced(inventory, "ship_reservation", ship_off_no_shelf),
        ALL_THE_WAY,
        True,
    ),
    Bug(
        "refund never asked of the provider",
        replaced(billing, "issue_refund", issue_no_refund),
        (FLOWS["cancel_after_payment"],),
        True,
    ),
    Bug(
        "cancelled order not refunded",
        replaced(Invoice, "void", call_nothing_off),
        (FLOWS["cancel_after_payment"],),
        True,
    ),
    Bug(
        "confirmed without its money",
        replaced(ordering, "await_payment", confirm_unpaid),
        (FLOWS["have_the_card_declined"],),
        True,
    ),
    Bug("cancellation not answered", replaced(Shipment, "stop", stop_nothing), (FLOWS["cancel_after_payment"],), True),
    Bug("history not kept", replaced(UnitOfWork, "_add_history", keep_no_history), ALL_THE_WAY, True),
    Bug(
        "history tells it differently",
        replaced(uow, "entry_of", tell_it_differently),
        ALL_THE_WAY,
        True,
    ),
    Bug("changed parts not saved", replaced(Aggregate, "touched_parts", property(write_no_lines)), ALL_THE_WAY, True),
    Bug(
        "call-back and answer both counted",
        replaced(Payment, "succeed", pay_twice),
        (FLOWS["hear_the_call_back_first"],),
        True,
    ),
    Bug("deadline not kept", replaced(Order, "expire", lambda self: None), (FLOWS["miss_the_deadline"],), True),
    Bug(
        "new provider key on each refund",
        replaced(billing, "issue_refund", refund_under_a_new_key),
        (FLOWS["refund_in_part"],),
        True,
    ),
    Bug(
        "refund in part not noted",
        replaced(ordering, "record_refund", lambda *args: None),
        (FLOWS["refund_in_part"],),
        True,
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
        check=own_checks.orders_for_the_same_goods_never_wait_for_each_other,
        needs_postgresql=True,
    ),
    Bug(
        "refund sum checked without the lock",
        replaced(billing, "refund_in_part", refund_without_the_lock),
        check=own_checks.of_refunds_at_once_one_is_given,
        needs_postgresql=True,
    ),
    Bug(
        "call-backs applied by arrival",
        replaced(Payment, "fail", fail_in_any_state),
        check=own_checks.a_late_call_back_changes_nothing,
    ),
    Bug(
        "unsigned call-backs accepted",
        replaced(signatures, "check", lambda *args: None),
        check=own_checks.a_call_back_without_a_signature_is_refused,
    ),
    Bug(
        "owner filter missing",
        replaced(order_views.OrderView, "get_queryset", lambda self: Order.objects.all()),
        check=own_checks.an_order_is_its_buyers_alone,
    ),
    Bug("price from the client", take_the_clients_price, check=own_checks.prices_are_the_shops),
    Bug(
        "unknown fields accepted",
        replaced(Input, "to_internal_value", Serializer.to_internal_value),
        check=own_checks.fields_nobody_asked_for_are_refused,
    ),
    Bug(
        "claimed delivery never swept",
        replaced(tasks, "due_delivery_queues", due_and_never_claimed),
        check=own_checks.what_a_dead_worker_held_is_swept,
    ),
    Bug(
        "attempts of dead workers not counted",
        replaced(deliver, "claim", count_no_attempt),
        check=own_checks.a_delivery_that_kills_its_workers_is_given_up,
    ),
    Bug("lost claim not noticed", keep_a_claim_for_ever, check=own_checks.a_claim_that_was_lost_takes_no_effect),
    Bug(
        "poison message holds up its neighbours",
        give_batches_up_as_a_whole,
        check=own_checks.a_poison_message_holds_nobody_up,
    ),
]


def hunt(bug: Bug, fresh: Fresh, seed: int = 1, most: int = 250) -> str | None:
    """Look for a planted bug; returns how it showed, or None if it was not caught."""
    if bug.check:
        return _ask(bug.check, bug, fresh)
    for flow in bug.flows:
        with bug.plant():
            fresh.restore()
            _, counts = run_in_child(partial(flow.run, World("hunt")), None)
            todo: list[Any] = list(points(counts))
            random.Random(seed).shuffle(todo)
            todo.sort(
                key=lambda point: "commit" not in point.when
            )  # they are few, and most of what goes wrong is there
            for point in [None] if bug.seen_without_a_crash else todo[:most]:
                fresh.restore()
                if point:
                    run_in_child(partial(flow.run, World("hunt")), point)
                found = _violations(flow)
                if found:
                    return f"{f'{point.when} {point.n}: ' if point else ''}{found[0][:150]}"
    return None


def _ask(check: Callable[[], str | None], bug: Bug, fresh: Fresh) -> str | None:
    """What a check shows with the bug, if it shows nothing without."""
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
    """Plant every bug, or those of one part of so many, look for it, and report how it showed."""
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
