"""Loads: many requests at once for the last units, under the same keys, for the same refund, or in a burst."""

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
from tests.chaos.faults import WHOLE, Fault, Scale, check_the_end, fault
from tests.chaos.live import Live, ends, violations
from tests.chaos.outcome import Outcome
from tests.chaos.traffic import GOODS, VISA, Traffic, persistent, post_until_done
from tests.system.running_system import ADDRESS

LOADS: dict[Fault, str] = {}
T = TypeVar("T")


def in_threads(functions: Sequence[Callable[[], T]], threads: int) -> list[T]:
    """Call all functions in so many threads, each with a connection of its own; returns their results.

    Raises:
        BaseException: what the first function that failed has raised.
    """
    shares = [functions[i::threads] for i in range(threads)]
    done = at_once(*(partial(_call_each, share) for share in shares))
    for result in done:
        if isinstance(result, BaseException):
            raise result
    return [result for results in done for result in results]


def _call_each(functions: Sequence[Callable[[], T]]) -> list[T]:
    return [function() for function in functions]


class Round(NamedTuple):
    """The last units of a SKU, and the orders of all buyers who wanted one of them."""

    sku: Sku
    units: int
    orders: list[str]

    def wrong(self) -> list[str]:
        """A sentence if not exactly the units were sold, once the system is at rest."""
        by_end, stock, sold = ends(self.orders), StockItem.objects.get(pk=self.sku), min(self.units, len(self.orders))
        if (by_end.get("confirmed", 0), stock.reserved, stock.on_hand) == (sold, sold, self.units):
            return []
        return [f"{self.sku}: {by_end}, {stock.reserved} of {stock.on_hand} reserved"]


def rush(i: int, buyers: int) -> Round:
    """All buyers order the same SKU at once, of which there are 1, 10 or 100 units."""
    units = (1, 10, 100)[i % 3]
    sku = Sku(f"LAST-{units}-{i}-{int(time.time())}")
    stock_up([(sku, units)])  # first, because inventory opens a stock item when it consumes the product
    list_products([(sku, sku, "", Money("5.00", "USD"))])
    buyer = buyer_of_user(get_user_model().objects.get(username="buyer").pk)
    place = partial(place_order, buyer, [(sku, 1)], Address(**ADDRESS), PaymentMethodId(VISA))
    return Round(sku, units, [order.number for order in in_threads([place] * buyers, 8)])


@fault("exactly M are sold, in each of the rounds", LOADS)
def last_units(live: Live, scale: Scale) -> Outcome:
    """500 buyers for the last M units, in 100 rounds, with M = 1, 10 and 100 in turn."""
    outcome, rounds = Outcome(), Counter[int]()
    buyers, rounds_in_all = (500, 100) if scale is WHOLE else (40, 3)
    # Ten rounds overlap: the later ones begin while deliveries of the earlier ones are pending. More would pile up.
    for first in range(0, rounds_in_all, 10):
        ten = [rush(i, buyers) for i in range(first, min(first + 10, rounds_in_all))]
        outcome.wrong += live.come_to_rest()
        for one in ten:
            outcome.wrong += one.wrong()
            rounds[one.units] += 1
    outcome.wrong += violations()
    outcome.n |= {
        "rounds": rounds.total(),
        "rounds by M": dict(rounds),
        "buyers a round": buyers,
        "orders": buyers * rounds.total(),
    }
    return outcome


GROUPS = 4
"""How many keys are in use at a time."""


@fault("one order for each key, the same response for each post", LOADS)
def same_key(live: Live, scale: Scale) -> Outcome:
    """100 simultaneous posts for each of 1,000 idempotency keys."""
    outcome, before = Outcome(), Order.objects.count()
    keys, posts = (1_000, 100) if scale is WHOLE else (10, 20)
    client, responses = persistent(live.system, "buyer"), Counter[int]()
    body = {"lines": [{"sku": GOODS[0], "quantity": 1}], "shipping_address": ADDRESS, "payment_method": VISA}

    def post(key: str) -> str:
        response, _ = post_until_done(client, "/orders", body, key, responses)
        return response.body.get("number", str(response))

    wanted = [f"same-{before}-{i}" for i in range(keys)]
    with ThreadPoolExecutor(GROUPS) as pool:
        groups = list(pool.map(lambda crowd: post_at_once(post, wanted[crowd::GROUPS], posts), range(GROUPS)))
    said = [numbers for crowd in groups for numbers in crowd]
    outcome.wrong += live.come_to_rest()
    outcome.wrong += violations()
    there = Order.objects.count() - before
    outcome.require(there == keys, f"{there} orders for {keys} keys")
    differing = [numbers for numbers in said if len(set(numbers)) != 1]
    outcome.require(not differing, f"different responses under one key: {differing[:3]}")
    posted = sum(map(len, said))
    outcome.n |= {"keys": keys, "posts a key": posts, "posts": posted, "orders": there, "responses": dict(responses)}
    return outcome


def post_at_once(post: Callable[[str], T], keys: Sequence[str], times: int) -> list[list[T]]:
    """Post each key so many times at the same moment, one key after another; returns the results by key."""
    start = threading.Barrier(times)

    def one(key: str) -> T:
        start.wait()
        return post(key)

    with ThreadPoolExecutor(times) as pool:
        return [list(pool.map(one, [key] * times)) for key in keys]


@fault("one succeeds, in each round", LOADS)
def refunds_at_once(live: Live, scale: Scale) -> Outcome:
    """50 simultaneous refunds of 60 % of one invoice."""
    outcome, before, refused = Outcome(), Order.objects.count(), Counter[str]()
    rounds = 20 if scale is WHOLE else 2
    with Traffic(live.system, rounds, f"refunds-{before}", methods=(VISA,), carriers=False) as traffic:
        pass
    outcome.wrong += live.come_to_rest()
    paid = Invoice.objects.filter(order__in=[order.number for order in traffic.placed], status="paid")
    for invoice in paid:
        sixty_percent = Money.of_minor(invoice.total_minor * 6 // 10, invoice.currency)
        responses = at_once(*[partial(refund_in_part, InvoiceNumber(invoice.number), sixty_percent, "load")] * 50)
        given = sum(isinstance(response, Invoice) for response in responses)
        outcome.require(given == 1, f"{invoice.number}: {given} refunds of 60 %")
        refused.update(type(response).__name__ for response in responses if not isinstance(response, Invoice))
    check_the_end(live, traffic, outcome, before)
    outcome.require(set(refused) == {"MoreThanIsLeft"}, f"refused for another reason: {dict(refused)}")
    outcome.n |= {"invoices": paid.count(), "refunds a round": 50, "refused": dict(refused)}
    return outcome


@fault("all of them finish", LOADS)
def burst(live: Live, scale: Scale) -> Outcome:
    """10,000 orders in a burst, with Redis down for 60 s in the middle."""
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
    check_the_end(live, traffic, outcome, before)
    outcome.n |= {
        "seconds without Redis": down,
        "placed after s": round(placed_after),
        "at rest after s": round(time.monotonic() - began),
    }
    return outcome
