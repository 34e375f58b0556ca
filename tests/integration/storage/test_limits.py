"""PostgreSQL keeps to limits, and nothing of them stays in a session that a pooler gives to another client."""

import time
from collections.abc import Callable, Iterator
from contextlib import closing

import psycopg
import pytest
from django.db import NotSupportedError, OperationalError, connection, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from integration.storage.limits import REQUEST, Limits, limited
from integration.storage.postgresql import connection as limited_connection
from integration.storage.postgresql.connection import LimitedConnection, Silent, is_stale_plan
from tests.chaos.outages.proxy import Proxy

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.postgres,
    pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has no such limits"),
]
SETTINGS = ["lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout", "transaction_isolation"]


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    with closing(Proxy(int(connection.settings_dict["PORT"] or 5432))) as proxy:
        yield proxy
    # The server does not notice that these clients are gone.
    others = "datname = current_database() AND pid <> pg_backend_pid()"
    run(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}")


@pytest.fixture
def through_proxy(proxy: Proxy) -> Iterator[BaseDatabaseWrapper]:
    copy = connection.copy()
    copy.settings_dict = {**copy.settings_dict, "PORT": proxy.port}
    with closing(copy):
        yield copy


@pytest.fixture
def forget_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LimitedConnection, "silence_at", 0.0)


@pytest.fixture
def table() -> Iterator[str]:
    """A table with a short column, for tests that alter it."""
    run("CREATE TABLE altered (name varchar(20))")
    yield "altered"
    run("DROP TABLE altered")


def run(sql: str, on: BaseDatabaseWrapper = connection) -> list[tuple[object, ...]]:
    with on.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall() if cursor.description else []


def test_no_plan_is_compiled_with_and_without_a_transaction() -> None:
    assert run("SHOW jit") == [("off",)]
    with transaction.atomic():
        assert run("SHOW jit") == [("off",)]


def test_behind_a_pooler_only_transactions_compile_no_plan(monkeypatch: pytest.MonkeyPatch) -> None:
    run("SET jit = on")
    monkeypatch.setattr(connection.connection, "prepare_threshold", None)  # as it is behind a pooler
    try:
        with transaction.atomic():
            assert run("SHOW jit") == [("off",)]
        assert run("SHOW jit") == [("on",)]
    finally:
        run("SET jit = off")


def atomically(*statements: str) -> None:
    with transaction.atomic():
        for sql in statements:
            run(sql)


def session() -> list[object]:
    return [value for name in SETTINGS for (value,) in run(f"SELECT current_setting('{name}')")]


def test_a_transaction_has_the_limits_and_leaves_none_in_the_session() -> None:
    before = session()

    with limited(REQUEST):
        with transaction.atomic():
            assert session() == ["5s", "8s", "8s", "read committed"]
        with limited(Limits(lock=0.5)), transaction.atomic():
            assert session() == ["500ms", "8s", "8s", "read committed"]
        assert session() == before
    with transaction.atomic():
        assert session() == before


@pytest.mark.parametrize("in_transaction", [True, False])
def test_a_statement_that_takes_too_long_is_cancelled(in_transaction: bool) -> None:
    pid = run("SELECT pg_backend_pid()")
    began = time.monotonic()

    with limited(Limits(statement=0.2)), pytest.raises(OperationalError) as failed:
        atomically("SELECT pg_sleep(30)") if in_transaction else run("SELECT pg_sleep(30)")

    assert isinstance(failed.value.__cause__, psycopg.errors.QueryCanceled)
    assert time.monotonic() - began < 5
    assert run("SELECT pg_backend_pid()") == pid, "the connection was lost"


def test_a_transaction_whose_client_sends_nothing_ends() -> None:
    connection.set_autocommit(False)
    with limited(Limits(idle=0.1)):
        run("SELECT 1")
        time.sleep(0.5)
        with pytest.raises(OperationalError):
            run("SELECT 1")
    connection.close()


