"""Refunds lower the lifetime spend: each amount once, in any order of arrival, and never again with a cancellation."""

from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from config.verification import verify
from integration.aggregates.unit_of_work import unit_of_work
from integration.contracts.billing import PaymentSucceeded, RefundIssued
from integration.contracts.fulfillment import ShipmentCancelled
from integration.contracts.inventory import StockReserved
from integration.domain.address import Address
from integration.domain.identifiers import BuyerId, OrderNumber, PaymentId, PaymentMethodId, RefundId, ShipmentId, Sku
from integration.domain.money import Money
from integration.read_models.catch_up import catch_up_all
from ordering import events
from ordering.commands import cancel_order, complete_cancellation, expire_order, list_products, place_order
from ordering.models import Buyer, CancellationReason, History, LifetimeSpend, Order

pytestmark = pytest.mark.django_db

Publish = Callable[..., None]


@pytest.fixture
def placed(address: Address) -> Callable[[str], OrderNumber]:
    """A function that places an order for a price; the goods are reserved."""

    def place(price: str) -> OrderNumber:
        sku = Sku(f"A-{price}")
        list_products([(sku, "Thing", "", Money(price, "USD"))])
        return OrderNumber(place_order(BuyerId("B-1"), [(sku, 1)], address, PaymentMethodId("pm_card_visa")).number)

    return place


@pytest.fixture
def confirmed(
    placed: Callable[[str], OrderNumber], publish_all: Publish, drain: Callable[..., int]
) -> Callable[[str], OrderNumber]:
    """A function that places an order for a price, which is paid and confirmed."""

    def confirm(price: str) -> OrderNumber:
        order = placed(price)
        publish_all(StockReserved(order=order), paid(order, price))
        drain("ordering")
        return order

    return confirm


def paid(order: OrderNumber, price: str) -> PaymentSucceeded:
    return PaymentSucceeded(order=order, payment=PaymentId("P-0-1"), amount=Money(price, "USD"))


def refunded(order: OrderNumber, total: str, which: int = 1) -> RefundIssued:
    amount = Money(total, "USD")
    return RefundIssued(order=order, refund=RefundId(f"F-{which}"), amount=amount, refunded=amount)


@pytest.fixture
def receive(publish_all: Publish, drain: Callable[..., int]) -> Callable[..., None]:
    """A function that publishes contracts, one after another, and lets ordering handle each."""

    def receive(*contracts: Any) -> None:
        for contract in contracts:
            publish_all(contract)
            drain("ordering")

    return receive


def spend() -> Money:
    return Buyer.objects.get().spend


def percent() -> int:
    return Buyer.objects.get().discount_percent


@pytest.fixture(autouse=True)
def verified(db: None) -> Iterator[None]:
    yield
    catch_up_all()
    names = ["ordering.spend", "ordering.refund", "read_models.lifetime", "events.rows"]
    found = verify(names)
    assert len(found) >= 5
    assert {name: finding.complaints for name, finding in found.items() if finding.complaints} == {}
    assert [row.spend for row in LifetimeSpend.objects.all()] in ([], [each.spend for each in Buyer.objects.all()])


Confirmed = Callable[[str], OrderNumber]


def test_a_refund_lowers_the_spend_by_its_amount(confirmed: Confirmed, receive: Callable[..., None]) -> None:
    order = confirmed("100.00")
    receive(refunded(order, "30.00"))
    assert spend() == Money("70.00", "USD")
    change = History.objects.filter(name="ordering.buyer_spend_changed").latest("version").event
    assert isinstance(change, events.BuyerSpendChanged)
    assert (change.order, change.change) == (order, Money("-30.00", "USD"))


@pytest.mark.parametrize("totals", [["30", "50"], ["50", "30"], ["30", "30", "50", "50"], ["50", "30", "50"]])
def test_totals_count_once_in_any_order(
    confirmed: Confirmed, receive: Callable[..., None], totals: Sequence[str]
) -> None:
    order = confirmed("100.00")
    receive(*(refunded(order, total, n) for n, total in enumerate(totals)))
    assert spend() == Money("50.00", "USD")


def test_totals_that_arrive_in_one_batch_count_once(
    confirmed: Confirmed, publish_all: Publish, drain: Callable[..., int]
) -> None:
    one, two = confirmed("100.00"), confirmed("40.00")
    publish_all(refunded(two, "5"), refunded(one, "30"), refunded(one, "50", 2), refunded(two, "5"))
    drain("ordering")
    assert spend() == Money("85.00", "USD")


def stopped(order: OrderNumber) -> ShipmentCancelled:
    return ShipmentCancelled(order=order, shipment=ShipmentId("S-0-1"), reason="by_buyer")


@pytest.mark.parametrize("late", [False, True])
def test_a_cancellation_lowers_what_refunds_left(
    confirmed: Confirmed, receive: Callable[..., None], late: bool
) -> None:
    confirmed("7.00")
    order = confirmed("100.00")
    cancel_order(order, CancellationReason.BY_BUYER)
    in_part, all_of_it = refunded(order, "30"), refunded(order, "100", 2)
    receive(*([stopped(order), in_part, all_of_it] if late else [in_part, stopped(order), all_of_it]))
    assert spend() == Money("7.00", "USD")
    assert Order.objects.get(pk=order).refunded == Money("100", "USD")


