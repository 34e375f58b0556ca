"""A simulation runs until its shop is at rest. Then every check must find no offender."""

import json
from datetime import timedelta
from hashlib import blake2b
from typing import Any

from django.apps import apps
from django.conf import settings
from django.db.models import Count
from msgspec import Struct

from billing.reconciliation import reconcile
from config.simulation.aftercare import Aftercare
from config.simulation.people import Buyers, Provider, Warehouse, furnish
from config.simulation.workers import Workers
from config.simulation.world import BEGINNING, World
from config.verification import verify
from integration.domain import clock
from integration.history.entries import HistoryEntry
from integration.messaging.models import Delivery, Status
from integration.messaging.wakeups import wakeups_handled_by
from integration.read_models.catch_up import catch_up_all
from ordering.models import Order

LONGEST = timedelta(hours=12)
"""Virtual time after which a shop that is not at rest is an offender."""
FACTS = (
    *("id", "stream", "stream_id", "version", "name", "schema_version", "data"),
    *("occurred_at", "correlation_id", "causation_id", "actor"),
)


class Outcome(Struct, frozen=True):
    """The result of a simulation.

    Args:
        history: the hash of every domain event of every context, with its metadata.
        orders: how many orders have which status.
        deliveries: how many deliveries have which status.
        tally: how often each simulated failure happened.
        virtual_time: the duration by the virtual clock.
        checks: how many rows each check read.
        offenders: everything that is wrong, as sentences.
    """

    history: str
    orders: dict[str, int]
    deliveries: dict[str, int]
    tally: dict[str, int]
    virtual_time: timedelta
    checks: dict[str, int]
    offenders: list[str]


def simulate(seed: int, orders: int) -> Outcome:
    """Run a shop with this many orders in an empty, migrated database, until it is at rest."""
    world, failure_rate = World(seed), settings.SANDBOX_FAILURE_RATE
    with world.begun():
        workers = Workers(world)
        try:
            with wakeups_handled_by(workers.wake):
                furnish(orders)
                carrier = Buyers(world, orders).carrier
                Warehouse(world, carrier.operator)
                Provider(world, orders)
                _run_until_at_rest(world, carrier.aftercare)
        finally:
            settings.SANDBOX_FAILURE_RATE = failure_rate
        return _judge(world, orders)


def _run_until_at_rest(world: World, aftercare: Aftercare) -> None:
    unhandled = Delivery.objects.filter(status__in=[Status.PENDING, Status.DEAD])
    while world.awaits_something or unhandled.all().exists() or aftercare.is_awaited:
        if world.elapsed > LONGEST:
            world.offenders.append(f"the shop is not at rest after {world.elapsed}")
            return
        world.go_on()


def _judge(world: World, orders: int) -> Outcome:
    history, virtual_time = _hash_of_history(), world.elapsed
    settings_rate, settings.SANDBOX_FAILURE_RATE = settings.SANDBOX_FAILURE_RATE, 0.0
    clock.advance(timedelta(hours=1))  # so that no payment is too recent to be compared with the provider's books
    catch_up_all()
    findings = verify()
    books = reconcile(BEGINNING)
    settings.SANDBOX_FAILURE_RATE = settings_rate
    ends = _counted(Order.objects.values_list("status", "cancellation_reason"))
    placed = Order.objects.filter(replaces="").count()
    if placed != orders:
        world.offenders.append(f"{placed} orders, but {orders} were wanted")
    return Outcome(
        history=history,
        orders=ends,
        deliveries=_counted(Delivery.objects.values_list("status")),
        tally=dict(sorted(world.tally.items())),
        virtual_time=virtual_time,
        checks={**{name: finding.looked_at for name, finding in findings.items()}, "provider": books.looked_at},
        offenders=[
            *world.offenders,
            *(f"{name}: {what}" for name, finding in findings.items() for what in finding.complaints),
            *(f"provider: {key}: {what}" for key, what in books.discrepancies.items()),
            *(f"provider: {key}: had to be repaired at rest" for key in books.repaired),
        ],
    )


def _counted(rows: Any) -> dict[str, int]:
    counted = rows.order_by().annotate(n=Count("pk"))
    return {" ".join(filter(None, names)): n for *names, n in sorted(counted)}


def _hash_of_history() -> str:
    digest = blake2b(digest_size=16)
    for table in apps.get_models():
        if issubclass(table, HistoryEntry):
            for facts in table.objects.order_by("id").values_list(*FACTS):
                digest.update(json.dumps([table._meta.label, *facts], sort_keys=True, default=str).encode())
    return digest.hexdigest()
