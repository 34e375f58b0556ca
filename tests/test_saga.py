"""Whole sagas: every order reaches its correct end, in whatever order messages between contexts are handled.

After each saga the records of all contexts and of the payment provider must agree.
"""

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from random import Random

import hypothesis
import pytest
from django.conf import settings
from django.db.models import F

from billing.gateways import Charged, Declined, Refunded, provider
from billing.models import Invoice, Payment, Refund
from fulfillment.commands import deliver_shipment, dispatch_shipment, next_shipment, shipment_of
from fulfillment.models import Shipment, ShipmentLine
from integration.domain import clock
from integration.domain.identifiers import OrderNumber, Sku
from integration.domain.money import Money
from integration.domain.states import NotAllowed
from integration.history.story import story
from integration.invariants import invariants
from integration.messaging import deliver
from integration.messaging import routines as schedule
from integration.messaging.claim import LEASE, Claim
from integration.messaging.consumers import consumers_of
from integration.messaging.deliver import deliver_due
from integration.messaging.models import Delivery, Message, Status
from integration.messaging.wakeups import DeliveryQueue
from inventory.models import History, Reservation, StockItem
from ordering.commands import cancel_order
from ordering.models import CONFIRMED_STATES, CancellationReason, Order, OrderLine
from ordering.queries import orders_of

pytestmark = pytest.mark.django_db

Place = Callable[..., OrderNumber]

SHUFFLES = 20 if hypothesis.settings.get_current_profile_name() == "chaos" else 3
"""How many shuffled sequences each saga is tried in, in addition to the sequence of publication."""

NOTHING = Money.zero("USD")
OWED = CONFIRMED_STATES


# --- Delivering messages ---


class Courier:
    """Delivers messages between the contexts; for deliveries that are not due yet it moves the clock.

    In order, it handles all due deliveries of the queue that has the oldest. Shuffled, it handles one random delivery.
    """

    def __init__(self, random: Random | None, later: Callable[[timedelta], None]) -> None:
        self.random = random
        self.later = later
        self.chosen: Delivery | None = None

    def deliver_all(self) -> None:
        """Handle all deliveries, including retries."""
        for _ in range(2_000):
            pending = Delivery.objects.filter(status=Status.PENDING)
            if not pending.exists():
                return
            if not self.deliver_one():
                self.later(timedelta(seconds=1))
        raise AssertionError(f"still pending: {list(pending.values_list('consumer', 'attempts', 'error'))}")

    def deliver_some(self, number: int) -> None:
        """Handle up to `number` due deliveries."""
        for _ in range(number):
            self.deliver_one()

    def deliver_one(self) -> bool:
        """Handle a due delivery; returns whether there was one."""
        due = list(Delivery.objects.filter(status=Status.PENDING, due_at__lte=clock.now()).order_by("id"))
        if due:
            self.chosen = self.random.choice(due) if self.random else due[0]
            deliver_due(DeliveryQueue(self.chosen.context, self.chosen.external))
        return bool(due)

    def claim_chosen(self, delivery_queue: DeliveryQueue, limit: int, newest_first: bool = False) -> list[Claim]:
        """Claim the chosen delivery instead of the oldest ones of its delivery queue."""
        if self.chosen is None:
            return []
        chosen, self.chosen = self.chosen, None
        Delivery.objects.filter(pk=chosen.pk).update(attempts=F("attempts") + 1, due_at=clock.now() + LEASE)
        return [Claim(chosen.pk, chosen.consumer, chosen.attempts + 1, chosen.fencing_token)]


@pytest.fixture(params=[None, *range(SHUFFLES)], ids=lambda seed: "in order" if seed is None else f"shuffled {seed}")
def courier(
    request: pytest.FixtureRequest, later: Callable[[timedelta], None], monkeypatch: pytest.MonkeyPatch
) -> Courier:
    if request.param is None:
        return Courier(None, later)
    courier = Courier(Random(request.param), later)
    monkeypatch.setattr(deliver, "claim", courier.claim_chosen)
    return courier


# --- Rules that hold afterwards ---


def _providers_books() -> dict[str, tuple[object, Money]]:
    """The outcomes and amounts in the payment provider's books, by idempotency key."""
    books = provider().books(datetime(2020, 1, 1, tzinfo=UTC))
    return {booked.key: (booked.outcome, booked.amount) for booked in books}


