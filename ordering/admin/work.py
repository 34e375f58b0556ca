"""What ordering shows on the operators' first page: orders that wait for somebody, and charts of what is sold."""

from datetime import timedelta

from django.conf import settings
from django.db.models import QuerySet
from django.utils.safestring import SafeString

from integration.admin.home import panel, work
from integration.admin.home.charts import Bar, bar_chart
from integration.domain import clock
from integration.domain.money import Money
from ordering.models import Order, OrderBoard, OrderStatus, SalesOfHour
from ordering.models.letter_bounce import BounceStatus, LetterBounce
from ordering.queries.sales_by_hour import DAY, HOUR, Sales, sales_of_last

LONGEST_FOR_GOODS = timedelta(minutes=5)
"""How long an order may wait for its goods to be reserved: this needs no person, so something is in its way."""
LONGEST_FOR_PAYMENT = timedelta(minutes=5)
"""How long after its payment deadline an order may wait."""


@work(
    "Orders that need a decision",
    group="Orders",
    place=10,
    model=OrderBoard,
    query={"needs_human__exact": 1},
    since="updated_at",
)
def orders_that_need_a_person() -> QuerySet[OrderBoard]:
    """Orders whose parcel is lost, came back or was scanned after a decision, or whose refund is overdue."""
    return OrderBoard.objects.filter(needs_human=True)


@work(
    "Orders on hold",
    group="Orders",
    place=11,
    model=OrderBoard,
    query={"on_hold__exact": 1},
    since="updated_at",
    late_after=timedelta(days=2),
)
def orders_on_hold() -> QuerySet[OrderBoard]:
    """Orders that are held back until somebody lifts the hold."""
    return OrderBoard.objects.filter(on_hold=True)


@work(
    "Orders that wait too long for goods",
    group="Orders",
    place=12,
    model=Order,
    query=lambda: {
        "status__exact": OrderStatus.PENDING.value,
        "created_at__lt": (clock.now() - LONGEST_FOR_GOODS).isoformat(timespec="seconds"),
    },
)
def orders_without_goods() -> QuerySet[Order]:
    """Orders whose goods should have been reserved or refused by now."""
    return Order.objects.filter(status=OrderStatus.PENDING, created_at__lt=clock.now() - LONGEST_FOR_GOODS)


@work(
    "Orders that wait too long for payment",
    group="Orders",
    place=13,
    model=Order,
    query=lambda: {
        "status__exact": OrderStatus.PAYMENT_PENDING.value,
        "payment_due_at__lt": (clock.now() - LONGEST_FOR_PAYMENT).isoformat(timespec="seconds"),
    },
    since="payment_due_at",
)
def orders_without_payment() -> QuerySet[Order]:
    """Orders that should have been paid or cancelled by now."""
    overdue = Order.objects.filter(payment_due_at__lt=clock.now() - LONGEST_FOR_PAYMENT)
    return overdue.filter(status=OrderStatus.PAYMENT_PENDING)


@work(
    "Letters that came back",
    group="Orders",
    place=14,
    model=LetterBounce,
    query={"status__exact": BounceStatus.OPEN.value},
    late_after=timedelta(days=2),
)
def letters_that_came_back() -> QuerySet[LetterBounce]:
    """Letters that a mail service could not deliver."""
    return LetterBounce.objects.filter(status=BounceStatus.OPEN)


@panel("Last 24 hours", place=10, model=SalesOfHour)
def sales_by_hour() -> SafeString:
    """Charts of orders and money by hour."""
    return _charts(sales_of_last(24, HOUR, settings.SHOP_CURRENCY), "%H:00")


@panel("Last 30 days", place=11, model=SalesOfHour)
def sales_by_day() -> SafeString:
    """Charts of orders and money by day."""
    return _charts(sales_of_last(30, DAY, settings.SHOP_CURRENCY), "%d %b")


def _charts(sales: list[Sales], label: str) -> SafeString:
    orders = [Bar(each.begins.strftime(label), each.placed, f"{each.placed:,}") for each in sales]
    money = [Bar(each.begins.strftime(label), float(each.paid.amount), _shown(each.paid)) for each in sales]
    placed = sum(each.placed for each in sales)
    paid = Money.sum((each.paid for each in sales), settings.SHOP_CURRENCY)
    return bar_chart("Orders placed", orders, f"{placed:,}") + bar_chart(
        "Value of confirmed orders", money, _shown(paid)
    )


def _shown(amount: Money) -> str:
    return f"{amount.amount:,} {amount.currency}"
