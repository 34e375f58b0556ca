"""Whole sagas: every order comes to its right end, in whatever order the messages between the contexts are handled.

After each, whatever happened, the books of all contexts and of the payment provider must agree.
"""

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from django.conf import settings
from django.db.models import F

from billing.gateways import Charged, Declined, Refunded, provider
from billing.models import Invoice, Payment, Refund
from fulfillment.commands import deliver_shipment, dispatch_shipment, shipment_of
from fulfillment.models import Shipment
from integration.domain import clock
from integration.domain.identifiers import OrderNumber
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
from ordering.models import CancellationReason, Order, OrderLine
from ordering.queries import orders_of

pytestmark = pytest.mark.django_db

Place = Callable[..., OrderNumber]
Carry = Callable[[], None]

SHUFFLES = 8
"""So many orders of handling are tried for each saga, besides the one in which the messages were published."""

NOTHING = Money.zero("USD")
OWED = ("confirmed", "shipped", "delivered")


# --- How messages are carried ---


class Road:
    """Carries messages between the contexts until none is left, waiting by moving the clock for those that must wait.

    In order it carries the oldest first, with all that is due in its lane; shuffled, any one that is due.
    """

    def __init__(self, chance: Random | None, later: Callable[[timedelta], None]) -> None:
        self.chance = chance
        self.later = later
        self.chosen: Delivery | None = None

    def carry_all(self) -> None:
        """Handle everything, the retries included."""
        for _ in range(2_000):
            pending = Delivery.objects.filter(status=Status.PENDING)
            if not pending.exists():
                return
            if not self.carry_one():
                self.later(timedelta(seconds=1))
        raise AssertionError(f"still pending: {list(pending.values_list('consumer', 'attempts', 'error'))}")

    def carry(self, number: int) -> None:
        """Handle so many deliveries, or as many as are due."""
        for _ in range(number):
            self.carry_one()

    def carry_one(self) -> bool:
        """Handle a delivery that is due, if there is one."""
        due = list(Delivery.objects.filter(status=Status.PENDING, due_at__lte=clock.now()).order_by("id"))
        if due:
            self.chosen = self.chance.choice(due) if self.chance else due[0]
            deliver_due(DeliveryQueue(self.chosen.context, self.chosen.external))
        return bool(due)

    def claim_what_was_chosen(self, delivery_queue: DeliveryQueue, limit: int) -> list[Claim]:
        """Claim the chosen delivery instead of the oldest ones of its lane."""
        if self.chosen is None:
            return []
        chosen, self.chosen = self.chosen, None
        Delivery.objects.filter(pk=chosen.pk).update(attempts=F("attempts") + 1, due_at=clock.now() + LEASE)
        return [Claim(chosen.pk, chosen.consumer, chosen.attempts + 1)]


@pytest.fixture(params=[None, *range(SHUFFLES)], ids=lambda seed: "in order" if seed is None else f"shuffled {seed}")
def road(request: pytest.FixtureRequest, later: Callable[[timedelta], None], monkeypatch: pytest.MonkeyPatch) -> Road:
    if request.param is None:
        return Road(None, later)
    road = Road(Random(request.param), later)
    monkeypatch.setattr(deliver, "claim", road.claim_what_was_chosen)
    return road


# --- What must be true afterwards ---


def _providers_books() -> dict[str, tuple[object, Money]]:
    """What the payment provider says it did, by our keys."""
    books = provider().books(datetime(2020, 1, 1, tzinfo=UTC))
    return {booked.key: (booked.outcome, booked.amount) for booked in books}


def stock_agrees() -> None:
    """On hand is what was received, adjusted and shipped; reserved is what orders hold; nothing is oversold."""
    moved: Counter[str] = Counter()
    sign = {"inventory.stock_received": 1, "inventory.stock_adjusted": 1, "inventory.stock_shipped": -1}
    for entry in History.objects.filter(name__in=sign):
        moved[entry.stream_id] += sign[entry.name] * entry.data.get("quantity", entry.data.get("delta"))
    held: Counter[str] = Counter()
    for reservation in Reservation.objects.filter(status__in=["held", "committed"]):
        held.update({line.sku: line.quantity for line in reservation.line_rows.all()})
    for item in StockItem.objects.all():
        assert item.on_hand == moved[item.sku]
        assert item.reserved == held[item.sku]
        assert 0 <= item.reserved <= item.on_hand


def money_agrees() -> None:
    """What was captured less what was given back is what orders owe; the provider's books say the same as ours."""
    for order in Order.objects.all():
        invoice = Invoice.objects.get(order=order.number)
        assert invoice.total == order.total
        assert (invoice.paid, invoice.refunded) == (order.paid, order.refunded)
        assert invoice.refund_owed == invoice.refunded <= invoice.paid
        assert invoice.paid - invoice.refunded == (order.total if order.status in OWED else NOTHING)
        assert invoice.payments.filter(status="succeeded").count() == (1 if invoice.paid else 0)
    ours = {row.id: (Charged(row.reference), row.amount) for row in Payment.objects.filter(status="succeeded")}
    ours |= {row.id: (Declined(row.failure), row.amount) for row in Payment.objects.filter(status="failed")}
    ours |= {row.id: (Refunded(row.reference), row.amount) for row in Refund.objects.filter(status="issued")}
    assert _providers_books() == ours


