"""Every parameter of `DATABASE_URL` is honoured, or refused with a sentence."""

from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import connection
from django.db.utils import ConnectionHandler

from config.database import database


def settings_of(url: str) -> dict[str, Any]:
    return database(url, conn_max_age=600, prepare_after=3)


@pytest.mark.parametrize(
    ("url", "refusal"),
    [
        ("mysql://root@h/d", "must begin with sqlite:/// or postgres://"),
        ("sqlite:////d?cache=shared", "does not know cache: SQLite has timeout"),
        ("sqlite:////d?pool=true", "does not know pool"),
        ("sqlite:////d?timeout=long", "timeout must be a number of seconds"),
        ("sqlite:////d?conn_max_age=-1", "conn_max_age must be a number"),
        ("postgres://u@h/d?timeout=3", "does not know timeout: PostgreSQL has libpq's"),
        ("postgres://u@h/d?atomic_requests=true", "does not know atomic_requests"),
        ("postgres://u@h/d?conn_max_age=ever", "conn_max_age must be a number"),
        ("postgres://u@h/d?conn_health_checks=maybe", "conn_health_checks must be true or false"),
        ("postgres://u@h/d?pool=20", "pool must be true or false"),
        ("postgres://u@h/d?pool=true&conn_max_age=5", "leave conn_max_age out"),
    ],
)
def test_what_a_database_does_not_have_is_refused(url: str, refusal: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=refusal):
        settings_of(url)


def test_parameters_precede_settings() -> None:
    named = settings_of("postgres://u:p@h:5/d?conn_max_age=7&CONN_HEALTH_CHECKS=false&sslmode=require")
    unnamed = settings_of("postgres://u:p@h:5/d")

    assert (named["CONN_MAX_AGE"], named["CONN_HEALTH_CHECKS"], named["OPTIONS"]["sslmode"]) == (7, False, "require")
    assert (unnamed["CONN_MAX_AGE"], unnamed["CONN_HEALTH_CHECKS"]) == (600, True)
    assert [named[name] for name in ("NAME", "USER", "PASSWORD", "HOST", "PORT")] == ["d", "u", "p", "h", 5]


def test_a_network_that_swallows_everything_is_noticed_within_15_seconds() -> None:
    options = settings_of("postgres://u@h/d")["OPTIONS"]
    idle, interval, count = (int(options[f"keepalives_{name}"]) for name in ("idle", "interval", "count"))

    assert int(options["connect_timeout"]) < 15
    assert int(options["tcp_user_timeout"]) < 15_000
    assert idle + interval * count < 15
    assert settings_of("postgres://u@h/d?tcp_user_timeout=99")["OPTIONS"] == {**options, "tcp_user_timeout": "99"}


def test_sqlite_waits_for_a_lock_as_long_as_the_url_says() -> None:
    options = settings_of("sqlite:////d?timeout=1.5")["OPTIONS"]

    assert options["timeout"] == 1.5
    assert "busy_timeout=1500;" in options["init_command"]


@pytest.mark.skipif(connection.vendor != "postgresql", reason="only PostgreSQL has a pool")
@pytest.mark.postgres
def test_connections_come_from_a_pool(db: None) -> None:
    given = connection.settings_dict
    place = f"{given['USER']}:{given['PASSWORD']}@{given['HOST']}:{given['PORT'] or 5432}/{given['NAME']}"
    pooled = ConnectionHandler({"default": settings_of(f"postgres://{place}?pool=true")})["default"]
    try:
        for _ in range(2):
            with pooled.cursor() as cursor:
                cursor.execute("SELECT 1")
            pooled.close()
        assert pooled.pool.get_stats()["requests_num"] == 2
    finally:
        pooled.close_pool()
