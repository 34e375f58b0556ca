"""Orders of every kind: most are paid and delivered, some of them in two parcels; some are declined, ask for more than
is in stock, or are cancelled before or after their payment.
"""

from collections.abc import Callable, Sequence
from datetime import timedelta
from enum import Enum
from itertools import cycle, islice
from random import Random
from typing import NamedTuple

from config.shop.carry import TIMEOUT, carry_on
from config.shop.catalogue import CATALOGUE, CURRENCY
from config.shop.opening import receive_missing
from config.shop.people import demo_buyer
from config.shop.shipping import deliver, dispatch
from integration.contracts.billing import TEST_METHODS, TROUBLED_METHODS, WAITING_METHODS
from integration.domain.address import Address
from integration.domain.identifiers import BuyerId, OrderNumber, PaymentMethodId, Sku
from integration.domain.metadata import new_story
from inventory.models import StockItem
from ordering.commands import cancel_order, place_order
from ordering.models import CancellationReason, Order, OrderStatus, Product


class Kind(Enum):
    """How an order ends."""

    GOOD = "good"
    DECLINED = "declined"
    TOO_MUCH = "too much"
    CANCELLED_EARLY = "cancelled before payment"
    CANCELLED_LATE = "cancelled after payment"
    TWO_PARCELS = "in two parcels"


ONE_OF_EACH = tuple(Kind)
OF_TEN = (*ONE_OF_EACH, Kind.GOOD, Kind.GOOD, Kind.GOOD, Kind.DECLINED)
"""The kinds of ten orders: half of them are delivered, and every kind is among the first six."""

AT_ONCE = 10
ACTOR = "demo"
DECLINING = tuple(sorted(method for method in TEST_METHODS if "Declined" in method))
PAYING = tuple(sorted(TEST_METHODS - WAITING_METHODS - TROUBLED_METHODS - set(DECLINING)))
PEOPLE = (
    Address("Ada Lindqvist", "14 Strandvägen", "Stockholm", "114 56", "SE"),
    Address("Tomás Herrera", "Calle de la Luna 7", "Madrid", "28004", "ES"),
    Address("Mei Tanaka", "2-11-3 Meguro", "Tokyo", "153-0063", "JP"),
    Address("Robin Buyer", "221 Baker Street", "London", "NW1 6XE", "GB"),
    Address("Lucie Abara", "18 rue des Lilas", "Lyon", "69003", "FR"),
    Address("Sam Whitfield", "905 Cedar Avenue", "Portland", "97205", "US"),
)


class NothingToSell(Exception):
    """The shop sells none of the demo's goods in the demo's currency, so nothing can be ordered."""


class Wish(NamedTuple):
    """An order to be placed."""

    kind: Kind
    buyer: BuyerId
    address: Address
    payment_method: PaymentMethodId
    lines: list[tuple[Sku, int]]


def wishes(count: int, random: Random) -> list[Wish]:
    """So many orders, of every kind as soon as there are six; raises `NothingToSell`."""
    plenty, scarce = _goods_on_sale()
    if not plenty:
        raise NothingToSell(NothingToSell.__doc__)
    kinds = list(islice(cycle(OF_TEN), count))
    random.shuffle(kinds)
    return [_wish(kind, random, plenty, scarce or plenty) for kind in kinds]


def _goods_on_sale() -> tuple[list[Sku], list[Sku]]:
    """Of the catalogue, what there is enough of, and what there is hardly any of."""
    offered = Product.objects.filter(on_sale=True, currency=CURRENCY, pk__in=[ware.sku for ware in CATALOGUE])
    skus = set(offered.values_list("pk", flat=True))
    on_sale = [ware for ware in CATALOGUE if ware.sku in skus]
    plenty = [Sku(ware.sku) for ware in on_sale if not ware.is_scarce]
    return plenty, [Sku(ware.sku) for ware in on_sale if ware.is_scarce]


