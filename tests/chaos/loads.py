"""Loads: everybody comes at once, for the last units, under the same keys, for the same refund, or just very many."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import NamedTuple, TypeVar

from django.contrib.auth import get_user_model

from billing.commands import refund_in_part
from billing.models import Invoice
from integration.domain.address import Address
from integration.domain.identifiers import InvoiceNumber, PaymentMethodId, Sku
from integration.domain.money import Money
from inventory.commands import stock_up
from inventory.models import StockItem
from ordering.commands import buyer_of_user, list_products, place_order
from ordering.models import Order
from tests.chaos.at_once import at_once
from tests.chaos.faults import WHOLE, Fault, Outcome, Scale, come_to_an_end, fault
from tests.chaos.live import Live, ends, violations
from tests.chaos.traffic import GOODS, VISA, Traffic, ask_until_answered, persistent
from tests.system.running_system import ADDRESS

LOADS: dict[Fault, str] = {}
T = TypeVar("T")


def in_hands(functions: Sequence[Callable[[], T]], hands: int) -> list[T]:
    """Call all of them, so many at a time, each hand with a connection of its own; returns what they return."""
    shares = [functions[i::hands] for i in range(hands)]
    done = at_once(*(partial(_one_after_the_other, share) for share in shares))
    for result in done:
        if isinstance(result, BaseException):
            raise result
    return [result for results in done for result in results]


def _one_after_the_other(functions: Sequence[Callable[[], T]]) -> list[T]:
    return [function() for function in functions]


class Round(NamedTuple):
    """The last units of something, and the orders of all who wanted one of them."""

    sku: Sku
    units: int
    orders: list[str]

    def wrong(self) -> list[str]:
        """What is not as it must be, once the house is at rest."""
        by_end, stock, sold = ends(self.orders), StockItem.objects.get(pk=self.sku), min(self.units, len(self.orders))
        if (by_end.get("confirmed", 0), stock.reserved, stock.on_hand) == (sold, sold, self.units):
            return []
        return [f"{self.sku}: {by_end}, {stock.reserved} of {stock.on_hand} reserved"]


def rush(i: int, buyers: int) -> Round:
    """One round: all of them order one and the same thing at once, of which there are 1, 10 or 100."""
    units = (1, 10, 100)[i % 3]
    sku = Sku(f"LAST-{units}-{i}-{int(time.time())}")
    stock_up([(sku, units)])  # first, or inventory hears of the product and opens a place for it meanwhile
    list_products([(sku, sku, "", Money("5.00", "USD"))])
    buyer = buyer_of_user(get_user_model().objects.get(username="buyer").pk)
    place = partial(place_order, buyer, [(sku, 1)], Address(**ADDRESS), PaymentMethodId(VISA))
    return Round(sku, units, [order.number for order in in_hands([place] * buyers, 8)])


@fault("exactly M are sold, in each of the rounds", LOADS)
def last_units(live: Live, scale: Scale) -> Outcome:
    """500 buyers for the last M units: in each of 100 rounds in all, M being 1, 10 and 100 in turn."""
    outcome, rounds = Outcome(), Counter[int]()
    buyers, how_often = (500, 100) if scale is WHOLE else (40, 3)
    # Of ten rounds the later ones begin while the house has yet to do with the earlier ones; more would pile up.
    for first in range(0, how_often, 10):
        ten = [rush(i, buyers) for i in range(first, min(first + 10, how_often))]
        outcome.wrong += live.come_to_rest()
        for one in ten:
            outcome.wrong += one.wrong()
            rounds[one.units] += 1
    outcome.wrong += violations()
    outcome.n |= {
        "rounds": rounds.total(),
        "of them by M": dict(rounds),
        "buyers a round": buyers,
        "orders": buyers * rounds.total(),
    }
    return outcome


CROWDS = 4
"""So many keys are in use at a time: while the last of one crowd wait for their answers, the others come."""


@fault("one order for each key, the same answer for each post", LOADS)
def same_key(live: Live, scale: Scale) -> Outcome:
    """1,000 idempotency keys, each posted 100 times at once."""
    outcome, before = Outcome(), Order.objects.count()
    keys, posts = (1_000, 100) if scale is WHOLE else (10, 20)
    client, answers = persistent(live.system, "buyer"), Counter[int]()
    body = {"lines": [{"sku": GOODS[0], "quantity": 1}], "shipping_address": ADDRESS, "payment_method": VISA}

    def post(key: str) -> str:
        answer, _ = ask_until_answered(client, "/orders", body, key, answers)
        return answer.body.get("number", str(answer))

    wanted = [f"same-{before}-{i}" for i in range(keys)]
    with ThreadPoolExecutor(CROWDS) as pool:
        crowds = list(pool.map(lambda crowd: in_a_crowd(post, wanted[crowd::CROWDS], posts), range(CROWDS)))
    said = [numbers for crowd in crowds for numbers in crowd]
    outcome.wrong += live.come_to_rest()
    outcome.wrong += violations()
    there = Order.objects.count() - before
    outcome.require(there == keys, f"{there} orders for {keys} keys")
    differing = [numbers for numbers in said if len(set(numbers)) != 1]
    outcome.require(not differing, f"different answers under one key: {differing[:3]}")
    posted = sum(map(len, said))
    outcome.n |= {"keys": keys, "posts a key": posts, "posts": posted, "orders": there, "answers": dict(answers)}
    return outcome


def in_a_crowd(post: Callable[[str], T], keys: Sequence[str], times: int) -> list[list[T]]:
    """Post each key so many times at the same moment, one key after the other; returns what each post returned."""
    start = threading.Barrier(times)

    def one(key: str) -> T:
        start.wait()
        return post(key)

    with ThreadPoolExecutor(times) as pool:
        return [list(pool.map(one, [key] * times)) for key in keys]


@fault("one succeeds, in each round", LOADS)
def refunds_at_once(live: Live, scale: Scale) -> Outcome:
    """50 simultaneous refunds of 60 % on one invoice."""
    outcome, before, refused = Outcome(), Order.objects.count(), Counter[str]()
    rounds = 20 if scale is WHOLE else 2
    with Traffic(live.system, rounds, f"refunds-{before}", methods=(VISA,), carriers=False) as traffic:
        pass
    outcome.wrong += live.come_to_rest()
    paid = Invoice.objects.filter(order__in=[order.number for order in traffic.placed], status="paid")
    for invoice in paid:
        sixty_percent = Money.of_minor(invoice.total_minor * 6 // 10, invoice.currency)
        answers = at_once(*[partial(refund_in_part, InvoiceNumber(invoice.number), sixty_percent, "load")] * 50)
        given = sum(isinstance(answer, Invoice) for answer in answers)
        outcome.require(given == 1, f"{invoice.number}: {given} refunds of 60 %")
        refused.update(type(answer).__name__ for answer in answers if not isinstance(answer, Invoice))
    come_to_an_end(live, traffic, outcome, before)
    outcome.require(set(refused) == {"MoreThanIsLeft"}, f"refused otherwise: {dict(refused)}")
    outcome.n |= {"invoices": paid.count(), "refunds a round": 50, "refused": dict(refused)}
    return outcome


@fault("all of them finish", LOADS)
def burst(live: Live, scale: Scale) -> Outcome:
    """10,000 orders in a burst, Redis down for 60 s in the middle."""
    outcome, before = Outcome(), Order.objects.count()
    orders, down = (10_000, 60) if scale is WHOLE else (100, 3)
    began = time.monotonic()
    with Traffic(live.system, orders, f"burst-{before}", buyers=16, carriers=False) as traffic:
        while traffic.acknowledged < orders // 2:
            time.sleep(0.1)
        live.redis.kill()
        time.sleep(down)
        live.redis.start()
    placed_after = time.monotonic() - began
    come_to_an_end(live, traffic, outcome, before)
    outcome.n |= {
        "seconds without Redis": down,
        "placed after s": round(placed_after),
        "at rest after s": round(time.monotonic() - began),
    }
    return outcome
