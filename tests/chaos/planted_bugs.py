"""The harness is itself tested: each bug planted here must be caught by some check, or the harness proves nothing.

A bug is a patch that undoes one thing the code does right. It is looked for where it should show: by killing flows at
points until one of them ends wrongly, by walking them with deliveries doubled and shuffled, or by a check of its own.
"""

import random
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from unittest import mock
from uuid import uuid4

from django.db import transaction

from billing import commands as billing
from billing import events as payment_events
from billing.models import Invoice, Payment
from fulfillment.models import Shipment
from integration.domain import unit_of_work as uow
from integration.domain.aggregate import Aggregate
from integration.domain.history import HistoryEntry
from integration.domain.unit_of_work import UnitOfWork
from integration.messaging import deliver
from integration.messaging.models import Delivery
from integration.rest import idempotency
from inventory import commands as inventory
from inventory import events as stock_events
from inventory.models import Reservation, StockItem
from ordering import commands as ordering
from ordering.models import Order
from tests.chaos import flows
from tests.chaos.crash_matrix import finish, points, run_in_child
from tests.chaos.databases import Fresh

Patch = Callable[[], AbstractContextManager[Any]]


@dataclass(frozen=True)
class Bug:
    """A mistake, as a patch, and the flows in which it must show."""

    name: str
    plant: Patch
    flows: tuple[Callable[[flows.World], None], ...]
    seen_without_a_crash: bool = field(default=False)


def replaced(target: Any, name: str, by: Any) -> Patch:
    """A patch of one attribute."""
    return partial(mock.patch.object, target, name, by)


# --- What each bug does wrong ---


def publish_after_the_commit(self: UnitOfWork, store: Callable[[list[Any]], None], item: Any) -> None:
    """The outbox that is written when it is too late to be part of the transaction."""
    transaction.on_commit(partial(store, [item]))


def claim_as_done(lane: Any, limit: int) -> Any:
    """Acknowledge first, handle later: at most once."""
    claims = _claim(lane, limit)
    Delivery.objects.filter(pk__in=[claim.id for claim in claims]).update(due_at="2999-01-01T00:00:00Z")
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
    with mock.patch.object(idempotency, "_keep", lambda *args: transaction.on_commit(partial(keep, *args))):
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


def issue_no_refund(id: Any) -> None:
    """The refund is written down and never asked of the provider."""
    billing.settle_refund(id, f"re_{id}")


def call_nothing_off(self: Invoice, reason: str) -> None:
    """The order is cancelled, its invoice stays as it is."""


def confirm_unpaid(number: Any) -> None:
    """Confirm as soon as the goods are there."""
    with uow.unit_of_work() as work:
        order = work.get(Order, number)
        order.reserve_goods()
        order.status = "confirmed"


def stop_nothing(self: Shipment, reason: str) -> None:
    """Whatever fulfillment answers, the shipment goes on."""


def keep_no_history(self: UnitOfWork) -> None:
    """The rows are written, what happened is not."""


def tell_it_differently(cls: type[HistoryEntry], recorded: Any) -> HistoryEntry:
    """History tells it a little differently."""
    entry = _history_of(cls, recorded)
    entry.data = {**entry.data, "quantity": 1} if "quantity" in entry.data else entry.data
    return entry


def price_of_the_client(lines: Any, method: Any) -> Any:
    """A discount nobody granted."""
    return [line.__class__(line.sku, line.name, line.quantity, line.unit_price * 2) for line in _priced(lines, method)]


def write_no_lines(self: Aggregate) -> list[Any]:
    """Parts that were changed are not saved."""
    return []


def pay_twice(self: Payment, reference: str) -> None:
    """A success heard twice counts twice, whatever the table says."""
    self.record(payment_events.PaymentSucceeded(self.id, self.invoice_id, self.order, self.amount, reference))


_claim = deliver.claim
_priced = ordering._priced
_history_of = HistoryEntry.__dict__["of"].__func__