def orders_are_at_rest() -> None:
    """Every order ended, or waits for somebody with a shipment; nothing is confirmed without goods and money."""
    for order in Order.objects.all():
        reservation = Reservation.objects.get(pk=order.number)
        shipment = Shipment.objects.filter(order=order.number).first()
        at_rest = {
            "confirmed": ("committed", "arranged"),
            "shipped": ("shipped", "dispatched"),
            "delivered": ("shipped", "delivered"),
        }
        if order.status == "cancelled":
            assert reservation.status in ("released", "expired", "refused")
            assert shipment is None or shipment.status == "cancelled"
        else:
            assert (reservation.status, shipment and shipment.status) == at_rest[order.status]
        assert order.total == order.subtotal - order.discount
        shipped = order.status in ("shipped", "delivered")
        assert all(line.shipped == (line.quantity if shipped else 0) for line in OrderLine.objects.filter(order=order))


def messages_are_done() -> None:
    """Every message was delivered once to each of its consumers, and nothing is pending or dead."""
    assert not Delivery.objects.exclude(status=Status.DONE).exists()
    for message in Message.objects.prefetch_related("deliveries"):
        listening = [consumer.name for consumer in consumers_of(type(message.event))]
        assert sorted(delivery.consumer for delivery in message.deliveries.all()) == sorted(listening)


def stories_are_told() -> None:
    """Each order's story begins with its placing and names a cause for everything that only followed."""
    for order in Order.objects.all():
        told = story(order.correlation_id)
        assert told[0].name == "ordering.order_placed"
        ids = {entry.id for entry in told}
        assert all(entry.causation_id in ids for entry in told if entry.actor == "system" and entry.causation_id)


@pytest.fixture
def all_is_well(compare_rows_with_history: Callable[[], set[str]]) -> Callable[[], None]:
    """Everything that must be true when nothing moves any more."""

    def check() -> None:
        messages_are_done()
        stock_agrees()
        money_agrees()
        orders_are_at_rest()
        stories_are_told()
        compare_rows_with_history()
        assert {name: found for name, each in invariants.items() if (found := each.check().offenders)} == {}

    return check


def _end(order: OrderNumber) -> tuple[str, str]:
    found = Order.objects.get(pk=order)
    return found.status, found.cancellation_reason


def _dispatch(order: OrderNumber) -> None:
    dispatch_shipment(shipment_of(order), "DHL", "JD0143")


def _look_for_overdue_orders() -> None:
    schedule.routines.get("ordering.cancel-overdue-orders").run()


# --- The ways an order can go ---


def test_a_good_order_is_confirmed_shipped_and_delivered(
    placed: Place, road: Road, all_is_well: Callable[[], None]
) -> None:
    order = placed()
    road.carry_all()
    assert _end(order) == ("confirmed", "")
    all_is_well()

    _dispatch(order)
    road.carry_all()
    assert _end(order) == ("shipped", "")
    all_is_well()

    deliver_shipment(shipment_of(order))
    road.carry_all()
    assert _end(order) == ("delivered", "")
    all_is_well()
    assert StockItem.objects.get(pk="MUG").on_hand == 98


def test_an_order_that_is_delivered_before_anybody_heard_that_it_left_is_delivered(
    placed: Place, road: Road, all_is_well: Callable[[], None]
) -> None:
    order = placed()
    road.carry_all()

    _dispatch(order)
    deliver_shipment(shipment_of(order))
    road.carry_all()

    assert _end(order) == ("delivered", "")
    all_is_well()


def test_an_order_for_more_than_there_is_is_cancelled_and_nobody_is_charged(
    placed: Place, road: Road, all_is_well: Callable[[], None]
) -> None:
    order = placed({"MUG": 1, "RELIC": 1})
    road.carry_all()

    assert _end(order) == ("cancelled", "out_of_stock")
    assert _providers_books() == {}
    assert StockItem.objects.get(pk="MUG").reserved == 0
    all_is_well()


def test_a_declined_card_cancels_the_order_and_frees_its_goods(
    placed: Place, road: Road, all_is_well: Callable[[], None]
) -> None:
    order = placed(method="pm_card_chargeDeclined")
    road.carry_all()

    assert _end(order) == ("cancelled", "payment_failed")
    assert StockItem.objects.get(pk="MUG").available == 100
    all_is_well()


def test_an_order_cancelled_at_once_costs_nothing(placed: Place, road: Road, all_is_well: Callable[[], None]) -> None:
    order = placed()
    cancel_order(order, CancellationReason.BY_BUYER)
    road.carry_all()

    assert _end(order) == ("cancelled", "by_buyer")
    assert Invoice.objects.get().paid == Invoice.objects.get().refunded
    all_is_well()