def _wish(kind: Kind, random: Random, plenty: Sequence[Sku], scarce: Sequence[Sku]) -> Wish:
    address = random.choice(PEOPLE)
    buyer = demo_buyer() if address.recipient == "Robin Buyer" else None
    fewest = 2 if kind is Kind.TWO_PARCELS else 1
    some = random.sample(plenty, min(len(plenty), random.randint(fewest, 4)))
    lines = [(sku, random.randint(1, 4)) for sku in some]
    if kind is Kind.TOO_MUCH:
        sku = random.choice(scarce)
        lines.append((sku, _available(sku) + random.randint(1, 3)))
    return Wish(
        kind=kind,
        buyer=buyer or BuyerId(f"demo-{address.recipient.split()[0].lower()}"),
        address=address,
        payment_method=PaymentMethodId(random.choice(DECLINING if kind is Kind.DECLINED else PAYING)),
        lines=lines,
    )


def _available(sku: Sku) -> int:
    item = StockItem.objects.filter(pk=sku).first()
    return item.available if item else 0


def live_through(
    wanted: Sequence[Wish],
    *,
    timeout: timedelta = TIMEOUT,
    on_placed: Callable[[int], None],
    on_ended: Callable[[int], None],
) -> list[OrderNumber]:
    """Place the orders and carry each to its end, some at a time.

    Args:
        on_placed, on_ended: called with how many more orders were placed, or have ended.

    Raises:
        NotCarriedThrough: as `carry_on` does.
    """
    _stock_for(wanted, timeout)
    numbers: list[OrderNumber] = []
    for start in range(0, len(wanted), AT_ONCE):
        some = wanted[start : start + AT_ONCE]
        numbers += _live_through(some, timeout, on_placed)
        on_ended(len(some))
    return numbers


def _stock_for(wanted: Sequence[Wish], timeout: timedelta) -> None:
    """Receive enough stock: a demo of a thousand orders sells more than the opening stock."""
    needed: dict[Sku, int] = {}
    for wish in wanted:
        if wish.kind is not Kind.TOO_MUCH:
            for sku, quantity in wish.lines:
                needed[sku] = needed.get(sku, 0) + quantity
    receive_missing(needed, "for the demo's orders", timeout)


def _live_through(some: Sequence[Wish], timeout: timedelta, on_placed: Callable[[int], None]) -> list[OrderNumber]:
    placed: list[tuple[Wish, Order]] = []
    for wish in some:
        placed.append((wish, place(wish)))
        on_placed(1)
    stories = {order.correlation_id for _, order in placed}
    carry_on(stories, timeout)
    late = [order.pk for wish, order in placed if wish.kind is Kind.CANCELLED_LATE]
    for number in Order.objects.filter(pk__in=late, status=OrderStatus.CONFIRMED).values_list("pk", flat=True):
        cancel_order(OrderNumber(number), CancellationReason.BY_BUYER, "changed their mind")
    carry_on(stories, timeout)
    numbers = [OrderNumber(order.pk) for _, order in placed]
    first = {OrderNumber(order.pk): wish.lines[:1] for wish, order in placed if wish.kind is Kind.TWO_PARCELS}
    dispatch({number: f"DEMO-{number}-1" for number in first}, ACTOR, first)
    dispatch({number: f"DEMO-{number}" for number in numbers}, ACTOR)
    carry_on(stories, timeout)
    deliver(numbers, ACTOR)
    carry_on(stories, timeout)
    return numbers


def place(wish: Wish) -> Order:
    """Place the order, and cancel it at once if it is one of those."""
    with new_story(actor=ACTOR):
        order = place_order(wish.buyer, wish.lines, wish.address, wish.payment_method)
        if wish.kind is Kind.CANCELLED_EARLY:
            cancel_order(OrderNumber(order.pk), CancellationReason.BY_BUYER, "ordered by mistake")
    return order
