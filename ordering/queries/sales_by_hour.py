"""The read model of orders and money per hour, and the sums that the operators' first page draws of it."""

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from integration.domain import clock
from integration.domain.money import Money
from integration.read_models.batch import Batch, read_model
from ordering import events
from ordering.models import Order, SalesOfHour

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def hour_of(moment: datetime) -> datetime:
    """The beginning of the UTC hour that a moment is in."""
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


@read_model(SalesOfHour, stream=Order.stream, events=(events.OrderPlaced, events.OrderConfirmed))
def keep_sales_per_hour(batch: Batch) -> None:
    totals = batch.totals()
    for entry in batch.entries:
        match entry.event:
            # An order that sends goods again was paid before.
            case events.OrderPlaced(replaces=None, total=total):
                totals.add(hour_of(entry.occurred_at), total.currency, placed=1)
            case events.OrderConfirmed(spend=spend) if spend:
                totals.add(hour_of(entry.occurred_at), spend.currency, paid_minor=spend.minor)
    totals.write()


class Sales(NamedTuple):
    """What happened in an hour or a day.

    Args:
        begins: its beginning, in UTC.
        placed: the number of orders that were placed in it.
        paid: what the orders that were confirmed in it had paid or authorized, before all refunds.
    """

    begins: datetime
    placed: int
    paid: Money


def sales_of_last(number: int, step: timedelta, currency: str) -> list[Sales]:
    """The sales of the last hours or days in a currency, oldest first; the last one is not over yet. One query.

    Args:
        number: how many hours or days.
        step: `HOUR` or `DAY`.
    """
    now = hour_of(clock.now())
    last = now if step == HOUR else now.replace(hour=0)
    first = last - (number - 1) * step
    placed, paid = [0] * number, [0] * number
    found = SalesOfHour.objects.filter(currency=currency, hour__gte=first, hour__lt=last + step)
    for hour, orders, minor in found.values_list("hour", "placed", "paid_minor"):
        index = (hour - first) // step
        placed[index] += orders
        paid[index] += minor
    return [
        Sales(first + index * step, placed[index], Money.of_minor(paid[index], currency)) for index in range(number)
    ]
