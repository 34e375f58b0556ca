"""A connection that the server ended is detected before it is used. A live connection needs no query for that."""

from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest
from django.db import connection

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