def check_stock() -> None:
    """On hand equals received ± adjusted − shipped, reserved equals what orders hold, and nothing is oversold."""
    moved: Counter[str] = Counter()
    sign = {"inventory.stock_received": 1, "inventory.stock_adjusted": 1, "inventory.stock_shipped": -1}
    for entry in History.objects.filter(name__in=sign):
        moved[entry.stream_id] += sign[entry.name] * entry.data.get("quantity", entry.data.get("delta"))
    held: Counter[str] = Counter()
    for reservation in Reservation.objects.filter(status__in=["held", "committed"]):
        held.update({line.sku: line.quantity for line in reservation.open_lines})
    for item in StockItem.objects.all():
        assert item.on_hand == moved[item.sku]
        assert item.reserved == held[item.sku]
        assert 0 <= item.reserved <= item.on_hand


def check_money() -> None:
    """Paid less refunded is what orders owe, and the provider's books equal ours."""
    for order in Order.objects.all():
        invoice = Invoice.objects.get(order=order.number)
        assert invoice.total == order.total
        assert (invoice.paid, invoice.refunded) == (order.paid, order.refunded)
        assert invoice.refund_owed == invoice.refunded <= invoice.paid
        assert invoice.paid - invoice.refunded == (order.total - invoice.granted if order.status in OWED else NOTHING)
        assert invoice.payments.filter(status="succeeded").count() == (1 if invoice.paid else 0)
    succeeded, failed = (Payment.objects.filter(status=status) for status in ("succeeded", "failed"))
    ours = {row.idempotency_key: (Charged(row.reference), row.amount) for row in succeeded}
    ours |= {row.idempotency_key: (Declined(row.failure), row.amount) for row in failed}
    issued = Refund.objects.filter(status="issued")
    ours |= {row.idempotency_key: (Refunded(row.reference), row.amount) for row in issued}
    assert _providers_books() == ours


def check_orders() -> None:
    """Every order has ended or waits for an operator with a shipment; none is confirmed without stock and payment."""
    for order in Order.objects.all():
        reservation = Reservation.objects.get(pk=order.number)
        shipments = set(Shipment.objects.filter(order=order.number).values_list("status", flat=True))
        at_rest = {
            "confirmed": ("committed", [{"arranged"}]),
            "partly_shipped": ("committed", [{"arranged", "dispatched"}, {"arranged", "delivered"}]),
            "shipped": ("shipped", [{"dispatched"}, {"dispatched", "delivered"}, {"dispatched", "cancelled"}]),
            "delivered": ("shipped", [{"delivered"}, {"delivered", "cancelled"}]),
        }
        if order.status == "cancelled":
            assert reservation.status in ("released", "expired", "refused")
            assert shipments <= {"cancelled"}
        else:
            state, some = at_rest[order.status]
            assert reservation.status == state
            assert shipments in some
        assert order.total == order.subtotal - order.discount
        left: Counter[str] = Counter()
        for line in ShipmentLine.objects.filter(
            shipment__order=order.number, shipment__status__in=["dispatched", "delivered"]
        ):
            left[line.sku] += line.quantity
        assert all(line.shipped == left[line.sku] for line in OrderLine.objects.filter(order=order))


def check_messages() -> None:
    """Every message was delivered once to each of its consumers; no delivery is pending or dead."""
    assert not Delivery.objects.exclude(status=Status.DONE).exists()
    for message in Message.objects.prefetch_related("deliveries"):
        listening = [consumer.name for consumer in consumers_of(type(message.event))]
        assert sorted(delivery.consumer for delivery in message.deliveries.all()) == sorted(listening)


def check_stories() -> None:
    """Each order's story begins with its placing, and every entry of the system has a cause in the same story."""
    for order in Order.objects.all():
        entries = story(order.correlation_id)
        assert entries[0].name == "ordering.order_placed"
        ids = {entry.id for entry in entries}
        assert all(entry.causation_id in ids for entry in entries if entry.actor == "system" and entry.causation_id)


@pytest.fixture
def check_all(compare_rows_with_history: Callable[[], set[str]]) -> Callable[[], None]:
    """A function that checks all rules; call it when no delivery is pending."""

    def check() -> None:
        check_messages()
        check_stock()
        check_money()
        check_orders()
        check_stories()
        compare_rows_with_history()
        assert {name: found for name, each in invariants.items() if (found := each.check().offenders)} == {}

    return check


def _end(order: OrderNumber) -> tuple[str, str]:
    found = Order.objects.get(pk=order)
    return found.status, found.cancellation_reason


def _dispatch(order: OrderNumber) -> None:
    dispatch_shipment(shipment_of(order), "DHL", "JD0143")


def _cancel_overdue_orders() -> None:
    schedule.routines.get("ordering.cancel-overdue-orders").run()


# --- Sagas ---


