"""A connection that the server ended is noticed before it is used, and one that lives is not asked whether it does."""

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


def test_one_that_lives_is_asked_nothing(statements: Callable[[], Any]) -> None:
    connection.ensure_connection()
    with statements() as seen:
        assert connection.is_usable()
    assert seen == []


def test_one_that_was_ended_is_noticed_and_replaced() -> None:
    with closing(connection.copy()) as ours:
        with ours.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            (ended,) = cursor.fetchone()
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s)", [ended])

        eventually(ours.is_usable, lambda usable: not usable, "the end of the connection to be noticed")
        ours.close_if_unusable_or_obsolete()
        with ours.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            assert cursor.fetchone() != (ended,)


def test_one_that_was_closed_here_is_not_usable() -> None:
    with closing(connection.copy()) as ours:
        assert not ours.is_usable()
        ours.ensure_connection()
        ours.connection.close()
        assert not ours.is_usable()
