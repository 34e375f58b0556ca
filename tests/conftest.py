"""Fixtures of all tests: a small shop, orders in it, delivery of messages within the process, and common assertions.

No message leaves the process. Wake-ups are recorded instead of sent to a broker, except in tests marked `system`.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.apps import apps
from django.db import connection, models
from django.db.migrations.executor import MigrationExecutor
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from pytest_django import Settings

from integration.aggregates import past
from integration.aggregates.aggregate import Aggregate
from integration.aggregates.unit_of_work import unit_of_work
from integration.contracts import IntegrationEvent
from integration.domain import clock
from integration.domain.address import Address
from integration.domain.errors import NotYet
from integration.domain.identifiers import BuyerId, OrderNumber, PaymentMethodId, Sku
from integration.domain.money import Money
from integration.domain.states import IGNORE, NOT_YET, REFUSE, STAY, NotAllowed
from integration.history.append_only import histories, protect, unprotect
from integration.history.entries import history_of
from integration.messaging import deliver, external, parking, wakeups
from integration.messaging.claim import due_delivery_queues
from integration.messaging.deliver import deliver_due
from integration.messaging.models import Delivery, Message
from integration.messaging.publish import publish
from integration.messaging.wakeups import DeliveryQueue
from inventory.commands import stock_up
from ordering.commands import list_products, place_order

pytest_plugins = ["tests.not_run"]

# No test fails because the machine is busy: Hypothesis measures neither how long an example takes nor its generation.
hypothesis_settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
hypothesis_settings.load_profile("untimed")
hypothesis_settings.register_profile("chaos", max_examples=2_000, stateful_step_count=100)
hypothesis_settings.register_profile("thorough", max_examples=500)
if "HYPOTHESIS_PROFILE" in os.environ:  # chaos and thorough: many more examples of every property
    hypothesis_settings.load_profile(os.environ["HYPOTHESIS_PROFILE"])

GOODS = {"MUG": ("12.50", 100), "LAMP": ("80.00", 20), "ATLAS": ("1000.00", 9), "RELIC": ("49.99", 0)}
"""The price in USD and the stock of each SKU."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--record-costs", action="store_true", help="write today's costs to docs/costs.json")


