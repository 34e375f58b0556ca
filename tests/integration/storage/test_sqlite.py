"""SQLite, with what is ours: statements mean what they mean to Django, and their text is gone through once."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from integration.storage.sqlite import base

pytestmark = [
    pytest.mark.skipif(connection.vendor != "sqlite", reason="it is about SQLite"),
    pytest.mark.django_db,
]


def ask(sql: str, parameters: object = None) -> object:
    with connection.cursor() as cursor:
        return cursor.execute(sql, parameters).fetchone()


def test_a_statement_is_put_into_its_words_once() -> None:
    base._in_its_words.cache_clear()
    assert [ask("SELECT %s + 1", [n]) for n in (1, 2, 3)] == [(2,), (3,), (4,)]
    told = base._in_its_words.cache_info()
    assert (told.misses, told.hits) == (1, 2)


def test_percent_signs_and_names_mean_what_they_mean_to_django() -> None:
    assert ask("SELECT '100%%', %s", ["%s"]) == ("100%", "%s")
    assert ask("SELECT %(a)s || %(b)s || %(a)s", {"a": "x", "b": "%"}) == ("x%x",)
    assert ask("SELECT '100%', '%s'") == ("100%", "%s")


def test_what_was_asked_is_told_as_ever() -> None:
    with CaptureQueriesContext(connection) as asked:
        ask("SELECT %s", [7])
    assert [each["sql"] for each in asked] == ["SELECT 7"]
