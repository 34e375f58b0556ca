"""Thousands of payments and refunds at a provider whose connection breaks, and whose callbacks come in any order.

`python -m tests.chaos.payments_at_random 10000 --seconds 180` runs on the database of the settings, which holds nothing
but such payments, prints what happened, and goes on where the last run stopped.
`tests/chaos/test_payments_at_random.py` runs a short form.
"""

import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from random import Random
from typing import Any

BEFORE, AFTER = 0.1, 0.4
"""Below the first number the request is lost, and from there up to the second the response."""
VOIDED, TOGETHER = 0.3, 100
QUEUES = (False, True)


class Offence(AssertionError):
    """The two books differ, or money was moved twice or not at all."""


def play(payments: int, random: Random, already: int = 0, seconds: float = float("inf")) -> Counter[str]:
    """Collect payments, refund a part of them, and compare both books; returns what was counted.

    Args:
        payments: how many there are at the end.
        random: decides what is lost, and who is refunded.
        already: how many there are at the beginning.
        seconds: after which no further ones begin.

    Raises:
        Offence: what went wrong.
    """
    from integration.domain import clock

    tally: Counter[str] = Counter()
    began = clock.stopwatch()
    with _breaking(random, tally):
        while already < payments and clock.stopwatch() - began < seconds:
            orders = [f"R-{n}" for n in range(already + 1, min(already + TOGETHER, payments) + 1)]
            _run(orders, random, tally)
            already += len(orders)
    _check(already, tally)
    return tally


@contextmanager
def _breaking(random: Random, tally: Counter[str]) -> Iterator[None]:
    """Lose requests to charge and to refund, and their responses."""
    from billing.gateways import OutcomeUnknown
    from billing.gateways.sandbox.adapter import SandboxProvider

    def losing(call: Any) -> Any:
        def lose(self: SandboxProvider, *args: Any, **options: Any) -> Any:
            chance = random.random()
            if chance < BEFORE:
                tally["requests lost"] += 1
                raise OutcomeUnknown
            booked = call(self, *args, **options)
            if chance < AFTER:
                tally["responses lost"] += 1
                raise OutcomeUnknown
            return booked

        return lose

    charge, refund = SandboxProvider.charge, SandboxProvider.refund
    SandboxProvider.charge, SandboxProvider.refund = losing(charge), losing(refund)  # type: ignore[method-assign]
    try:
        yield
    finally:
        SandboxProvider.charge, SandboxProvider.refund = charge, refund  # type: ignore[method-assign]


def _run(orders: list[str], random: Random, tally: Counter[str]) -> None:
    """Carry some orders' money to the end: paid or declined, some refunded, with all callbacks twice and shuffled."""
    from billing import commands
    from billing.events import InvoicedLine
    from billing.gateways.sandbox.adapter import DECLINES
    from billing.models import Payment, Refund
    from integration.aggregates.unit_of_work import unit_of_work
    from integration.domain.identifiers import BuyerId, OrderNumber, PaymentMethodId, Sku
    from integration.domain.money import Money

    cost, nothing = Money("19.90", "USD"), Money.zero("USD")
    line = InvoicedLine(Sku("MUG"), "Mug", 1, cost, cost)
    with unit_of_work():
        for order in orders:
            method = PaymentMethodId(random.choice(["pm_card_visa"] * 9 + sorted(DECLINES)[:1]))
            commands.issue_invoice(
                OrderNumber(order), payer=BuyerId("B-1"), payment_method=method, lines=[line],
                discount=nothing, shipping=nothing, total=cost,
            )  # fmt: skip
            commands.request_payment(OrderNumber(order))
    _deliver(Payment, {"succeeded", "failed"}, orders, random, tally)
    voided = [order for order in orders if random.random() < VOIDED]
    with unit_of_work():
        for order in voided:
            commands.void_invoice(OrderNumber(order), "by_buyer")
    _deliver(Refund, {"issued"}, voided, random, tally)


def _deliver(model: Any, ends: set[str], orders: list[str], random: Random, tally: Counter[str]) -> None:
    """Deliver, move the due times forward, and send callbacks, until every row has come to an end."""
    from integration.domain import clock
    from integration.messaging.deliver import deliver_due
    from integration.messaging.models import Delivery
    from integration.messaging.wakeups import DeliveryQueue

    waiting = Delivery.objects.filter(context="billing", status="pending", in_flight=False)
    while True:
        for external in QUEUES:
            deliver_due(DeliveryQueue("billing", external))
        _call_back(model, orders, random, tally)
        if not model.objects.filter(order__in=orders).exclude(status__in=ends).exists() and not waiting.exists():
            return
        waiting.update(due_at=clock.now() - timedelta(seconds=1))


def _call_back(model: Any, orders: list[str], random: Random, tally: Counter[str]) -> None:
    """Send each callback of what the provider has by now, or none, once or twice, in any order."""
    from billing.commands import note_call_back
    from billing.gateways.sandbox.adapter import adapter
    from billing.gateways.sandbox.models import Transaction

    keys = [row.idempotency_key for row in model.objects.filter(order__in=orders)]
    there = Transaction.objects.filter(pk__in=keys).values_list("pk", flat=True)
    sent = [key for key in there for _ in range(random.choice([0, 1, 2]))]
    random.shuffle(sent)
    for key in sent:
        note_call_back("sandbox", adapter.read_call_back(*adapter.call_back(key)))
    tally["callbacks"] += len(sent)


def _check(payments: int, tally: Counter[str]) -> None:
    from billing.gateways import Charged, Refunded
    from billing.gateways.sandbox.adapter import adapter
    from billing.models import Payment, Refund
    from billing.reconciliation import compare
    from integration.domain import clock

    since = clock.now() - timedelta(days=1)
    with clock.moved(timedelta(minutes=5)):
        looked_at, differences = compare(since)
    theirs = {booked.key: booked for booked in adapter.books(since)}
    charged = {key for key, booked in theirs.items() if isinstance(booked.outcome, Charged)}
    refunded = {key for key, booked in theirs.items() if isinstance(booked.outcome, Refunded)}
    paid = {row.idempotency_key for row in Payment.objects.filter(status="succeeded")}
    issued = {row.idempotency_key for row in Refund.objects.filter(status="issued")}
    tally.update(compared=looked_at, charged=len(charged), refunded=len(refunded))
    if differences or charged != paid or refunded != issued or Payment.objects.count() != payments:
        raise Offence(f"{len(differences)} differences, {charged ^ paid or refunded ^ issued}")
    if Refund.objects.exclude(status="issued").exists():
        raise Offence("a refund was lost")


if __name__ == "__main__":
    import os

    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    django.setup()
    from billing.models import Payment

    there = Payment.objects.count()
    limit = float(sys.argv[3]) if sys.argv[2:3] == ["--seconds"] else float("inf")
    print(there, dict(play(int(sys.argv[1]), Random(17 + there), there, limit)))
