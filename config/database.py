"""The database that `DATABASE_URL` names: each of its parameters is honoured, or refused with a sentence."""

from typing import Any
from urllib.parse import parse_qsl, urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured
from psycopg import ProgrammingError
from psycopg.conninfo import make_conninfo

SQLITE_TIMEOUT = 20.0
"""Seconds for which SQLite waits for a lock, unless `timeout` says otherwise."""
OF_DJANGO = {"conn_max_age", "conn_health_checks"}
"""The parameters that every database has."""
SILENCE = {
    "connect_timeout": "4",
    "keepalives_idle": "4",
    "keepalives_interval": "2",
    "keepalives_count": "2",
    "tcp_user_timeout": "8000",
}
"""libpq's parameters, unless the URL has them: a network that swallows everything is noticed within eight seconds. The
last is in milliseconds, one is a count, and the others are in seconds."""
SCHEMES = {"sqlite", "postgres", "postgresql", "psql", "pgsql"}
BOOLEANS = {"true": True, "false": False}


def database(url: str, conn_max_age: int, prepare_after: int) -> dict[str, Any]:
    """Django's settings of the database.

    Args:
        url: `sqlite:///` and a path, or `postgres://user:password@host:port/name`, with parameters after `?`.
        conn_max_age: seconds for which a connection is used, unless the URL has a parameter of that name.
        prepare_after: how often a connection makes the same statement before PostgreSQL prepares it; 0 never does.

    Raises:
        ImproperlyConfigured: for another kind of database, and for a parameter that it does not have.
    """
    bare, _, query = url.partition("?")
    settings = _parsed(bare)
    given = {name.lower(): value for name, value in parse_qsl(query, keep_blank_values=True)}
    settings["CONN_MAX_AGE"] = int(_number(given, "conn_max_age", conn_max_age))
    settings["CONN_HEALTH_CHECKS"] = _boolean(given, "conn_health_checks", True)
    if settings["ENGINE"].endswith("sqlite3"):
        return {**settings, **_sqlite(given)}
    if not settings["NAME"] and not {"dbname", "service"} & given.keys():
        raise ImproperlyConfigured("DATABASE_URL must name a database: postgres://user:password@host:port/name")
    if "conn_max_age" in given and given.get("pool") == "true":
        raise ImproperlyConfigured("DATABASE_URL: a pool keeps its connections, leave conn_max_age out")
    return {**settings, **_postgresql(given, prepare_after)}


def _parsed(url: str) -> dict[str, Any]:
    """What a URL without parameters says. A sentence about it must not repeat it, because it contains a password."""
    scheme, separator, rest = url.partition("://")
    if not separator or scheme not in SCHEMES:
        raise ImproperlyConfigured("DATABASE_URL must begin with sqlite:/// or postgres://")
    if scheme == "sqlite" and rest != ":memory:" and len(rest.rstrip("/")) < 2:
        raise ImproperlyConfigured("DATABASE_URL must name a file: sqlite:///folder/file")
    if scheme == "sqlite" and not rest.startswith(("/", ":memory:")):
        raise ImproperlyConfigured("DATABASE_URL of SQLite has no host: write sqlite:/// before the name of the file")
    try:
        urlsplit(url)  # django-environ would take a broken address for a name
        return environ.Env.db_url_config(url)
    except ValueError as error:
        raise ImproperlyConfigured(
            "DATABASE_URL must be postgres://user:password@host:port/name, with a port from 1 to 65535; "
            "encode special characters of the password with %"
        ) from error


def _sqlite(given: dict[str, str]) -> dict[str, Any]:
    timeout = _number(given, "timeout", SQLITE_TIMEOUT)
    _refuse_all(set(given) - OF_DJANGO - {"timeout"}, "SQLite has timeout, in seconds")
    return {
        "ENGINE": "integration.storage.sqlite",
        "TEST": {"NAME": ":memory:"},  # as with Django's; pytest-django goes by the engine's name
        "OPTIONS": {
            # Without IMMEDIATE, two transactions that read and then write lock each other out.
            "transaction_mode": "IMMEDIATE",
            "timeout": timeout,
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; "
            f"PRAGMA busy_timeout={int(timeout * 1000)};",
        },
    }


def _postgresql(given: dict[str, str], prepare_after: int) -> dict[str, Any]:
    of_libpq = {name: value for name, value in given.items() if name not in {*OF_DJANGO, "pool"}}
    _refuse_all({name for name in of_libpq if not _is_of_libpq(name)}, "PostgreSQL has libpq's, and pool")
    settings: dict[str, Any] = {
        "ENGINE": "integration.storage.postgresql",
        # A cursor on the server needs a session, and a pooler gives each transaction another one.
        "DISABLE_SERVER_SIDE_CURSORS": True,
        # After so many executions a connection prepares a statement, so that PostgreSQL parses and plans it only once.
        "OPTIONS": {**SILENCE, **of_libpq, "server_side_binding": True, "prepare_threshold": prepare_after or None},
    }
    if _boolean(given, "pool", False):
        settings["OPTIONS"]["pool"] = True
        settings["CONN_MAX_AGE"] = 0  # Django refuses both
        settings["CONN_HEALTH_CHECKS"] = False  # the backend checks what the pool gives it
    return settings


def _is_of_libpq(name: str) -> bool:
    try:
        make_conninfo(**{name: ""})
    except ProgrammingError:
        return False
    return True


def _number(given: dict[str, str], name: str, default: float) -> float:
    try:
        number = float(given.get(name, default))
    except ValueError:
        number = -1
    if not 0 <= number < 1e9:
        raise ImproperlyConfigured(f"DATABASE_URL: {name} must be a number of seconds")
    return number


def _boolean(given: dict[str, str], name: str, default: bool) -> bool:
    value = given.get(name, str(default)).lower()
    if value not in BOOLEANS:
        raise ImproperlyConfigured(f"DATABASE_URL: {name} must be true or false")
    return BOOLEANS[value]


def _refuse_all(names: set[str], advice: str) -> None:
    if names:
        raise ImproperlyConfigured(f"DATABASE_URL does not know {', '.join(sorted(names))}: {advice}")
