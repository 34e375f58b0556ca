"""The costs of commands and reactions equal those recorded in docs/costs.json, so that no cost rises unnoticed.

An order of 2,000 lines takes as many statements as one of three.
"""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connection, transaction

from fulfillment.commands import dispatch_shipment
from fulfillment.models import Shipment
from integration.aggregates.direct_writes import bypassing_history
from integration.domain import clock
from integration.domain.address import Address
from integration.domain.identifiers import BuyerId, PaymentMethodId, ShipmentId, Sku
from integration.domain.money import Money
from integration.messaging.consumers import consumers
from integration.messaging.deliver import deliver_due
from integration.messaging.models import Delivery, Status
from integration.messaging.wakeups import DeliveryQueue
from inventory.commands import stock_up
from inventory.models import Reservation
from ordering.commands import list_products, place_order
from ordering.models import Order, Product
from tests import costs
from tests.costs import BATCH, Cost, Meter, Walk, only

READS = {
    *("ordering.buyer_of_user", "ordering.cart_token", "ordering.opens_cart", "ordering.register_buyer_if_new"),
    *("billing.find_method", "billing.payment_now"),
}
"""Functions of the `commands` modules that screens call, but that are not commands: they only read."""

REACTIONS = [
    ("inventory.reserve-stock", False),
    ("billing.issue-invoice", False),
    ("billing.request-payment", False),
    ("ordering.await-payment", False),
    ("billing.collect-payment", True),
    ("ordering.confirm-paid-order", False),
    ("inventory.commit-reservation", False),
    ("fulfillment.arrange-shipment", False),
    ("inventory.take-off-the-shelf", False),
    ("ordering.note-dispatch", False),
]
"""The reactions to a placed order, in order, and whether each is external."""

Count = Callable[[], Any]


@pytest.fixture
def committing(transactional_db: None) -> Iterator[None]:
    """Transactions that really commit. On PostgreSQL a commit does not wait for fsync: no test here measures time."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET synchronous_commit = off")
        yield
        if connection.vendor == "postgresql":
            cursor.execute("RESET synchronous_commit")


def test_the_costs_are_the_recorded_ones(
    committing: None, woken: list[DeliveryQueue], request: pytest.FixtureRequest
) -> None:
    alone, together = (Walk(Meter(woken), orders, tag) for orders, tag in ((1, "A"), (BATCH, "B")))
    for walk in (alone, together):
        walk.run_everything()
    seen = costs.as_recorded(alone, together)
    if request.config.getoption("--record-costs"):
        costs.record(seen)
    assert json.loads(json.dumps(seen)) == costs.recorded(), "if the new costs are right, run `make costs`"
    assert set(alone.reactions) >= _reactions_of_contexts(), "tests/costs.py does not run these reactions"
    assert {name.partition(",")[0] for name in alone.commands} >= _commands_of_screens() - READS


def _reactions_of_contexts() -> set[str]:
    """The reactions of our contexts, without those that other tests registered."""
    ours = {name for name, each in consumers.items() if each.handle.__module__.partition(".")[0] in settings.CONTEXTS}
    assert len(ours) > 20
    return ours


def _commands_of_screens() -> set[str]:
    """The commands that the API and the admin call."""
    root, given = Path(settings.BASE_DIR), set()
    for context in settings.CONTEXTS:
        folder = root / context
        for screen in [
            path for name in ("api", "admin") for glob in (f"{name}.py", f"{name}/*.py") for path in folder.glob(glob)
        ]:
            given |= {f"{context}.{name}" for name in re.findall(r"\bcommands\.(\w+)\(", screen.read_text())}
    assert len(given) > 10
    return given


# --- Counting ---


def test_a_commit_counts_if_it_changed_rows(committing: None, woken: list[DeliveryQueue]) -> None:
    list_products([(Sku("MUG"), "Mug", "", Money("1", "USD"))])
    mug = Product.objects.filter(pk="MUG")

    def several() -> None:
        mug.update(name="one of its own")
        mug.exists()
        with transaction.atomic():
            mug.update(name="two in")
            mug.update(name="one")
        with transaction.atomic():
            mug.filter(name="no such name").update(name="nothing")
        with transaction.atomic():
            mug.update(name="taken back")
            transaction.set_rollback(True)

    with bypassing_history():
        cost = Meter(woken).cost_of(several)
    assert cost == Cost(statements=6, commits=2, messages=0, wake_ups=0)


# --- Lines ---


def _statements_to_handle(consumer: str, statements: Count, external: bool = False) -> int:
    """The number of statements that handle the due delivery of a consumer."""
    with only(consumer), statements() as seen:
        assert deliver_due(DeliveryQueue(consumer.partition(".")[0], external)) == 1
    assert Delivery.objects.get(consumer=consumer).status == Status.DONE
    return len(seen)


@pytest.mark.django_db
def test_an_order_of_many_lines_takes_as_many_statements_as_a_small_one(address: Address, statements: Count) -> None:
    skus = [Sku(f"SKU-{n}") for n in range(2_000)]
    list_products([(sku, sku, "", Money("1", "USD")) for sku in skus])
    stock_up([(sku, 1_000) for sku in skus])
    Delivery.objects.update(status=Status.DONE, done_at=clock.now())
    with statements() as placing:
        place_order(BuyerId("B-1"), [(sku, 2) for sku in skus], address, PaymentMethodId("pm_card_visa"))
    reactions = {}
    for consumer, external in REACTIONS:
        if consumer == "inventory.take-off-the-shelf":
            dispatch_shipment(ShipmentId(Shipment.objects.get().id), "DHL", "JD0143")
        reactions[consumer] = _statements_to_handle(consumer, statements, external)
    assert (Order.objects.get().status, Reservation.objects.get().status) == ("shipped", "shipped")
    recorded = costs.recorded()
    assert len(placing) == Cost(*recorded["commands"]["ordering.place_order, the buyer's first"]["alone"]).statements
    assert reactions == {name: Cost(*recorded["reactions"][name]["alone"]).statements for name in reactions}


@pytest.mark.django_db
def test_placing_an_order_reads_the_buyer_once(address: Address, statements: Count) -> None:
    list_products([(Sku("MUG"), "Mug", "", Money("1", "USD"))])
    counts = []
    for _ in range(2):
        with statements() as placing:
            place_order(BuyerId("B-1"), [(Sku("MUG"), 2)], address, PaymentMethodId("pm_card_visa"))
        counts.append(sum(sql.split()[0] == "SELECT" and '"ordering_buyer"' in sql for sql in placing))
    assert counts == [1, 1]