def test_an_order_that_is_refunded_in_full_and_then_cancelled_counts_nothing_once(
    confirmed: Confirmed, receive: Callable[..., None]
) -> None:
    order = confirmed("100.00")
    cancel_order(order, CancellationReason.BY_BUYER)
    receive(refunded(order, "100"), stopped(order))
    assert spend() == Money("0.00", "USD")
    changes = History.objects.filter(name="ordering.buyer_spend_changed")
    assert [entry.event.change.minor for entry in changes.order_by("version")] == [10_000, -10_000]


def test_the_refund_of_a_payment_that_came_too_late_lowers_nothing(
    placed: Callable[[str], OrderNumber], confirmed: Confirmed, receive: Callable[..., None]
) -> None:
    confirmed("7.00")
    late = placed("100.00")
    expire_order(late)
    receive(paid(late, "100.00"), refunded(late, "100.00"))
    assert Order.objects.get(pk=late).refunded == Money("100", "USD")
    assert spend() == Money("7.00", "USD")


def test_a_refund_before_its_payment_waits_and_then_counts(
    placed: Callable[[str], OrderNumber], publish_all: Publish, drain: Callable[..., int], later: Any
) -> None:
    order = placed("100.00")
    publish_all(refunded(order, "30.00"))
    drain("ordering")
    publish_all(StockReserved(order=order), paid(order, "100.00"))
    for _ in range(5):
        later(timedelta(seconds=20))
        drain("ordering")
    assert spend() == Money("70.00", "USD")


def test_the_discount_of_ten_percent_ends_and_begins_again(confirmed: Confirmed, receive: Callable[..., None]) -> None:
    order = confirmed("6000.02")
    assert percent() == 10
    receive(refunded(order, "0.01"))
    assert (spend(), percent()) == (Money("6000.01", "USD"), 10)
    receive(refunded(order, "0.02", 2))
    assert (spend(), percent()) == (Money("6000.00", "USD"), 0)
    confirmed("0.01")
    assert percent() == 10


def refund_as_older_code_did(order: OrderNumber, total: str) -> None:
    with unit_of_work() as work:
        work.get(Order, order).record(events.OrderRefunded(order=order, refunded=Money(total, "USD")))


def test_refunds_that_older_code_recorded_did_not_lower_the_spend(
    confirmed: Confirmed, receive: Callable[..., None]
) -> None:
    order = confirmed("100.00")
    refund_as_older_code_did(order, "30.00")
    assert spend() == Money("100.00", "USD")
    receive(refunded(order, "50.00"))
    assert spend() == Money("80.00", "USD"), "only the increase since"


def test_a_cancellation_after_such_a_refund_lowers_the_whole(
    confirmed: Confirmed, receive: Callable[..., None]
) -> None:
    confirmed("7.00")
    order = confirmed("100.00")
    refund_as_older_code_did(order, "30.00")
    cancel_order(order, CancellationReason.BY_BUYER)
    receive(stopped(order), refunded(order, "100.00"))
    assert spend() == Money("7.00", "USD")


def test_a_cancellation_that_older_code_recorded_means_the_total(confirmed: Confirmed) -> None:
    confirmed("7.00")
    order = confirmed("100.00")
    with unit_of_work() as work:
        found = work.get(Order, order)
        found.record(
            events.OrderCancelled(
                order=order, buyer=BuyerId("B-1"), reason="by_buyer", note="", total=found.total, was_confirmed=True
            )
        )
    assert spend() == Money("7.00", "USD")


def test_a_refund_starts_the_spend_in_the_new_currency_of_the_shop(
    address: Address, receive: Callable[..., None], settings: Any
) -> None:
    list_products([(Sku("DESK"), "Desk", "", Money("100", "EUR"))])
    order = place_order(BuyerId("B-1"), [(Sku("DESK"), 1)], address, PaymentMethodId("pm_card_visa"))
    number, amount = OrderNumber(order.number), Money("100", "EUR")
    receive(StockReserved(order=number), PaymentSucceeded(order=number, payment=PaymentId("P-0-1"), amount=amount))
    assert spend() == Money("0", "USD")
    settings.SHOP_CURRENCY = "EUR"
    part = Money("30", "EUR")
    receive(RefundIssued(order=number, refund=RefundId("F-1"), amount=part, refunded=part))
    assert spend() == Money("70", "EUR")


steps = st.lists(
    st.one_of(st.tuples(st.just("refund"), st.integers(1, 100)), st.sampled_from([("cancel", 0), ("old", 60)])),
    max_size=6,
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(orders=st.lists(steps, min_size=1, max_size=3))
def test_any_sequence_leaves_what_is_paid_less_what_was_refunded(
    confirmed: Confirmed, receive: Callable[..., None], orders: list[list[tuple[str, int]]]
) -> None:
    with transaction.atomic():
        expected = 0
        for n, what in enumerate(orders):
            number = confirmed(f"100.{n:02}")
            left, total, counts = 10_000 + n, 0, True
            for kind, amount in what:
                match kind:
                    case "refund":
                        receive(refunded(number, str(amount), amount))
                        left -= max(amount * 100 - total, 0)
                        total = max(total, amount * 100)
                    case "old" if amount * 100 > total:
                        refund_as_older_code_did(number, str(amount))
                        total = amount * 100
                    case "cancel" if counts:
                        complete_cancellation(number, CancellationReason.BY_BUYER)
                        counts = False
            expected += left * counts
        assert spend().minor == expected
        catch_up_all()
        found = verify(["ordering.spend", "ordering.refund", "read_models.lifetime", "events.rows"])
        assert {name: each.complaints for name, each in found.items() if each.complaints} == {}
        transaction.set_rollback(True)
