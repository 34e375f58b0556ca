"""A running system on servers of the harness, into which live faults and loads are injected.

Buyers use REST, and processes are killed by signals. Once nothing is pending, the database shows whether every
invariant holds. One system serves many faults, and is restarted only for a fault that needs other settings.
"""

import os
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from celery import current_app
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.core.management import call_command
from django.db import OperationalError, connections

from billing.reconciliation import reconcile
from config.verification import verify
from integration.domain import clock
from integration.domain.identifiers import Sku
from integration.domain.money import Money
from integration.messaging.claim import due_delivery_queues
from integration.messaging.deliver import deliver_due
from integration.messaging.models import Delivery
from inventory.commands import stock_up
from ordering.commands import list_products
from ordering.models import Order
from tests.chaos.servers import PostgreSQL, Redis
from tests.chaos.traffic import GONE, GOODS
from tests.system.running_system import MANAGE, PYTHON, ROOT, System, free_port

AT_REST_WITHIN = 900.0
"""Seconds to wait until nothing is pending. The wait ends as soon as that is so; the limit is for a busy machine."""
CELERY = [*PYTHON, "-m", "celery", "-A", "config"]


class Live:
    """A running shop, with methods to disturb it and to wait until it is at rest.

    Args:
        folder: for the output of its processes.
        postgresql: its database server; None for the embedded mode.
        redis: its broker; None for the embedded mode.
        can_be_sabotaged: whether `sabotaged` works, because its processes load the app `sabotage`.
    """

    def __init__(
        self,
        folder: Path,
        postgresql: PostgreSQL | None = None,
        redis: Redis | None = None,
        can_be_sabotaged: bool = False,
    ) -> None:
        self._postgresql, self._redis, self._can_be_sabotaged = postgresql, redis, can_be_sabotaged
        self.folder = folder
        self.sabotage = folder / "sabotage"
        self.sabotage.mkdir(parents=True)
        self._port = free_port()
        call_command("migrate", verbosity=0)
        fill()
        self.system = self._build()
        self.open()

    @property
    def postgresql(self) -> PostgreSQL:
        """Its database server; fails in the embedded mode."""
        assert self._postgresql, "there is none in the embedded mode"
        return self._postgresql

    @property
    def redis(self) -> Redis:
        """Its broker; fails in the embedded mode."""
        assert self._redis, "there is none in the embedded mode"
        return self._redis

    def _build(self, **changes: str) -> System:
        serve = [*MANAGE, "serve", "--port", str(self._port)]
        processes = {
            "web": serve,
            **{f"worker{i}": [*CELERY, "worker", "-c", "2", "-n", f"{i}@%h"] for i in (1, 2)},
            "beat": [*CELERY, "beat"],
        }
        own = {
            "PYTHONPATH": str(ROOT),
            "PYTHONUNBUFFERED": "1",
            "LOG_LEVEL": "WARNING",
            "WEB_CONCURRENCY": "2" if self._redis else "1",
            **changes,
        }
        if self._can_be_sabotaged:
            own |= {"DJANGO_SETTINGS_MODULE": "tests.chaos.sabotage.settings", "SABOTAGE": str(self.sabotage)}
        commands = processes if self._redis else {"serve": serve}
        return System(self.folder, {**os.environ, **own}, commands, self._port)

    def rebuild(self, **changes: str) -> None:
        """Stop the system, and start it again with other settings."""
        self.system.close()
        self.system = self._build(**changes)
        self.open()

    @contextmanager
    def joined_by(self, more: Mapping[str, list[str]]) -> Iterator[None]:
        """Let more processes run in the system for a while; the others run on."""
        usual = self.system.commands
        self.system.commands = {**usual, **more}
        self.open()
        try:
            yield
        finally:
            for name in more:
                self.system.kill(name)
            self.system.commands = usual

    @contextmanager
    def sabotaged(self, kind: str, how: str = "") -> Iterator[Path]:
        """Make the running processes go wrong in a way that `sabotage` knows, without a restart.

        Args:
            kind: the name of the function in `sabotage/apps.py`.
            how: what the file says that switches it on; the file is returned, and may be written again.
        """
        switch = self.sabotage / kind
        switch.write_text(how)
        try:
            yield switch
        finally:
            switch.unlink()

    def open(self) -> None:
        """Start the processes that do not run, and wait until the system is ready."""
        for name in self.system.commands:
            if name not in self.system.programs:
                self.system.start(name)
        self.system.wait_until_ready()

    def tear_down(self) -> None:
        """Kill all processes of the system that is current, also after a rebuild."""
        self.system.tear_down()

    def restart(self, name: str) -> None:
        """Kill a process if it runs, and start it, as a process manager does."""
        if name in self.system.programs:
            self.system.kill(name)
        self.system.start(name)

    def supervise(self) -> None:
        """Restart the processes that have ended by themselves."""
        for name, program in list(self.system.programs.items()):
            if program.exit_code is not None:
                self.restart(name)

    @property
    def workers(self) -> list[str]:
        """The names of the processes that handle deliveries."""
        return [name for name in self.system.commands if name.startswith(("worker", "serve"))]

    def in_flight(self) -> dict[int, int]:
        """The ids of deliveries in flight, with the number of the attempt."""
        claimed = f"status = 'pending' AND in_hand AND due_at > '{clock.now():%Y-%m-%d %H:%M:%S}'"
        rows = self.system.read(f"SELECT id, attempts FROM integration_delivery WHERE {claimed}")  # noqa: S608
        return dict(rows)

    def seconds_until_done_again(self, left: dict[int, int]) -> float:
        """Wait until each of these deliveries is done or was claimed again; returns the seconds, at most about 60."""
        began = time.monotonic()
        while left and time.monotonic() - began < 60:
            ids = ",".join(map(str, left))
            rows = self.system.read(f"SELECT id, status, attempts FROM integration_delivery WHERE id IN ({ids})")  # noqa: S608
            left = {id: attempts for id, status, attempts in rows if status == "pending" and attempts == left[id]}
            if left:
                time.sleep(0.05)
        return time.monotonic() - began

    def forge_wake_ups(self) -> None:
        """Send a wake-up for every delivery queue, whether deliveries are due or not."""
        for context in ("ordering", "inventory", "billing", "fulfillment"):
            for external in (False, True):
                queue = f"{os.environ['QUEUE_PREFIX']}.{context}"
                current_app.send_task("waybill.deliver", args=[context, external], queue=queue, ignore_result=True)

    def come_to_rest(self, within: float = AT_REST_WITHIN) -> list[str]:
        """Wait until nothing is pending, at most so many seconds; returns sentences about what is pending then."""
        deadline = time.monotonic() + within
        while time.monotonic() < deadline:
            self.supervise()
            try:
                if not Delivery.objects.filter(status="pending").exists() and not unfinished():
                    return []
            except OperationalError:
                connections.close_all()
            time.sleep(0.3)
        waiting = Counter(Delivery.objects.filter(status="pending").values_list("consumer", "error"))
        return [f"{n} × {consumer} still pending: {error}" for (consumer, error), n in waiting.items()] + [
            f"{n} orders still {status}" for status, n in unfinished().items()
        ]


