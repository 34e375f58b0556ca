"""The past that `past.as_of` computes equals copies of the tables made at the time, for every aggregate.

A shop's sales are replayed on a test clock, with cancellations and stock corrections in between. The observer knows
nothing of events or snapshots: it copies rows by SELECT. In the suite it observes sixty generated orders;
`OBSERVED_ORDERS=2000 OBSERVED_SALES=export.csv.gz` takes that many of a real export.
"""

import csv
import os
from collections import Counter, defaultdict
from collections.abc import Callable
from datetime import datetime, timedelta
from hashlib import sha256
from io import StringIO
from pathlib import Path
from random import Random
from typing import Any

import pytest
from django.core.management import call_command
from django.db import models

from config.shop import carry, replay
from config.shop.sales_rows import COLUMNS
from config.verification import verify
from integration.aggregates import past
from integration.aggregates import unit_of_work as unit_of_work_module
from integration.aggregates.aggregate import Aggregate
from integration.aggregates.rebuild import aggregates
from integration.aggregates.snapshots import EVERY, Snapshot
from integration.domain import clock
from integration.domain.errors import DomainError
from integration.domain.identifiers import OrderNumber, Sku
from inventory.commands import adjust_stock
from inventory.models import StockItem
from ordering.commands import cancel_order
from ordering.models import CancellationReason, Order

ORDERS = int(os.environ.get("OBSERVED_ORDERS", "60"))
SALES = os.environ.get("OBSERVED_SALES")
LOOKS = 20
STOCK = 500 if SALES else 200
"""Opening stock of each product: too few of the products that sell best."""
SNAPSHOT_EVERY = EVERY if SALES else 3
"""In the suite snapshots are so frequent that most past states are computed from one."""

OF_AN_ORDER = {"ordering", "inventory", "billing", "fulfillment"}
"""The contexts that orders pass through. A context that is added later may have no row."""

Copy = dict[str, str]
"""The digest of an aggregate's row and its parts' rows, by the aggregate's key."""


class Observer:
    """Copies the tables at random times of a replay, and in between moves the clock and makes changes."""

    def __init__(self, seed: int, later: Callable[[timedelta], None]) -> None:
        self.looks: dict[datetime, dict[type[Aggregate], Copy]] = {}
        self._chance, self._later = Random(seed), later

    def meanwhile(self, act: Callable[..., Any]) -> Callable[..., Any]:
        """The same function, which afterwards makes other changes and may copy the tables."""

        def acting(*args: Any, **options: Any) -> Any:
            result = act(*args, **options)
            self._make_changes()
            if len(self.looks) < LOOKS and self._chance.random() < LOOKS / ORDERS / 1.5:
                self.look()
            return result

        return acting

    def look(self) -> None:
        """Copy all aggregates; later changes have a later time."""
        self.looks[clock.now()] = {model: copy_of(model) for model in aggregates()}

    def _make_changes(self) -> None:
        self._later(timedelta(seconds=self._chance.uniform(0, 30)))
        try:
            if self._chance.random() < 0.05:
                order = self._one_of(Order)
                cancel_order(OrderNumber(order), CancellationReason.BY_BUYER, "I changed my mind")
            if self._chance.random() < 0.05:
                adjust_stock(Sku(self._one_of(StockItem)), self._chance.choice([-2, 1, 40]), "counted")
        except DomainError:
            return  # too late for this change

    def _one_of(self, model: type[Aggregate]) -> str:
        return self._chance.choice(list(model.objects.order_by("pk").values_list("pk", flat=True)) or ["R-0"])


def copy_of(model: type[Aggregate]) -> Copy:
    """The digests of all aggregates of a kind, from their tables."""
    columns = names_of(model)
    rows_by_key: dict[str, list[Any]] = {
        row[0]: [row[1:]] for row in model.objects.values_list("pk", *columns).iterator()
    }
    for accessor in model.parts.values():
        relation: Any = model._meta.get_field(accessor)
        rows = relation.related_model.objects.order_by("pk")
        of: dict[str, list[Any]] = defaultdict(list)
        for owner, *row in rows.values_list(relation.field.attname, *names_of(relation.related_model)).iterator():
            of[owner].append(tuple(row))
        for key, row_and_parts in rows_by_key.items():
            row_and_parts.append(of[key])
    return {key: digest(row_and_parts) for key, row_and_parts in rows_by_key.items()}


def names_of(model: type[models.Model]) -> list[str]:
    return [
        field.attname for field in model._meta.concrete_fields if field.attname != "id" or issubclass(model, Aggregate)
    ]


def facts_of(aggregate: Aggregate) -> str:
    """The digest of an aggregate in memory."""

    def values(row: models.Model) -> tuple[Any, ...]:
        return tuple(getattr(row, name) for name in names_of(type(row)))

    return digest(
        [values(aggregate), *[[values(part) for part in getattr(aggregate, name)] for name in aggregate.parts]]
    )