@contextmanager
def done_in_a_transaction_of_its_own() -> Iterator[None]:
    """Handled and committed, and only then marked done, by a consumer that counts on being called once."""
    mark = deliver._mark_done

    def mark_later(deliveries: Any) -> None:
        transaction.on_commit(partial(mark, deliveries))

    with ExitStack() as stack:
        stack.enter_context(mock.patch.object(deliver, "_mark_done", mark_later))
        stack.enter_context(mock.patch.object(inventory, "reserve_stock", reserve_without_looking))
        yield


ALL_THE_WAY = (flows.place_and_pay,)

BUGS = [
    Bug("publish only after the commit", replaced(UnitOfWork, "defer", publish_after_the_commit), ALL_THE_WAY),
    Bug("acknowledge before handling", replaced(deliver, "claim", claim_as_done), ALL_THE_WAY),
    Bug("done-mark in another transaction", done_in_a_transaction_of_its_own, ALL_THE_WAY),
    Bug(
        "swallow a handler's error",
        replaced(deliver, "_record_failure", swallow_errors),
        (flows.lose_the_outcome,),
        True,
    ),
    Bug(
        "new provider key on each attempt", replaced(billing, "_ask_for_money", ask_under_a_new_key), ALL_THE_WAY, True
    ),
    Bug("idempotency key not kept", replaced(idempotency, "_keep", forget_the_key), ALL_THE_WAY),
    Bug("idempotency key kept after the commit", keep_the_key_outside_the_transaction, ALL_THE_WAY),
    Bug("oversell", replaced(inventory, "reserve_stock", reserve_without_looking), (flows.run_out_of_stock,), True),
    Bug(
        "released stock not freed",
        replaced(inventory, "release_reservation", release_nothing),
        (flows.have_the_card_declined,),
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
        (flows.cancel_after_payment,),
        True,
    ),
    Bug(
        "cancelled order not refunded",
        replaced(Invoice, "be_called_off", call_nothing_off),
        (flows.cancel_after_payment,),
        True,
    ),
    Bug(
        "confirmed without its money",
        replaced(ordering, "await_payment", confirm_unpaid),
        (flows.have_the_card_declined,),
        True,
    ),
    Bug(
        "cancellation not answered", replaced(Shipment, "be_stopped", stop_nothing), (flows.cancel_after_payment,), True
    ),
    Bug("history not kept", replaced(UnitOfWork, "_write_history", keep_no_history), ALL_THE_WAY, True),
    Bug(
        "history tells it differently",
        replaced(HistoryEntry, "of", classmethod(tell_it_differently)),
        ALL_THE_WAY,
        True,
    ),
    Bug("changed parts not saved", replaced(Aggregate, "touched_parts", property(write_no_lines)), ALL_THE_WAY, True),
    Bug(
        "call-back and answer both counted",
        replaced(Payment, "succeed", pay_twice),
        (flows.hear_the_call_back_first,),
        True,
    ),
    Bug("deadline not kept", replaced(Order, "miss_its_deadline", lambda self: None), (flows.miss_the_deadline,), True),
]


def hunt(bug: Bug, fresh: Any, seed: int = 1, most: int = 250) -> str | None:
    """Look for a planted bug; returns how it showed, or None if it was not caught."""
    for flow in bug.flows:
        with bug.plant():
            fresh.restore()
            _, counts = run_in_child(flow, "hunt", None)
            todo: list[Any] = list(points(counts))
            random.Random(seed).shuffle(todo)
            for point in [None] if bug.seen_without_a_crash else todo[:most]:
                fresh.restore()
                if point:
                    run_in_child(flow, "hunt", point)
                found = _end_of(finish, flow)
                if found:
                    return f"{f'{point.when} {point.n}: ' if point else ''}{found[0][:150]}"
    return None


def _end_of(finish: Any, flow: Any) -> list[str]:
    try:
        return finish(flow, "hunt", flows.FLOWS[flow])
    except Exception as error:
        return [f"could not be finished: {error!r}"]


def hunt_all() -> dict[str, Any]:
    """Plant every bug, look for it, and report how it showed."""
    fresh = Fresh(flows.open_shop)
    shown = {bug.name: hunt(bug, fresh) for bug in BUGS}
    fresh.remove()
    missed = [name for name, how in shown.items() if how is None]
    return {"planted": len(BUGS), "caught": len(BUGS) - len(missed), "shown": shown, "violations": missed}