def test_a_good_order_is_confirmed_shipped_and_delivered(
    placed: Place, courier: Courier, check_all: Callable[[], None]
) -> None:
    order = placed()
    courier.deliver_all()
    assert _end(order) == ("confirmed", "")
    check_all()

    _dispatch(order)
    courier.deliver_all()
    assert _end(order) == ("shipped", "")
    check_all()

    deliver_shipment(shipment_of(order))
    courier.deliver_all()
    assert _end(order) == ("delivered", "")
    check_all()
    assert StockItem.objects.get(pk="MUG").on_hand == 98


def test_an_order_in_two_parcels_is_shipped_and_delivered_part_by_part(
    placed: Place, courier: Courier, check_all: Callable[[], None]
) -> None:
    order = placed()
    first = shipment_of(order)
    rest = next_shipment(first)
    courier.deliver_all()

    dispatch_shipment(first, "DHL", "1", [(Sku("MUG"), 1)])
    courier.deliver_all()
    assert _end(order) == ("partly_shipped", "")
    check_all()

    deliver_shipment(first)
    dispatch_shipment(rest, "UPS", "2")
    courier.deliver_all()
    assert _end(order) == ("shipped", "")
    check_all()

    deliver_shipment(rest)
    courier.deliver_all()
    assert _end(order) == ("delivered", "")
    check_all()
    assert [StockItem.objects.get(pk=sku).on_hand for sku in ("MUG", "LAMP")] == [98, 19]


def test_two_parcels_that_left_and_arrived_before_anybody_knew_end_delivered(
    placed: Place, courier: Courier, check_all: Callable[[], None]
) -> None:
    order = placed()
    first = shipment_of(order)
    rest = next_shipment(first)
    courier.deliver_all()

    dispatch_shipment(first, "DHL", "1", [(Sku("LAMP"), 1)])
    dispatch_shipment(rest, "UPS", "2")
    deliver_shipment(rest)
    deliver_shipment(first)
    courier.deliver_all()

    assert _end(order) == ("delivered", "")
    check_all()


def test_a_cancellation_after_the_dispatch_of_a_part_is_refused(
    placed: Place, courier: Courier, check_all: Callable[[], None]
) -> None:
    order = placed()
    courier.deliver_all()
    dispatch_shipment(shipment_of(order), "DHL", "1", [(Sku("MUG"), 1)])
    cancel_order(order, CancellationReason.BY_BUYER)  # ordering has not handled the dispatch yet
    courier.deliver_all()

    assert _end(order) == ("partly_shipped", "")
    assert not Order.objects.get().cancellation_requested
    check_all()


def test_an_order_delivered_before_its_dispatch_is_handled_ends_delivered(
    placed: Place, courier: Courier, check_all: Callable[[], None]
) -> None:
    order = placed()
    courier.deliver_all()

    _dispatch(order)
    deliver_shipment(shipment_of(order))
    courier.deliver_all()

    assert _end(order) == ("delivered", "")
    check_all()


def test_an_order_out_of_stock_is_cancelled_and_not_charged(
    placed: Place, courier: Courier, check_all: Callable[[], None]
) -> None:
    order = placed({"MUG": 1, "RELIC": 1})
    courier.deliver_all()

    assert _end(order) == ("cancelled", "out_of_stock")
    assert _providers_books() == {}
    assert StockItem.objects.get(pk="MUG").reserved == 0
    check_all()


def test_a_declined_card_cancels_the_order_and_releases_its_stock(
    placed: Place, courier: Courier, check_all: Callable[[], None]
) -> None:
    order = placed(method="pm_card_chargeDeclined")
    courier.deliver_all()

    assert _end(order) == ("cancelled", "payment_failed")
    assert StockItem.objects.get(pk="MUG").available == 100
    check_all()


def test_an_order_cancelled_at_once_owes_nothing(
    placed: Place, courier: Courier, check_all: Callable[[], None]
) -> None:
    order = placed()
    cancel_order(order, CancellationReason.BY_BUYER)
    courier.deliver_all()

    assert _end(order) == ("cancelled", "by_buyer")
    assert Invoice.objects.get().paid == Invoice.objects.get().refunded
    check_all()


def test_an_order_cancelled_after_its_payment_is_refunded_and_not_dispatched(
    placed: Place, courier: Courier, check_all: Callable[[], None]
) -> None:
    order = placed()
    courier.deliver_all()
    cancel_order(order, CancellationReason.BY_BUYER, "changed my mind")
    courier.deliver_all()

    assert _end(order) == ("cancelled", "by_buyer")
    assert Invoice.objects.get().refunded == Order.objects.get().total
    assert Shipment.objects.get().status == "cancelled"
    assert StockItem.objects.get(pk="MUG").available == 100
    with pytest.raises(NotAllowed):
        _dispatch(order)
    check_all()