def digest(values: Any) -> str:
    return sha256(repr(_plain(values)).encode()).hexdigest()[:16]


def _plain(value: Any) -> Any:
    """A value that is equal for an enum's member and its value, and for a time in any time zone."""
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, dict):
        return sorted((key, _plain(each)) for key, each in value.items())
    if isinstance(value, datetime):
        return value.timestamp()
    return str(value) if isinstance(value, str) else value


@pytest.fixture
def sales(tmp_path: Path) -> Path:
    """A sales export: the named one, or else a generated one with as many long orders as real exports have."""
    if SALES:
        return Path(SALES)
    chance = Random(1)
    goods = [
        (f"{10_000 + n}{chance.choice(['', 'A', 'B'])}", f"THING {n}", chance.choice(["0.85", "2.55", "12.75"]))
        for n in range(40)
    ]
    with (tmp_path / "sales.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for invoice in range(536_365, 536_365 + ORDERS):
            customer = 12_346 + chance.randrange(ORDERS // 3)
            for sku, name, price in chance.sample(goods, min(40, 1 + int(chance.lognormvariate(1.2, 1)))):
                quantity = min(1_000, 1 + int(chance.lognormvariate(1.8, 1.2)))
                row = (invoice, sku, name, quantity, "2010-12-01 08:26:00", price, customer, "United Kingdom")
                writer.writerow(row)
    return tmp_path / "sales.csv"


@pytest.fixture
def observer(later: Callable[[timedelta], None], monkeypatch: pytest.MonkeyPatch) -> Observer:
    """An observer that acts after a replay has placed an order or handled deliveries."""
    observer = Observer(2026, later)
    monkeypatch.setattr(replay, "place", observer.meanwhile(replay.place))
    monkeypatch.setattr(carry, "deliver_due", observer.meanwhile(carry.deliver_due))
    monkeypatch.setattr(unit_of_work_module, "EVERY", SNAPSHOT_EVERY)
    return observer


def differences(observer: Observer, context: str) -> tuple[int, list[str]]:
    """How many past states of a context's aggregates were compared with the copies, and the ones that differ."""
    compared, differing = 0, []
    for model in [model for model in aggregates() if model._meta.app_label == context]:
        for key in model.objects.values_list("pk", flat=True):
            for moment, look in observer.looks.items():
                then = past.as_of(model, key, moment)
                compared += 1
                if (then and facts_of(then)) != look[model].get(key):
                    differing.append(f"{model.stream} {key} at {moment}: computed as {then and vars(then)}")
    return compared, differing


@pytest.mark.django_db
@pytest.mark.parametrize("context", sorted({model._meta.app_label for model in aggregates()}))
def test_the_computed_past_equals_the_observed_past(context: str, observer: Observer, sales: Path) -> None:
    call_command("replay_sales", sales, limit=ORDERS, stock=STOCK, ship=True, stdout=StringIO())
    while len(observer.looks) < LOOKS:
        observer.look()
        observer._make_changes()

    ends = Counter(Order.objects.values_list("status", "cancellation_reason"))
    assert sum(ends.values()) == ORDERS
    assert {("delivered", ""), ("cancelled", "out_of_stock"), ("cancelled", "by_buyer")} <= set(ends)
    compared, differing = differences(observer, context)
    print(f"\n{compared:,} states at {len(observer.looks)} moments of {ORDERS:,} orders, {len(differing):,} differ;"
          f" {Snapshot.objects.count():,} snapshots; {dict(ends)}")  # fmt: skip
    assert differing == []
    assert compared >= LOOKS * ends["delivered", ""] or context not in OF_AN_ORDER
    assert len({frozenset(look[Order].items()) for look in observer.looks.values()}) > LOOKS / 2
    assert verify(["events."])["events.rows_are_their_histories"].offenders == []


@pytest.mark.django_db
def test_an_observer_finds_a_past_that_is_computed_wrong(
    observer: Observer, sales: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unit_of_work_module, "EVERY", EVERY)
    call_command("replay_sales", sales, limit=3, stock=STOCK, stdout=StringIO())
    observer.look()
    assert differences(observer, "ordering")[1] == []

    monkeypatch.setattr(Order, "_appliers", {**Order._appliers, **_without_effect(Order, "OrderConfirmed")})
    differing = differences(observer, "ordering")[1]
    assert differing != []
    assert all(line.startswith("order R-") for line in differing)


def _without_effect(model: type[Aggregate], event_name: str) -> dict[Any, Any]:
    return {event: lambda self, event: None for event in model._appliers if event.__name__ == event_name}
