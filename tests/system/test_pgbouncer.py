"""A whole system works through a PgBouncer in transaction mode, and leaves nothing in the sessions that it shares."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
import pytest
from django.conf import settings
from django.db import connection
from running_system import ROOT, Client, System

from tests.chaos.outages.pgbouncer import SESSIONS, PgBouncer

pytestmark = [
    pytest.mark.system,
    pytest.mark.postgres,
    pytest.mark.skipif(settings.EMBEDDED or connection.vendor != "postgresql", reason="SQLite has no pooler"),
]
MUG = {"MUG-ENAMEL-CREAM": 1}
CLIENTS = 6
SECONDS = 4.0
DEFAULTS = {
    "lock_timeout": "0",
    "statement_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    "synchronous_commit": "on",
    "jit": "on",
    "default_transaction_isolation": "repeatable read",
}
"""What each session of the server must still have at the end; the last is the database's own."""


@pytest.fixture
def system(build_system: Callable[..., System]) -> Iterator[System]:
    """A system behind PgBouncer, with a database that has an isolation and a time zone of its own."""
    system = build_system()
    url = system.environment["DATABASE_URL"]
    name = url.rpartition("/")[2]
    with psycopg.connect(url, autocommit=True) as server:
        server.execute(f"ALTER DATABASE \"{name}\" SET default_transaction_isolation = 'repeatable read'")
        server.execute(f"ALTER DATABASE \"{name}\" SET TimeZone = 'Asia/Kathmandu'")
    with TemporaryDirectory(prefix="waybill-") as folder, ExitStack() as ends:
        Path(folder).chmod(0o755)  # PgBouncer runs as another user
        pooler = PgBouncer(Path(folder) / "pgbouncer", url)
        pooler.start()
        ends.callback(pooler.kill)
        system.environment = {**system.environment, "DATABASE_URL": pooler.url_of(url), "WEB_THREADS": str(CLIENTS)}
        ends.callback(system.tear_down)
        system.open()
        yield system


def use(buyer: Client, until: float, statuses: Counter[int], placed: list[str]) -> None:
    """Place, read and list orders until a moment."""
    while time.monotonic() < until:
        placed.append(buyer.place(MUG))
        for path in (f"/orders/{placed[-1]}", "/orders", "/me"):
            statuses[buyer.get(path).status] += 1


def test_a_system_shares_few_sessions_and_leaves_nothing_in_them(system: System) -> None:
    buyer = system.visitor.log_in("buyer", "buyer")
    statuses: Counter[int] = Counter()
    placed: list[str] = []
    until = time.monotonic() + SECONDS
    threads = [threading.Thread(target=use, args=(buyer, until, statuses, placed)) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    system.run(ROOT, "rebuild_snapshots")
    system.run(ROOT, "verify", "--timeout", "30")
    for thread in threads:
        thread.join()

    assert set(statuses) == {200}, statuses
    for number in placed:
        buyer.order_once(number, "confirmed")
    system.run(ROOT, "rebuild", "--all")
    system.run(ROOT, "rebuild", "--all", "--check")
    system.run(ROOT, "verify")
    system.close()
    assert_nothing_is_left(system.environment["DATABASE_URL"])
    assert "prepared statement" not in "".join(system.output.values())


def assert_nothing_is_left(url: str) -> None:
    """Assert that every session behind PgBouncer has its defaults, and neither cursors nor prepared statements."""
    with ExitStack() as ends:
        sessions = [ends.enter_context(psycopg.connect(url)) for _ in range(SESSIONS)]
        pids = {session.execute("SELECT pg_backend_pid()").fetchone() for session in sessions}  # each in a transaction
        assert len(pids) == SESSIONS
        for session in sessions:
            found = session.execute("SELECT name, setting FROM pg_settings WHERE name = ANY(%s)", [[*DEFAULTS]])
            assert dict(found.fetchall()) == DEFAULTS
            assert session.execute("SELECT statement FROM pg_prepared_statements").fetchall() == []
            assert session.execute("SELECT statement FROM pg_cursors WHERE is_holdable").fetchall() == []
