"""SQLite with the backend of this project: statements mean the same as in Django, and are converted only once."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from integration.storage.sqlite import base

pytestmark = [
    pytest.mark.skipif(connection.vendor != "sqlite", reason="tests SQLite's backend"),
    pytest.mark.django_db,
]


def query(sql: str, parameters: object = None) -> object:
    with connection.cursor() as cursor:
        return cursor.execute(sql, parameters).fetchone()


def test_a_statement_is_converted_once() -> None:
    base._converted.cache_clear()
    assert [query("SELECT %s + 1", [n]) for n in (1, 2, 3)] == [(2,), (3,), (4,)]
    cache_info = base._converted.cache_info()
    assert (cache_info.misses, cache_info.hits) == (1, 2)


def test_percent_signs_and_named_parameters_work_as_in_django() -> None:
    assert query("SELECT '100%%', %s", ["%s"]) == ("100%", "%s")
    assert query("SELECT %(a)s || %(b)s || %(a)s", {"a": "x", "b": "%"}) == ("x%x",)
    assert query("SELECT '100%', '%s'") == ("100%", "%s")


def test_executed_statements_are_logged_as_in_django() -> None:
    with CaptureQueriesContext(connection) as captured:
        query("SELECT %s", [7])
    assert [each["sql"] for each in captured] == ["SELECT 7"]