def test_an_order_cancelled_after_it_was_paid_is_refunded_and_never_leaves(
    placed: Place, road: Road, all_is_well: Callable[[], None]
) -> None:
    order = placed()
    road.carry_all()
    cancel_order(order, CancellationReason.BY_BUYER, "changed my mind")
    road.carry_all()

    assert _end(order) == ("cancelled", "by_buyer")
    assert Invoice.objects.get().refunded == Order.objects.get().total
    assert Shipment.objects.get().status == "cancelled"
    assert StockItem.objects.get(pk="MUG").available == 100
    with pytest.raises(NotAllowed):
        _dispatch(order)
    all_is_well()


@pytest.mark.parametrize("messages", [1, 3, 5, 8, 12])
def test_an_order_cancelled_at_any_moment_ends_cancelled_with_all_money_back(
    placed: Place, road: Road, all_is_well: Callable[[], None], messages: int
) -> None:
    order = placed()
    road.carry(messages)
    cancel_order(order, CancellationReason.BY_BUYER)
    road.carry_all()

    assert _end(order) == ("cancelled", "by_buyer")
    assert StockItem.objects.get(pk="MUG").available == 100
    all_is_well()


def test_a_cancellation_after_the_goods_have_left_is_refused(
    placed: Place, road: Road, all_is_well: Callable[[], None]
) -> None:
    order = placed()
    road.carry_all()
    _dispatch(order)
    cancel_order(order, CancellationReason.BY_BUYER)  # ordering has not heard yet that it has left
    road.carry_all()

    assert _end(order) == ("shipped", "")
    assert not Order.objects.get().cancellation_requested
    with pytest.raises(NotAllowed):
        cancel_order(order, CancellationReason.BY_BUYER)
    all_is_well()


def test_a_missed_deadline_cancels_the_order_and_keeps_no_money(
    placed: Place,
    road: Road,
    all_is_well: Callable[[], None],
    cut_line: Callable[..., None],
    later: Callable[[timedelta], None],
) -> None:
    order = placed()
    cut_line(*[True] * 50)
    road.carry(30)
    later(settings.PAYMENT_DEADLINE)
    _look_for_overdue_orders()
    cut_line()
    road.carry_all()

    assert _end(order) == ("cancelled", "payment_timeout")
    assert Reservation.objects.get().status == "expired"
    all_is_well()


def test_money_that_came_after_the_deadline_is_given_back(
    placed: Place,
    road: Road,
    all_is_well: Callable[[], None],
    cut_line: Callable[..., None],
    later: Callable[[timedelta], None],
) -> None:
    order = placed()
    # The provider takes the money, and from then on the line is dead.
    cut_line(False, *[True] * 50)
    while not Payment.objects.filter(status="unknown").exists():
        road.carry_one() or later(timedelta(seconds=1))
    later(settings.PAYMENT_DEADLINE)
    _look_for_overdue_orders()
    cut_line()
    road.carry_all()

    assert _end(order) == ("cancelled", "payment_timeout")
    invoice = Invoice.objects.get()
    assert (invoice.paid, invoice.refunded) == (invoice.total, invoice.total)
    assert len(_providers_books()) == 2
    all_is_well()


def test_many_orders_at_once_sell_what_there_is_and_no_more(
    placed: Place, road: Road, all_is_well: Callable[[], None]
) -> None:
    orders = [placed({"ATLAS": 2, "MUG": 1}, buyer=f"B-{n}") for n in range(6)]
    orders.append(placed(method="pm_card_chargeDeclined"))
    road.carry_all()

    ends = Counter(_end(order) for order in orders)
    assert ends == {("confirmed", ""): 4, ("cancelled", "out_of_stock"): 2, ("cancelled", "payment_failed"): 1}
    assert StockItem.objects.get(pk="ATLAS").available == 1
    all_is_well()


def test_a_loyal_buyer_pays_less_for_the_next_order(placed: Place, road: Road, all_is_well: Callable[[], None]) -> None:
    placed({"ATLAS": 7})
    road.carry_all()
    rewarded = placed({"LAMP": 1})
    road.carry_all()

    assert Order.objects.get(pk=rewarded).total == Money("72", "USD")
    assert orders_of("B-1").count() == 2  # type: ignore[arg-type]
    all_is_well()


@pytest.mark.parametrize("end", ["delivered", "cancelled", "out_of_stock", "declined"])
def test_every_message_heard_a_second_time_changes_nothing(
    placed: Place, road: Road, all_is_well: Callable[[], None], end: str
) -> None:
    order = placed(
        {"RELIC": 1} if end == "out_of_stock" else None,
        method="pm_card_chargeDeclined" if end == "declined" else "pm_card_visa",
    )
    road.carry_all()
    if end == "cancelled":
        cancel_order(order, CancellationReason.BY_BUYER)
    elif end == "delivered":
        _dispatch(order)
        deliver_shipment(shipment_of(order))
    road.carry_all()
    before = _end(order), Counter(entry.name for entry in story(Order.objects.get().correlation_id))
    sent = Message.objects.count()

    Delivery.objects.update(status=Status.PENDING, done_at=None, attempts=0, due_at=clock.now())
    road.carry_all()

    assert (_end(order), Counter(entry.name for entry in story(Order.objects.get().correlation_id))) == before
    assert Message.objects.count() == sent
    all_is_well()
