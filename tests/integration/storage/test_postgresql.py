"""A connection that the server ended is detected before it is used. A live connection needs no query for that.

New connections synchronize the process with the server's clock, and so do tasks and transactions that begin later.
"""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest
from django.db import connection, transaction

from integration.domain import clock
from integration.storage.postgresql import base, server_clock
from tests.system.running_system import eventually

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has no server"),
]


def test_a_live_connection_is_usable_without_a_query(statements: Callable[[], Any]) -> None:
    connection.ensure_connection()
    with statements() as seen:
        assert connection.is_usable()
    assert seen == []


def test_a_connection_that_the_server_ended_is_replaced() -> None:
    with closing(connection.copy()) as own_connection:
        with own_connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            (ended,) = cursor.fetchone()
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s)", [ended])

        eventually(own_connection.is_usable, lambda usable: not usable, "the end of the connection to be noticed")
        own_connection.close_if_unusable_or_obsolete()
        with own_connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            assert cursor.fetchone() != (ended,)


def test_a_closed_connection_is_not_usable() -> None:
    with closing(connection.copy()) as own_connection:
        assert not own_connection.is_usable()
        own_connection.ensure_connection()
        own_connection.connection.close()
        assert not own_connection.is_usable()


# --- The server's clock ---

HOUR = 3600.0


class Machine:
    """A machine that is wrong about the time by `ahead` seconds, and counts how often the server's clock is read."""

    def __init__(self) -> None:
        self.ahead, self.reads, self.right = 0.0, 0, time.time
        self.synchronize = clock.synchronize

    def time(self) -> float:
        return self.right() + self.ahead

    def counting(self, read: Callable[[], float]) -> float:
        self.reads += 1
        return self.synchronize(read)

    def error(self) -> float:
        """How wrong Waybill's clock is, in seconds."""
        return abs(clock.now().timestamp() - self.right())


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    """A machine on which nothing was read yet. The server runs on the same machine, and is right."""
    machine = Machine()
    monkeypatch.setattr(clock.time, "time", machine.time)
    monkeypatch.setattr(clock, "synchronize", machine.counting)
    monkeypatch.setattr(clock, "_synchronized", None)
    monkeypatch.setattr(server_clock, "_warned_of", 0.0)
    return machine


@pytest.fixture
def connected(machine: Machine) -> Iterator[Any]:
    """A new connection of a machine that is an hour ahead."""
    machine.ahead = HOUR
    with closing(connection.copy()) as own_connection:
        own_connection.ensure_connection()
        yield own_connection


def test_a_new_connection_sets_the_clock(machine: Machine, connected: Any) -> None:
    assert machine.reads == 1
    assert machine.error() < 1


def test_a_connection_of_a_pool_sets_the_clock(machine: Machine) -> None:
    machine.ahead = HOUR
    with closing(connection.copy()) as own_connection:
        own_connection.settings_dict = {
            **own_connection.settings_dict,
            "CONN_MAX_AGE": 0,
            "OPTIONS": {**own_connection.settings_dict["OPTIONS"], "pool": {**base.POOL, "min_size": 1, "max_size": 1}},
        }
        own_connection.alias = "pooled"
        own_connection.ensure_connection()
        assert machine.error() < 1
        own_connection.close()
        own_connection.ensure_connection()
        own_connection.close()
        own_connection.close_pool()
    assert machine.reads == 1, "the connection is the same"


def test_the_clock_is_read_again_when_the_machine_was_set(machine: Machine, connected: Any) -> None:
    for jump in (-2 * HOUR, HOUR, HOUR):
        before, machine.ahead = machine.reads, machine.ahead + jump
        assert machine.error() < 1
        connected.set_autocommit(False)
        connected.set_autocommit(True)
        assert machine.reads == before + 1
        assert machine.error() < 1
        connected.set_autocommit(False)
        connected.set_autocommit(True)
        assert machine.reads == before + 1


def test_the_clock_is_read_again_at_the_beginning_of_a_task(machine: Machine, connected: Any) -> None:
    assert connected.is_usable()
    assert machine.reads == 1
    machine.ahead = 0
    assert connected.is_usable()
    assert machine.reads == 2


def test_the_clock_is_not_read_inside_a_transaction(machine: Machine) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        before, machine.ahead = machine.reads, HOUR
        assert connection.is_usable()
        assert machine.reads == before
    with transaction.atomic():
        assert machine.reads == before + 1


def test_a_connection_that_ends_while_the_clock_is_read_is_not_usable(
    machine: Machine, connected: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(psycopg_connection: Any) -> None:
        raise connection.Database.OperationalError("the server closed the connection")

    machine.ahead = 0
    monkeypatch.setattr(base, "synchronize_with", fail)
    assert not connected.is_usable()


def test_no_statement_of_a_command_is_a_reading(machine: Machine, statements: Callable[[], Any]) -> None:
    connection.ensure_connection()
    machine.ahead = HOUR
    with statements() as seen, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    assert machine.reads > 0
    assert [statement for statement in seen if "clock" in str(statement)] == []


def test_a_difference_of_more_than_a_minute_is_logged_once_until_it_changes(
    machine: Machine, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "integration.storage.postgresql.server_clock")
    connection.ensure_connection()
    said = []
    for ahead in (0, 3, 58, 62, 62, -HOUR, -HOUR, 58, 0):
        machine.ahead = ahead
        server_clock.synchronize_with(connection.connection)
        said.append(" ".join(record.message for record in caplog.records).partition(":")[0])
        caplog.clear()
    wrong = [
        "this machine's clock is 62 s ahead of the database's",
        "this machine's clock is 3600 s behind the database's",
    ]
    assert said == ["", "", "", wrong[0], "", wrong[1], "", "this machine's clock agrees with the database's again", ""]
