"""Orders and money per hour and day: what was placed and paid when, the same after a rebuild."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from integration.domain import clock
from integration.domain.identifiers import OrderNumber
from integration.domain.money import Money
from integration.read_models.catch_up import catch_up_all
from integration.read_models.rebuild import differences
from integration.read_models.registry import read_models
from ordering.commands import cancel_order
from ordering.models import CancellationReason, Order, SalesOfHour
from ordering.queries.sales_by_hour import DAY, HOUR, hour_of, sales_of_last

Place = Callable[..., OrderNumber]
Drain = Callable[..., int]


def _paid(orders: list[OrderNumber]) -> Money:
    return Money.sum((order.paid for order in Order.objects.filter(pk__in=orders)), "USD")


@pytest.mark.django_db
def test_an_order_counts_in_the_hours_in_which_it_was_placed_and_paid(placed: Place, drain: Drain) -> None:
    early = [placed({"MUG": 1}), placed({"MUG": 2})]
    declined = placed(method="pm_card_chargeDeclined")
    with clock.moved(timedelta(minutes=1)):
        drain()
    with clock.moved(timedelta(hours=5)):
        late = placed({"LAMP": 1})
        drain()
        catch_up_all()

        hours = sales_of_last(24, HOUR, "USD")

    by_hour = {each.begins: (each.placed, each.paid) for each in hours if each.placed or each.paid}
    assert len(hours) == 24
    assert hours[-1].begins == hour_of(Order.objects.get(pk=late).created_at)
    assert sum(placed for placed, _ in by_hour.values()) == len([*early, declined, late])
    assert by_hour[hours[-1].begins] == (1, _paid([late]))
    assert Money.sum((paid for _, paid in by_hour.values()), "USD") == _paid([*early, late])
    assert differences(read_models.get(SalesOfHour.read_model)) == []


@pytest.mark.django_db
def test_days_are_the_sums_of_their_hours(placed: Place, drain: Drain) -> None:
    orders = [placed({"MUG": 1})]
    drain()
    with clock.moved(timedelta(days=2)):
        orders.append(placed({"MUG": 3}))
        drain()
        catch_up_all()

        days = sales_of_last(3, DAY, "USD")

    assert [each.placed for each in days] == [1, 0, 1]
    assert [each.paid for each in days] == [_paid(orders[:1]), Money.zero("USD"), _paid(orders[1:])]
    assert all(each.begins.hour == 0 for each in days)


@pytest.mark.django_db
def test_what_is_cancelled_later_was_paid_all_the_same(placed: Place, drain: Drain) -> None:
    order = placed({"MUG": 1})
    drain()
    cancel_order(order, CancellationReason.BY_BUYER)
    drain()
    catch_up_all()

    assert [(row.placed, row.paid) for row in SalesOfHour.objects.all() if row.paid] == [(1, _paid([order]))]


@pytest.mark.django_db
def test_nothing_was_sold_in_another_currency(placed: Place, drain: Drain) -> None:
    placed()
    drain()
    catch_up_all()

    assert {(each.placed, each.paid) for each in sales_of_last(24, HOUR, "EUR")} == {(0, Money.zero("EUR"))}


def test_an_hour_begins_in_utc() -> None:
    assert hour_of(datetime.fromisoformat("2026-03-01T00:45:10+05:30")) == datetime(2026, 2, 28, 19, tzinfo=UTC)
