"""PostgreSQL that is ill: silent or slow connections, fail-over, locks that are held, a pooler, altered columns."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg import sql

from tests.chaos.outages.pgbouncer import PgBouncer
from tests.chaos.outages.shop import Shop
from tests.chaos.outages.table import GONE, Table
from tests.chaos.servers import PostgreSQL

TABLE = Table("PostgreSQL", brokers=("redis",))
END_OTHERS = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
ALTERED = {
    "ordering_order": "note",
    "ordering_buyer": "name",
    "integration_delivery": "consumer",
    "inventory_stockitem": "sku",
}
"""A text column of each of these tables, which every order reads."""


def connect(shop: Shop) -> "psycopg.Connection[tuple[object, ...]]":
    """A session of the harness's own in the shop's database, not through the proxy."""
    name = os.environ["DATABASE_URL"].rpartition("/")[2]
    return psycopg.connect(shop.postgresql.url(name), autocommit=True, connect_timeout=5)


# --- The network ---


@TABLE.row(may_refuse=True, slower=GONE, at_once=True, short=True)
def black_holes(shop: Shop) -> Iterator[None]:
    """Open connections carry nothing any more, and new ones work."""
    shop.database.turn_into_black_holes()
    yield


@TABLE.row(may_refuse=True, slower=GONE)
def silent(shop: Shop) -> Iterator[None]:
    """Accepts connections and says nothing, neither on them nor on those that are open."""
    shop.database.silent = True
    try:
        yield
    finally:
        shop.database.silent = False


@TABLE.row(slower=GONE)
def slow(shop: Shop) -> Iterator[None]:
    """Every response comes 20 ms late."""
    shop.database.delay = 0.01  # in each direction
    try:
        yield
    finally:
        shop.database.delay = 0.0


@TABLE.row(may_refuse=True, at_once=True)
def all_connections_ended(shop: Shop) -> Iterator[None]:
    """The server ends all connections at once."""
    with connect(shop) as session:
        session.execute(END_OTHERS)
    yield


# --- Fail-over ---


@contextmanager
def with_replica(shop: Shop) -> Iterator[None]:
    """Let a replica store each commit before it is acknowledged, so that a fail-over loses nothing."""
    primary = shop.postgresql
    replica = PostgreSQL(primary.folder.parent / f"replica-{time.time_ns()}")
    shutil.rmtree(replica.data)
    program = Path(primary.command()[0]).resolve().with_name("pg_basebackup")
    copy = [program, "--dbname", primary.url("postgres"), "--pgdata", str(replica.data)]
    subprocess.run([*copy, "--write-recovery-conf", "--checkpoint", "fast"], check=True, **primary.run_as())
    replica.start()
    primary.ask("ALTER SYSTEM SET synchronous_standby_names = '*'")
    primary.ask("SELECT pg_reload_conf()")
    shop.replica = replica  # type: ignore[attr-defined]
    try:
        yield
    finally:
        replica.kill()


@TABLE.row(may_refuse=True, slower=GONE, around=with_replica)
def fail_over(shop: Shop) -> Iterator[None]:
    """Another server at the same address: the replica, for a moment read-only, then the primary."""
    replica: PostgreSQL = shop.replica  # type: ignore[attr-defined]
    shop.postgresql.kill()
    replica.stop()
    shutil.rmtree(shop.postgresql.data)
    shutil.move(replica.data, shop.postgresql.data)
    shop.postgresql.start()
    try:
        yield
    finally:
        shop.postgresql.ask("SELECT pg_promote()")


@TABLE.row(may_refuse=True, slower=GONE)
def read_only(shop: Shop) -> Iterator[None]:
    """The server refuses writes on all connections, and keeps them open."""
    shop.postgresql.ask("ALTER SYSTEM SET default_transaction_read_only = on")
    shop.postgresql.ask("SELECT pg_reload_conf()")
    try:
        yield
    finally:
        # A session that is read-only by default cannot change that without leaving it first.
        with psycopg.connect(shop.postgresql.url("postgres"), autocommit=True) as session:
            session.execute("SET default_transaction_read_only = off")
            session.execute("ALTER SYSTEM RESET default_transaction_read_only")
            session.execute("SELECT pg_reload_conf()")


# --- Locks ---


@TABLE.row(may_refuse=True, slower=GONE, lasts=10.0)
def locked(shop: Shop) -> Iterator[None]:
    """Somebody holds a lock on the tables of orders and deliveries: lock and statement timeouts are hit."""
    with connect(shop) as session, session.transaction():
        session.execute("LOCK TABLE ordering_order, integration_delivery IN ACCESS EXCLUSIVE MODE")
        yield


# --- What a connection remembers ---


@contextmanager
def behind_pgbouncer(shop: Shop) -> Iterator[None]:
    """Let the shop reach its database through PgBouncer."""
    given = shop.system.environment["DATABASE_URL"]
    pooler = PgBouncer(shop.postgresql.folder.parent / f"pgbouncer-{time.time_ns()}", given)
    pooler.start()
    shop.pooler = pooler  # type: ignore[attr-defined]
    try:
        with shop.restarted(DATABASE_URL=pooler.url_of(given)):
            yield
    finally:
        pooler.kill()


@TABLE.row(around=behind_pgbouncer)
def pgbouncer(shop: Shop) -> Iterator[None]:
    """PgBouncer in transaction mode: each transaction has another session."""
    yield


@TABLE.row(around=behind_pgbouncer, may_refuse=True, slower=GONE)
def pgbouncer_restarted(shop: Shop) -> Iterator[None]:
    """PgBouncer is killed, and started again after a while."""
    shop.pooler.kill()  # type: ignore[attr-defined]
    try:
        yield
    finally:
        shop.pooler.start()  # type: ignore[attr-defined]


@TABLE.row(at_once=True, short=True)
def altered_columns(shop: Shop) -> Iterator[None]:
    """Columns are widened under prepared statements."""
    with connect(shop) as session:
        for table, column in ALTERED.items():
            found = session.execute(
                "SELECT character_maximum_length FROM information_schema.columns "
                "WHERE table_name = %s AND column_name = %s",
                [table, column],
            )
            length = found.fetchone()[0] + 1  # type: ignore[index,operator]
            altering = sql.SQL("ALTER TABLE {} ALTER COLUMN {} TYPE varchar({})")
            session.execute(altering.format(sql.Identifier(table), sql.Identifier(column), sql.Literal(length)))
    yield


@contextmanager
def foreign_defaults(shop: Shop) -> Iterator[None]:
    """Give the database an isolation and a time zone that are not Waybill's, and the shop new connections."""
    with connect(shop) as session:
        name = sql.Identifier(session.info.dbname)
        session.execute(sql.SQL("ALTER DATABASE {} SET default_transaction_isolation = 'serializable'").format(name))
        session.execute(sql.SQL("ALTER DATABASE {} SET TimeZone = 'Asia/Kathmandu'").format(name))
    try:
        with shop.restarted():
            yield
    finally:
        with connect(shop) as session:
            session.execute(sql.SQL("ALTER DATABASE {} RESET ALL").format(name))


@TABLE.row(around=foreign_defaults)
def defaults_of_others(shop: Shop) -> Iterator[None]:
    """`default_transaction_isolation` is serializable, and `TimeZone` is Asia/Kathmandu."""
    yield