@pytest.mark.parametrize("in_transaction", [True, False])
def test_a_silent_connection_is_noticed_and_replaced(
    proxy: Proxy, through_proxy: BaseDatabaseWrapper, forget_silence: None, in_transaction: bool
) -> None:
    run("SELECT 1", through_proxy)
    if in_transaction:
        through_proxy.set_autocommit(False)
        run("SELECT 1", through_proxy)
    proxy.turn_into_black_holes()
    began = time.monotonic()

    with limited(Limits(statement=0.2)), pytest.raises(OperationalError) as failed:
        run("SELECT 1", through_proxy)

    assert isinstance(failed.value.__cause__, Silent)
    assert time.monotonic() - began < 5
    through_proxy.close_if_unusable_or_obsolete()
    assert run("SELECT 1", through_proxy) == [(1,)]


def test_a_connection_that_fell_silent_while_idle_delays_its_next_user_only_for_a_moment(
    proxy: Proxy, through_proxy: BaseDatabaseWrapper, forget_silence: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limited_connection, "PING_AFTER", 0.0)
    monkeypatch.setattr(limited_connection, "PING_TIMEOUT", 0.3)
    run("SELECT 1", through_proxy)
    proxy.turn_into_black_holes()

    assert not through_proxy.is_usable()
    through_proxy.close_if_unusable_or_obsolete()
    assert run("SELECT 1", through_proxy) == [(1,)]


def test_after_one_silent_connection_all_others_must_respond_before_they_are_used(
    monkeypatch: pytest.MonkeyPatch, forget_silence: None
) -> None:
    pings = []
    monkeypatch.setattr(LimitedConnection, "responds", lambda self: bool(pings.append(self)) or True)
    run("SELECT 1")
    assert connection.is_usable()
    assert pings == []

    monkeypatch.setattr(LimitedConnection, "silence_at", time.monotonic())
    assert connection.is_usable()
    assert pings == [connection.connection]


def prepare(sql: str) -> None:
    for _ in range(10):
        run(sql)
    assert connection.connection._prepared._names, "nothing was prepared"


def test_a_statement_survives_that_a_column_is_altered(table: str, other: Callable[[str], None]) -> None:
    prepare(f"SELECT name FROM {table}")
    other(f"ALTER TABLE {table} ALTER COLUMN name TYPE varchar(40)")
    assert run(f"SELECT name FROM {table}") == []

    prepare(f"SELECT name FROM {table}")
    other(f"ALTER TABLE {table} ALTER COLUMN name TYPE varchar(50)")
    with pytest.raises(OperationalError) as failed:
        atomically(f"SELECT name FROM {table}")
    assert is_stale_plan(failed.value)
    with transaction.atomic():
        assert run(f"SELECT name FROM {table}") == []


def test_an_error_of_another_kind_stays_what_it_is() -> None:
    with pytest.raises(NotSupportedError, match="FOR UPDATE is not allowed"):
        run("SELECT count(*) FROM pg_class FOR UPDATE")


@pytest.fixture
def other() -> Iterator[Callable[[str], None]]:
    """Runs a statement in another session."""
    with closing(connection.copy()) as copy:
        yield lambda sql: run(sql, copy) and None


@pytest.mark.parametrize("default", ["repeatable read", "serializable"])
def test_the_isolation_is_read_committed_whatever_the_server_says(
    other: Callable[[str], None], table: str, default: str
) -> None:
    name = connection.settings_dict["NAME"]
    other(f"ALTER DATABASE \"{name}\" SET default_transaction_isolation = '{default}'")
    other(f"ALTER DATABASE \"{name}\" SET TimeZone = 'Asia/Kathmandu'")
    connection.close()
    try:
        statement = "SELECT current_setting('transaction_isolation'), current_setting('TimeZone')"
        assert run(statement) == [("read committed", "UTC")]
        with transaction.atomic():
            assert run(statement) == [("read committed", "UTC")]
        run(f"INSERT INTO {table} VALUES ('one')")
        assert run(f"SELECT name FROM {table}") == [("one",)]
        prepare(f"SELECT name FROM {table}")
        other(f"ALTER TABLE {table} ALTER COLUMN name TYPE varchar(40)")
        assert run(f"SELECT name FROM {table}") == [("one",)]
    finally:
        other(f'ALTER DATABASE "{name}" RESET ALL')
        connection.close()


def test_a_server_that_accepts_no_writes_is_left() -> None:
    run("SELECT 1")
    with pytest.raises(OperationalError):
        atomically("SET TRANSACTION READ ONLY", "CREATE TABLE refused ()")
    assert not connection.is_usable()
    connection.close()