@pytest.mark.parametrize("messages", [1, 3, 5, 8, 12])
def test_an_order_cancelled_at_any_moment_ends_cancelled_and_refunded(
    placed: Place, courier: Courier, check_all: Callable[[], None], messages: int
) -> None:
    order = placed()
    courier.deliver_some(messages)
    cancel_order(order, CancellationReason.BY_BUYER)
    courier.deliver_all()

    assert _end(order) == ("cancelled", "by_buyer")
    assert StockItem.objects.get(pk="MUG").available == 100
    check_all()


def test_a_cancellation_after_the_dispatch_is_refused(
    placed: Place, courier: Courier, check_all: Callable[[], None]
) -> None:
    order = placed()
    courier.deliver_all()
    _dispatch(order)
    cancel_order(order, CancellationReason.BY_BUYER)  # ordering has not handled the dispatch yet
    courier.deliver_all()

    assert _end(order) == ("shipped", "")
    assert not Order.objects.get().cancellation_requested
    with pytest.raises(NotAllowed):
        cancel_order(order, CancellationReason.BY_BUYER)
    check_all()


def test_a_missed_deadline_cancels_the_order_without_a_charge(
    placed: Place,
    courier: Courier,
    check_all: Callable[[], None],
    cut_line: Callable[..., None],
    later: Callable[[timedelta], None],
) -> None:
    order = placed()
    cut_line(*[True] * 50)
    courier.deliver_some(30)
    while not Payment.objects.exists():
        courier.deliver_one() or later(timedelta(seconds=1))
    later(settings.PAYMENT_DEADLINE)
    _cancel_overdue_orders()
    cut_line()
    courier.deliver_all()

    assert _end(order) == ("cancelled", "payment_timeout")
    assert Reservation.objects.get().status == "expired"
    check_all()


def test_a_charge_found_after_the_deadline_is_refunded(
    placed: Place,
    courier: Courier,
    check_all: Callable[[], None],
    cut_line: Callable[..., None],
    later: Callable[[timedelta], None],
) -> None:
    order = placed()
    # The provider takes the money, and its response and all further calls are lost.
    cut_line(False, *[True] * 50)
    while not Payment.objects.filter(status="unknown").exists():
        courier.deliver_one() or later(timedelta(seconds=1))
    later(settings.PAYMENT_DEADLINE)
    _cancel_overdue_orders()
    cut_line()
    courier.deliver_all()

    assert _end(order) == ("cancelled", "payment_timeout")
    invoice = Invoice.objects.get()
    assert (invoice.paid, invoice.refunded) == (invoice.total, invoice.total)
    assert len(_providers_books()) == 2
    check_all()


def test_many_orders_at_once_sell_only_what_is_in_stock(
    placed: Place, courier: Courier, check_all: Callable[[], None]
) -> None:
    orders = [placed({"ATLAS": 2, "MUG": 1}, buyer=f"B-{n}") for n in range(6)]
    orders.append(placed(method="pm_card_chargeDeclined"))
    courier.deliver_all()

    ends = Counter(_end(order) for order in orders)
    assert ends == {("confirmed", ""): 4, ("cancelled", "out_of_stock"): 2, ("cancelled", "payment_failed"): 1}
    assert StockItem.objects.get(pk="ATLAS").available == 1
    check_all()


def test_a_loyal_buyer_pays_less_for_the_next_order(
    placed: Place, courier: Courier, check_all: Callable[[], None]
) -> None:
    placed({"ATLAS": 7})
    courier.deliver_all()
    rewarded = placed({"LAMP": 1})
    courier.deliver_all()

    assert Order.objects.get(pk=rewarded).total == Money("72", "USD")
    assert orders_of("B-1").count() == 2  # type: ignore[arg-type]
    check_all()


@pytest.mark.parametrize("end", ["delivered", "cancelled", "out_of_stock", "declined"])
def test_handling_every_message_a_second_time_changes_nothing(
    placed: Place, courier: Courier, check_all: Callable[[], None], end: str
) -> None:
    order = placed(
        {"RELIC": 1} if end == "out_of_stock" else None,
        method="pm_card_chargeDeclined" if end == "declined" else "pm_card_visa",
    )
    courier.deliver_all()
    if end == "cancelled":
        cancel_order(order, CancellationReason.BY_BUYER)
    elif end == "delivered":
        _dispatch(order)
        deliver_shipment(shipment_of(order))
    courier.deliver_all()
    before = _end(order), Counter(entry.name for entry in story(Order.objects.get().correlation_id))
    sent = Message.objects.count()

    Delivery.objects.update(status=Status.PENDING, done_at=None, attempts=0, due_at=clock.now())
    courier.deliver_all()

    assert (_end(order), Counter(entry.name for entry in story(Order.objects.get().correlation_id))) == before
    assert Message.objects.count() == sent
    check_all()