@pytest.fixture(autouse=True)
def woken(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> list[DeliveryQueue]:
    """The delivery queues that were woken, in order. Only tests marked `system` send wake-ups to a real broker."""
    delivery_queues: list[DeliveryQueue] = []
    monkeypatch.setattr(wakeups, "_quiet_until", 0.0)
    monkeypatch.setattr(wakeups._thread, "producer", None)
    monkeypatch.setattr(wakeups._thread, "opening", None)
    if request.node.get_closest_marker("system") is None:
        monkeypatch.setattr(wakeups, "_keys", lambda: None)
        monkeypatch.setattr(wakeups, "_producer", lambda: None)
        monkeypatch.setattr(
            wakeups.current_app,
            "send_task",
            lambda name, args=(), **kwargs: delivery_queues.append(DeliveryQueue(*args)),
        )
    return delivery_queues


@pytest.fixture(autouse=True)
def sandbox_carrier(settings: Settings) -> None:
    """Let the tests on servers use the sandbox carrier, which only the embedded mode has by default."""
    settings.CARRIERS = ["sandbox"]


@pytest.fixture(autouse=True)
def no_time_limits(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let one wake-up handle all due deliveries, and no time limit split a batch, however slow the machine is.

    A test with a stopped clock keeps the limits of a batch, because there only the test lets time pass. What earlier
    tests left in the process, such as batch sizes, is cleared.
    """
    monkeypatch.setattr(deliver, "CALLS_HAVE_THREADS", False)
    monkeypatch.setattr(deliver, "LONGEST_WAKE", float("inf"))
    monkeypatch.setattr(deliver, "LONGEST_CLAIM", float("inf"))
    if "stopped_clock" not in request.fixturenames:
        monkeypatch.setattr(deliver, "LONGEST_HANDLING", float("inf"))
        monkeypatch.setattr(external, "LONGEST_CALLING", float("inf"))
    external.claim_sizes.clear()
    deliver.batch_sizes.clear()
    parking.obstructed.clear()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Run one worker more than there are cores: the tests of whole systems wait for them most of the time."""
    return (os.cpu_count() or 1) + 1


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Let one worker run all tests of the whole system: two systems at a time would only slow each other down.

    The check of all pages needs a system that is at rest, so another worker may run it meanwhile.
    """
    from xdist.scheduler import LoadScopeScheduling

    class OneSystemAtATime(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            if nodeid.startswith("tests/system/test_accessible_pages.py"):
                return "pages"
            return "system" if nodeid.startswith("tests/system/") else nodeid

    return OneSystemAtATime(config, log)


@pytest.fixture(autouse=True, scope="session")
def flush_of_append_only_tables() -> Iterator[None]:
    """Let Django empty the append-only tables after a test that commits.

    The triggers that protect the histories are dropped for that statement and created again after it.
    """
    operations = type(connection.ops)
    flush = operations.sql_flush

    def sql_flush(self: Any, style: Any, tables: Sequence[str], **options: Any) -> list[str]:
        return [*_all(unprotect), *flush(self, style, tables, **options), *_all(protect)]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(operations, "sql_flush", sql_flush)
        yield


@pytest.fixture(autouse=True)
def whole_schema(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Fail a test that migrates back and leaves migrations unapplied: the tests after it would have fewer columns."""
    migrate, left = MigrationExecutor.migrate, []

    def migrate_and_look(self: MigrationExecutor, *args: Any, **options: Any) -> Any:
        after = migrate(self, *args, **options)
        now = MigrationExecutor(self.connection)
        left[:] = now.migration_plan(now.loader.graph.leaf_nodes())
        return after

    monkeypatch.setattr(MigrationExecutor, "migrate", migrate_and_look)
    yield
    assert left == []


@pytest.fixture
def unprotected_history(db: None) -> None:
    """Drop the triggers that protect the histories until the end of the test, so that the test can change histories."""
    with connection.cursor() as cursor:
        for statement in _all(unprotect):
            cursor.execute(statement)


def _all(statements: Callable[[str, str], list[str]]) -> list[str]:
    return [sql for table in histories() for sql in statements(table, connection.vendor)]


# --- The shop ---


@pytest.fixture
def address() -> Address:
    return Address("Ada Lovelace", "12 St James's Square", "London", "SW1Y 4JH", "GB")


@pytest.fixture
def shop(db: None, drain: Callable[..., int]) -> Mapping[str, tuple[str, int]]:
    """The goods of the shop, by SKU: listed, in stock, and known to every context."""
    list_products([(Sku(sku), sku.title(), "", Money(price, "USD")) for sku, (price, _) in GOODS.items()])
    stock_up([(Sku(sku), stock) for sku, (_, stock) in GOODS.items() if stock])
    drain()
    return GOODS


@pytest.fixture
def placed(shop: object, address: Address) -> Callable[..., OrderNumber]:
    """A function that places an order: `placed({"MUG": 2}, method="pm_card_visa", buyer="B-1")`.

    Every argument is optional. It returns the order's number.
    """

    def place(
        lines: Mapping[str, int] | None = None,
        *,
        method: str = "pm_card_visa",
        buyer: str = "B-1",
        vouchers: Sequence[str] = (),
    ) -> OrderNumber:
        wanted = [(Sku(sku), quantity) for sku, quantity in (lines or {"MUG": 2, "LAMP": 1}).items()]
        order = place_order(BuyerId(buyer), wanted, address, PaymentMethodId(method), vouchers=vouchers)
        return OrderNumber(order.number)

    return place


# --- Messages between contexts ---


@pytest.fixture
def drain() -> Callable[..., int]:
    """A function that handles all due deliveries, of all contexts or of those named, until none is due.

    It returns the number of attempts. It prints the traceback of each attempt that failed or came too early: pytest
    shows what was printed below the assertion of a test that fails.
    """
    shown = set()

    def until_none_is_due(*contexts: str) -> int:
        attempts = 0
        while delivery_queues := [
            delivery_queue
            for delivery_queue in sorted(due_delivery_queues())
            if not contexts or delivery_queue.context in contexts
        ]:
            attempts += sum(deliver_due(delivery_queue) for delivery_queue in delivery_queues)
        for delivery in Delivery.objects.exclude(traceback="").select_related("message").order_by("id"):
            if (seen := (delivery.pk, delivery.attempts, delivery.error)) not in shown:
                shown.add(seen)
                print(f"{delivery} is {delivery.status} after {delivery.attempts} attempts:\n{delivery.traceback}")
        return attempts

    return until_none_is_due


@pytest.fixture
def publish_all() -> Callable[..., None]:
    """A function that publishes contracts in one unit of work, as another context would."""

    def publish_all(*events: IntegrationEvent) -> None:
        with unit_of_work():
            for event in events:
                publish(event)

    return publish_all


@pytest.fixture
def published() -> Callable[..., list[IntegrationEvent]]:
    """A function that takes contract classes and returns the events of them that were published, oldest first."""

    def events_of(*contracts: type[IntegrationEvent]) -> list[IntegrationEvent]:
        names = [contract.wire_name for contract in contracts]
        return [message.event for message in Message.objects.filter(name__in=names).order_by("id")]

    return events_of


@pytest.fixture
def later() -> Iterator[Callable[[timedelta], None]]:
    """A function that moves the clock forward for the rest of the test."""
    with ExitStack() as moves:
        yield lambda by: moves.enter_context(clock.moved(by))


@pytest.fixture
def cut_line(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> Callable[..., None]:
    """A function that cuts the connection to the payment provider: `cut_line(False, True)` cuts only the second leg.

    Each call to the provider has two legs: the request and the response. Legs that are not named get through.
    """
    settings.SANDBOX_FAILURE_RATE = 1.0
    legs: list[bool] = []
    chance = SimpleNamespace(random=lambda: 0.0 if legs and legs.pop(0) else 1.0)
    monkeypatch.setattr("billing.gateways.sandbox.adapter.random", chance)

    def plan(*cut: bool) -> None:
        legs[:] = cut

    return plan


# --- Assertions ---


@pytest.fixture
def statements() -> Callable[[], AbstractContextManager[list[str]]]:
    """The SQL statements that run inside `with statements() as seen:`, without savepoints.

    A unit of work writes with one statement on PostgreSQL, and with one for each table on SQLite. There only the first
    of them is counted, so that both databases have the same number.
    """

    @contextmanager
    def watch() -> Iterator[list[str]]:
        seen: list[str] = []
        is_written = False

        def see(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
            nonlocal is_written
            if "SAVEPOINT" not in sql and not (many and is_written):
                seen.append(sql)
            is_written = many
            return execute(sql, params, many, context)

        with connection.execute_wrapper(see):
            yield seen

    return watch


@pytest.fixture
def judge_by_table() -> Callable[[Aggregate, str, Callable[[], object]], None]:
    """A function that sends a message to an aggregate and compares the result with the aggregate's state table."""

    def judge(aggregate: Aggregate, message: str, send: Callable[[], object]) -> None:
        before = (aggregate.status, aggregate.version)
        assert aggregate.life is not None
        response = aggregate.life.messages[message][aggregate.status]
        if response is REFUSE:
            with pytest.raises(NotAllowed):
                send()
        elif response is NOT_YET:
            with pytest.raises(NotYet):
                send()
        else:
            send()
        if response in (REFUSE, NOT_YET, IGNORE):
            assert (aggregate.status, aggregate.version) == before
        else:
            assert aggregate.status == (before[0] if response is STAY else response)
            assert aggregate.version > before[1] or aggregate.status == before[0]

    return judge


@pytest.fixture
def compare_rows_with_history() -> Callable[[], set[str]]:
    """A function that rebuilds every aggregate from its history and compares it with its row.

    It returns the stream names of the aggregates that it found.
    """

    def compare() -> set[str]:
        kinds = set()
        for model in apps.get_models():
            for row in model.objects.all() if issubclass(model, Aggregate) else ():
                history = history_of(model._meta.app_label).objects.filter(stream=model.stream, stream_id=row.pk)
                model.load_parts([row])
                assert _facts(past.from_history(model, history.order_by("version"))) == _facts(row)
                assert row.version == history.count()
                kinds.add(model.stream)
        return kinds

    return compare


def _facts(aggregate: Aggregate) -> dict[str, Any]:
    """The fields of an aggregate and of its parts. The primary keys of parts are generated, so they are left out."""
    return {
        **_fields(aggregate),
        **{name: [_fields(part, without="id") for part in getattr(aggregate, name)] for name in aggregate.parts},
    }


def _fields(row: models.Model, without: str = "") -> dict[str, Any]:
    columns: Sequence[Any] = row._meta.concrete_fields
    return {field.attname: getattr(row, field.attname) for field in columns if field.attname != without}


@pytest.fixture
def for_threads(transactional_db: None, tmp_path: Path) -> Iterator[None]:
    """A database that threads can share; request this fixture before others.

    Threads cannot share SQLite's in-memory database, so it is copied into a file for the test.
    """
    if connection.vendor == "postgresql":
        yield
        return
    in_memory, name = connection.connection, connection.settings_dict["NAME"]
    with connection.cursor() as cursor:
        cursor.execute("VACUUM INTO %s", [str(tmp_path / "shared.sqlite3")])
    connection.settings_dict["NAME"], connection.connection = str(tmp_path / "shared.sqlite3"), None
    try:
        yield
    finally:
        connection.close()
        connection.settings_dict["NAME"], connection.connection = name, in_memory
