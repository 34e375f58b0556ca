"""Databases that older code wrote under load work with the current code: they migrate, and their open orders finish.

`make.py` explains how the files are created, and how to add those of a newer commit.
"""

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import psycopg
import pytest
from django.db import connection
from psycopg import sql

from tests.upgrades.files import FOLDER, POSTGRESQL, SQLITE, found_in, load_postgresql, load_sqlite
from tests.upgrades.old_code import SECRET

ROOT = Path(__file__).resolve().parents[2]
FILES = Path(os.environ.get("UPGRADES", FOLDER))
TIMEOUT = 300.0 if FILES == FOLDER else 1800.0
"""Seconds that one step may take, on a machine that runs other programs as well."""
ENDS = {"delivered", "returned", "cancelled"}

Read = Callable[[str], list[tuple[Any, ...]]]

postgresql_only = pytest.mark.skipif(connection.vendor != "postgresql", reason="the suite runs on SQLite")


@pytest.mark.parametrize("file", found_in(FILES, SQLITE), ids=lambda file: file.name)
def test_an_sqlite_database_of_older_code_works_with_the_current_code(file: Path, tmp_path: Path) -> None:
    database = tmp_path / "old.sqlite3"
    load_sqlite(file, database)

    def read(query: str) -> list[tuple[Any, ...]]:
        with sqlite3.connect(database) as reader:
            return reader.execute(query).fetchall()

    assert_open_orders_finish(f"sqlite:///{database}", read, tmp_path)


@postgresql_only
@pytest.mark.parametrize("file", found_in(FILES, POSTGRESQL), ids=lambda file: file.name)
def test_a_postgresql_database_of_older_code_works_with_the_current_code(
    file: Path, new_database: str, tmp_path: Path
) -> None:
    load_postgresql(file, new_database)

    def read(query: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(new_database) as reader:
            return reader.execute(query).fetchall()

    assert_open_orders_finish(new_database, read, tmp_path)


def test_there_are_databases_of_each_kind() -> None:
    assert found_in(FILES, SQLITE)
    assert found_in(FILES, POSTGRESQL)


@pytest.fixture
def new_database() -> Iterator[str]:
    """The URL of a new, empty PostgreSQL database on the server of the tests."""
    given = urlsplit(os.environ["DATABASE_URL"])
    # .ci/run drops databases with such names, in case the test is killed.
    name = f"test_{given.path.strip('/')}_gw_upgrade_{uuid4().hex[:8]}"
    with psycopg.connect(urlunsplit(given._replace(path="/postgres", query="")), autocommit=True) as server:
        server.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        try:
            yield urlunsplit(given._replace(path=f"/{name}", query=""))
        finally:
            server.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def assert_open_orders_finish(url: str, read: Read, folder: Path) -> None:
    """Migrate a database, finish its open orders, and assert that each of them reached an end and no other changed.

    An order is open, too, as long as goods of it come back.
    """
    before = orders_of(read)
    come_back = orders_with_returns(read)
    open_before = {number for number, (status, *_) in before.items() if status not in ENDS or number in come_back}
    assert open_before
    run([str(ROOT / "manage.py"), "migrate", "--verbosity", "0"], url, folder)
    listed = json.loads(run(["-m", "tests.upgrades.ends"], url, folder))

    after = orders_of(read)
    assert listed == {number: status for number, (status, *_) in after.items()}
    assert {status for status, *_ in after.values()} <= ENDS
    new = read("SELECT number, replaces FROM ordering_order WHERE replaces <> ''")
    assert after.keys() - before.keys() <= {number for number, _ in new}, "only goods that were lost are sent again"
    after = {number: row for number, row in after.items() if number in before}
    assert {number: row for number, row in after.items() if number not in open_before} == {
        number: row for number, row in before.items() if number not in open_before
    }
    assert {number: row[1:] for number, row in after.items()} == {number: row[1:] for number, row in before.items()}
    ends = {after[number][0] for number in open_before}
    assert ends == {"delivered", "cancelled"} | ({"returned"} if come_back else set())
    assert left_open(read) == {}


def orders_with_returns(read: Read) -> set[str]:
    """Return the numbers of the orders whose goods come back, or shall; none in a database that knows no returns."""
    try:
        rows = read("SELECT \"order\" FROM fulfillment_return WHERE status NOT IN ('refused', 'closed')")
        rows += read("SELECT number FROM ordering_order WHERE withdrawal_facts IS NOT NULL")
        rows += read("SELECT \"order\" FROM fulfillment_shipment WHERE status = 'returned' AND resolution = ''")
    except (psycopg.errors.UndefinedTable, sqlite3.OperationalError):
        return set()
    return {number for (number,) in rows}


def orders_of(read: Read) -> dict[str, tuple[Any, ...]]:
    """Return, by number, an order's status and its facts that never change."""
    rows = read("SELECT number, status, buyer_id, currency, total_minor FROM ordering_order")
    return {number: tuple(row) for number, *row in rows}


def left_open(read: Read) -> dict[str, list[tuple[Any, ...]]]:
    """Return what is unfinished besides orders."""
    queries = {
        "deliveries": "SELECT id, consumer, error FROM integration_delivery WHERE status IN ('pending', 'dead')",
        "payments": "SELECT id, status FROM billing_payment WHERE status IN ('requested', 'unknown')",
        "refunds": "SELECT id, status FROM billing_refund WHERE status <> 'issued'",
        "invoices": "SELECT number, status FROM billing_invoice WHERE status = 'open'",
        "reservations": "SELECT \"order\", status FROM inventory_reservation WHERE status IN ('held', 'committed')",
        "shipments": "SELECT id, status FROM fulfillment_shipment WHERE status NOT IN ('delivered', 'cancelled')"
        " AND (status NOT IN ('lost', 'returned') OR resolution = '')",
        "returns": "SELECT id, status FROM fulfillment_return WHERE status NOT IN ('closed', 'refused')",
        "vouchers": "SELECT id, status FROM ordering_voucherclaim WHERE status = 'held'",
        "holds": "SELECT number, order_holds FROM ordering_order WHERE CAST(order_holds AS text) LIKE '%\"requested\"%'"
        " OR CAST(order_holds AS text) LIKE '%\"active\"%'",
        "cancellations of lines": "SELECT number, line_cancellations FROM ordering_order"
        " WHERE CAST(line_cancellations AS text) LIKE '%\"requested\"%'",
        "money of cancelled orders": "SELECT number, paid_minor, refunded_minor FROM ordering_order"
        " WHERE status = 'cancelled' AND refunded_minor <> paid_minor",
    }
    return {what: found for what, query in queries.items() if (found := read(query))}


def run(arguments: list[str], url: str, folder: Path) -> str:
    """Run a program of the current code, embedded, over a database; returns its output and asserts that it succeeds."""
    environment = {
        **{name: value for name, value in os.environ.items() if name not in ("QUEUE_PREFIX", "COVERAGE_PROCESS_START")},
        "PYTHONPATH": str(ROOT),
        "DATABASE_URL": url,
        "CELERY_BROKER_URL": "memory://",
        "CELERY_WORKER_POOL": "threads",
        "SECRET_KEY": SECRET,
        "PAYMENT_PROVIDER": "sandbox",
        "SANDBOX_FAILURE_RATE": "0",
        "CARRIERS": "sandbox",
        "EMAIL_URL": "dummymail://",
        "WAYBILL_VAR": str(folder),
        "LOG_LEVEL": "WARNING",
    }
    done = subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True, timeout=TIMEOUT
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