def unfinished() -> dict[str, int]:
    """The number of orders that wait for goods or money, by status."""
    return Counter(Order.objects.filter(status__in=["pending", "payment_pending"]).values_list("status", flat=True))


def fill() -> None:
    """Fill the database with a million of each of the goods, a buyer and an operator."""
    goods = [*GOODS, GONE]
    list_products([(Sku(sku), sku, "", Money("12.50", "USD")) for sku in goods])
    stock_up([(Sku(sku), 1_000_000) for sku in GOODS])
    users = get_user_model().objects
    if not users.filter(username="buyer").exists():
        users.create_user("buyer", "buyer@example.com", "buyer")
        users.create_user("operator", "", "operator", is_staff=True).groups.set(Group.objects.all())
    while delivery_queues := due_delivery_queues():
        for delivery_queue in delivery_queues:
            deliver_due(delivery_queue)


def violations() -> list[str]:
    """The violations of a system at rest: broken invariants, and differences from the provider's books."""
    connections.close_all()
    findings = verify(newest=3_000)
    found = [f"{name}: {what}" for name, finding in findings.items() for what in finding.complaints]
    with clock.moved(timedelta(hours=1)):
        books = reconcile(clock.now() - timedelta(days=1)).discrepancies
    return found + [f"the provider's books, {key}: {what}" for key, what in books.items()]


def ends(numbers: list[str]) -> dict[str, int]:
    """The number of these orders by status and cancellation reason."""
    by_end: Counter[str] = Counter()
    for start in range(0, len(numbers), 500):
        rows: Any = Order.objects.filter(pk__in=numbers[start : start + 500])
        by_end.update(" ".join(filter(None, row)) for row in rows.values_list("status", "cancellation_reason"))
    return dict(sorted(by_end.items()))
