"""A running system notices nothing of any migration that the rules of operations.md allow."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from typing import Any

import pytest
import pytest_django
from django.conf import settings
from django.contrib.postgres.operations import AddConstraintNotValid, AddIndexConcurrently, ValidateConstraint
from django.db import OperationalError, connection, migrations, models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.state import ProjectState
from django.db.utils import ConnectionHandler
from psycopg.errors import LockNotAvailable
from running_system import Client, System, eventually

from config.database import database
from integration.storage.limits import Limits, limited
from tests.upgrades.rules import violations

pytestmark = [
    pytest.mark.system,
    pytest.mark.postgres,
    pytest.mark.skipif(settings.EMBEDDED or connection.vendor != "postgresql", reason="SQLite has one writer anyway"),
]
MUG = {"MUG-ENAMEL-CREAM": 1}
USED = [("ordering", "order"), ("ordering", "buyer"), ("integration", "delivery"), ("inventory", "stockitem")]
"""Models whose tables each order uses."""


class Load:
    """Clients that place, read and list orders until the end of the block."""

    def __init__(self, buyer: Client) -> None:
        self.statuses: Counter[tuple[str, int]] = Counter()
        self.placed: list[str] = []
        self._buyer = buyer
        self._is_over = threading.Event()
        self._threads = [threading.Thread(target=self._use) for _ in range(4)]

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._is_over.set()
        for thread in self._threads:
            thread.join()

    def wait_for(self, more: int) -> None:
        """Wait until so many more orders have been placed."""
        until = len(self.placed) + more
        eventually(lambda: len(self.placed), lambda placed: placed >= until, f"{more} more orders")

    def _use(self) -> None:
        while not self._is_over.is_set():
            order = {"lines": [{"sku": sku, "quantity": n} for sku, n in MUG.items()], **ORDER}
            response = self._buyer.post("/orders", order)
            self.statuses["POST /orders", response.status] += 1
            if response.status != 201:
                continue
            self.placed.append(response.body["number"])
            for path in (f"/orders/{self.placed[-1]}", "/orders", "/me", f"/orders/{self.placed[-1]}/timeline"):
                self.statuses[f"GET {path.rpartition('/')[2][:8]}", self._buyer.get(path).status] += 1
            changed = self._buyer.ask("PATCH", "/api/v1/me", {"name": f"Ada {len(self.placed)}"})
            self.statuses["PATCH /me", changed.status] += 1
            time.sleep(0.15)  # the stock must last


ORDER = {
    "payment_method": "pm_card_visa",
    "shipping_address": {
        "recipient": "Ada Lovelace", "street": "1 Row", "city": "London", "postal_code": "W1", "country": "GB",
    },
}  # fmt: skip


def wider(state: ProjectState, app: str, model: str) -> Iterator[migrations.AlterField]:
    """Widen every text column of a model that has a length and no key."""
    for name, field in state.models[app, model].fields.items():
        if type(field) is models.CharField and not field.primary_key and field.max_length:
            field = field.clone()
            field.max_length += 20
            yield migrations.AlterField(model, name, field)


def plan(state: ProjectState, app: str, model: str) -> Iterator[tuple[Sequence[Any], bool]]:
    """Operations of every kind that is allowed for a used table, and whether they run in a transaction."""
    check = models.CheckConstraint(condition=models.Q(tried_number__gte=0), name=f"{model}_tried_number")
    yield [migrations.AddField(model, "tried_text", models.CharField(max_length=20, null=True))], True
    yield [migrations.AddField(model, "tried_flag", models.BooleanField(db_default=False, default=False))], True
    yield [migrations.AddField(model, "tried_number", models.BigIntegerField(db_default=7))], True
    yield [*wider(state, app, model)], True
    yield [migrations.AlterField(model, "tried_text", models.TextField(null=True))], True
    yield [AddIndexConcurrently(model, models.Index(fields=["tried_number"], name=f"{model}_tried"))], False
    yield [AddConstraintNotValid(model, check)], True
    yield [ValidateConstraint(model, check.name)], True
    fields = [("id", models.BigAutoField(primary_key=True)), ("name", models.CharField(max_length=20))]
    yield [migrations.CreateModel(f"tried_{model}", fields)], True
    yield [migrations.RemoveConstraint(model, check.name)], True
    for name in ("tried_text", "tried_flag", "tried_number"):
        # No code uses these columns, so they may leave the database.
        table = f"{app}_{model}"
        yield [migrations.RunSQL(f'ALTER TABLE "{table}" DROP COLUMN "{name}"', state_operations=[])], True


def apply(operations: Sequence[Any], app: str, atomic: bool, state: ProjectState, to: BaseDatabaseWrapper) -> None:
    """Run a migration as `manage.py migrate` does: it tries again instead of waiting for a lock."""
    migration = migrations.Migration("9999_tried", app)
    migration.operations, migration.atomic = operations, atomic
    if not isinstance(operations[0], migrations.RunSQL):
        assert list(violations(migration, state)) == []
    while True:
        try:
            with limited(Limits(lock=1.0)), to.schema_editor(atomic=atomic) as editor:
                migration.apply(state.clone(), editor)
        except OperationalError as error:
            if not isinstance(error.__cause__, LockNotAvailable):
                raise
        else:
            break
    migration.mutate_state(state, preserve=False)


def connect(system: System) -> BaseDatabaseWrapper:
    """A connection of the test's own to the database of a system."""
    given = database(system.environment["DATABASE_URL"], conn_max_age=600, prepare_after=0)
    return ConnectionHandler({"default": given})["default"]


def test_orders_flow_while_tables_are_migrated(
    system_to_break: Callable[..., System], django_db_blocker: pytest_django.DjangoDbBlocker
) -> None:
    system = system_to_break(PREPARE_STATEMENTS_AFTER="1")
    buyer = system.visitor.log_in("buyer", "buyer")
    buyer.ask("PATCH", "/api/v1/me", {"default_shipping_address": ORDER["shipping_address"]})
    state = MigrationLoader(None).project_state()
    done, began = 0, time.monotonic()
    with django_db_blocker.unblock(), closing(connect(system)) as server, Load(buyer) as load:
        load.wait_for(20)
        for app, model in USED:
            for operations, atomic in plan(state, app, model):
                if operations:
                    apply(operations, app, atomic, state, server)
                    done += 1
                    load.wait_for(4)

    assert {status for _, status in load.statuses} <= {200, 201}, load.statuses
    for number in load.placed:
        buyer.order_once(number, "confirmed")
    eventually(system.count_pending, lambda pending: pending == 0, "no delivery pending")
    assert system.read("SELECT count(*) FROM integration_delivery WHERE status = 'dead'") == [(0,)]
    assert {name for name, program in system.programs.items() if program.exit_code is not None} == set()
    print(f"{done} migrations, {len(load.placed)} orders, {load.statuses}, {time.monotonic() - began:.0f} s")
